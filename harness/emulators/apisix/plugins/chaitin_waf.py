"""chaitin-waf: a SafeLine detector looks at each request."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import cycle
from typing import Any, ClassVar
from uuid import uuid4

from harness.emulators.apisix.context import Context, Exit
from harness.emulators.apisix.match.expression import ExpressionError, compile_expression
from harness.emulators.apisix.plugins import t1k
from harness.emulators.apisix.plugins.base import Conf, Plugin, Schema, Scope
from harness.emulators.apisix.variables import getter

_MODES: Schema = {"type": "string", "enum": ["off", "monitor", "block"]}
_NUMBERS = ("connect_timeout", "send_timeout", "read_timeout", "req_body_size", "keepalive_size", "keepalive_timeout")
_DEFAULTS = (1000, 1000, 1000, 1024, 256, 60000)
_HEADER = "X-APISIX-CHAITIN-WAF"
_BLOCKED = (
    '{{"code": {status}, "success":false, '
    '"message": "blocked by Chaitin SafeLine Web Application Firewall", "event_id": "{event}"}}\n'
)
_SHOWN_TO_ALL = ("", "-TIME", "-STATUS", "-ACTION")


class ChaitinWaf(Plugin):
    """Where the detectors are stands in the plugin's metadata; `monitor` lets everything pass."""

    name = "chaitin-waf"
    priority = 2700
    schema: ClassVar[Schema] = {
        "type": "object",
        "properties": {
            "mode": _MODES,
            "match": {"type": "array", "items": {"type": "object", "properties": {"vars": {"type": "array"}}}},
            "append_waf_resp_header": {"type": "boolean", "default": True},
            "append_waf_debug_header": {"type": "boolean", "default": False},
            "config": {
                "type": "object",
                "properties": {
                    **{name: {"type": "integer"} for name in _NUMBERS},
                    "real_client_ip": {"type": "boolean"},
                },
            },
        },
    }
    metadata_schema: ClassVar[Schema] = {
        "type": "object",
        "properties": {
            "mode": _MODES,
            "nodes": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {
                        "host": {"type": "string", "pattern": r"^\*?[0-9a-zA-Z-._\[\]:/]+$"},
                        "port": {"type": "integer", "minimum": 1, "default": 80},
                    },
                    "required": ["host"],
                },
                "minItems": 1,
            },
            "config": {
                "type": "object",
                "properties": {
                    **{n: {"type": "integer", "default": d} for n, d in zip(_NUMBERS, _DEFAULTS, strict=True)},
                    "real_client_ip": {"type": "boolean", "default": True},
                },
                "default": {},
            },
        },
        "required": ["nodes"],
    }

    @classmethod
    def check(cls, conf: dict[str, Any]) -> str | None:
        """The expressions must compile."""
        for match in conf.get("match") or ():
            try:
                compile_expression(match.get("vars") or [], getter)
            except ExpressionError as error:
                return f"failed to validate the 'vars' expression: {error}"
        return None

    def __init__(self, conf: Conf, scope: Scope) -> None:
        super().__init__(conf, scope)
        self._conditions: list[Callable[[Context], bool] | None] = [
            compile_expression(match.get("vars") or [], getter) for match in conf.get("match") or ()
        ]
        self._nodes: list[Any] = []
        self._turn = cycle(self._nodes)

    async def access(self, ctx: Context) -> Exit | None:
        """Ask a detector and do as it says."""
        told: dict[str, str] = {}
        verdict = await self._ask(ctx, told)
        if self.conf["append_waf_resp_header"]:
            debug = self.conf["append_waf_debug_header"]
            for suffix, value in told.items():
                if debug or suffix in _SHOWN_TO_ALL:
                    ctx.response.set(_HEADER + suffix, value)
        return verdict

    def header_filter(self, ctx: Context) -> None:
        """Set the headers that the detector gave, its cookie for one."""
        for name, value in ctx.notes.get("chaitin-waf", ()):
            ctx.response.set(name, value)

    async def _ask(self, ctx: Context, told: dict[str, str]) -> Exit | None:
        metadata = self.scope.metadata("chaitin-waf")
        if not metadata or not metadata.get("nodes"):
            told.update({"": "err", "-ERROR": "missing metadata"})
            return Exit(500)
        node = self._pick(metadata["nodes"])
        told["-SERVER"] = node["host"]
        mode = self.conf.get("mode") or metadata.get("mode") or "monitor"
        if mode == "off":
            told[""] = "off"
            return None
        if self._conditions and not any(holds is None or holds(ctx) for holds in self._conditions):
            told[""] = "no"
            return None
        return await self._detect(ctx, told, node, mode, self._options(metadata))

    def _pick(self, nodes: list[Any]) -> Any:
        if nodes != self._nodes:
            self._nodes = nodes
            self._turn = cycle(nodes)
        return next(self._turn)

    def _options(self, metadata: Mapping[str, Any]) -> dict[str, Any]:
        defaults = dict(zip(_NUMBERS, _DEFAULTS, strict=True))
        # chaitin-waf.lua: a `config` on the route replaces the metadata's whole, but for the address
        chosen = self.conf.get("config") or metadata.get("config") or {}
        shared = (metadata.get("config") or {}).get("real_client_ip", True)
        return {**defaults, "real_client_ip": shared, **chosen}

    async def _detect(
        self, ctx: Context, told: dict[str, str], node: Conf, mode: str, options: dict[str, Any]
    ) -> Exit | None:
        started = self.scope.clock.monotonic()
        body = (await ctx.read_body())[: options["req_body_size"] * 1024]
        question = t1k.packets(_head(ctx), body, _extra(ctx, options["real_client_ip"]))
        limits = {"connect": options["connect_timeout"] / 1000, "read": options["read_timeout"] / 1000}
        try:
            verdict = await t1k.ask(node["host"], node.get("port", 80), question, **limits)
        except t1k.DetectorError as error:
            told.update({"": "timeout" if "timeout" in str(error) else "waf-err", "-ERROR": str(error)})
            self.scope.log("warn", f"chaitin-waf: {error}")
            return None if mode == "monitor" else Exit(500)
        finally:
            told["-TIME"] = format((self.scope.clock.monotonic() - started) * 1000, ".14g")
        told.update({"": "yes", "-ACTION": "pass", "-STATUS": "200"})
        return self._obey(ctx, told, mode, verdict)

    def _obey(self, ctx: Context, told: dict[str, str], mode: str, verdict: t1k.Verdict) -> Exit | None:
        if mode == "block":
            ctx.notes["chaitin-waf"] = verdict.headers
        if verdict.status in ("", "200") or not verdict.event_id:
            return None
        told.update({"-STATUS": verdict.status, "-ACTION": "reject"})
        if mode == "monitor":
            self.scope.log("warn", f"chaitin-waf monitor mode: request would have been rejected: {verdict.event_id}")
            return None
        self.scope.log("error", f"request rejected by chaitin-waf, event_id: {verdict.event_id}")
        return Exit(int(verdict.status), _BLOCKED.format(status=verdict.status, event=verdict.event_id))


def _head(ctx: Context) -> bytes:
    major, minor = ctx.version
    lines = [f"{ctx.method} {ctx.target} HTTP/{major}.{minor}", *(f"{name}: {value}" for name, value in ctx.headers)]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def _extra(ctx: Context, real_client_ip: bool) -> bytes:
    client = ctx.client
    values = [
        (0x11, str(client.remote_port)),
        (0x12, str(client.server_port)),
        (0x13, ctx.remote_addr if real_client_ip else client.remote_addr),
        (0x14, client.server_addr),
        (0x15, "_"),
        (0x16, client.scheme),
        (0x17, str(getter("hostname")(ctx) or "")),
        (0x18, uuid4().hex),
        (0x19, "n"),
        (0x1A, "n"),
        (0x1B, f"{ctx.started * 1_000_000:.0f}"),
    ]
    return t1k.extra_lines(values)
