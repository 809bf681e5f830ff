"""opa: an Open Policy Agent server decides about each request."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any, ClassVar

from harness.emulators.apisix import lua_json, uri_args, variables
from harness.emulators.apisix.context import Context, Exit
from harness.emulators.apisix.match.expression import latin
from harness.emulators.apisix.plugins.base import Conf, Plugin, Schema, Scope

_VARIABLES = ("server_addr", "server_port", "remote_addr", "remote_port")


class Opa(Plugin):
    """The server's `result.allow` decides; without a decision nobody passes."""

    name = "opa"
    priority = 2001
    schema: ClassVar[Schema] = {
        "type": "object",
        "properties": {
            "host": {"type": "string"},
            "ssl_verify": {"type": "boolean", "default": True},
            "policy": {"type": "string"},
            "timeout": {"type": "integer", "minimum": 1, "maximum": 60000, "default": 3000},
            "keepalive": {"type": "boolean", "default": True},
            "send_headers_upstream": {"type": "array", "minItems": 1, "items": {"type": "string"}},
            "keepalive_timeout": {"type": "integer", "minimum": 1000, "default": 60000},
            "keepalive_pool": {"type": "integer", "minimum": 1, "default": 5},
            "with_route": {"type": "boolean", "default": False},
            "with_service": {"type": "boolean", "default": False},
            "with_consumer": {"type": "boolean", "default": False},
        },
        "required": ["host", "policy"],
    }

    def __init__(self, conf: Conf, scope: Scope) -> None:
        super().__init__(conf, scope)
        self._variables = [(name, variables.getter(name)) for name in _VARIABLES]

    async def access(self, ctx: Context) -> Exit | None:
        """Ask the server."""
        conf = self.conf
        try:
            answer = await self.scope.fetch(
                "POST",
                f"{conf['host']}/v1/data/{conf['policy']}",
                headers=[("Content-Type", "application/json")],
                body=lua_json.encode({"input": self._input(ctx)}),
                within=conf["timeout"] / 1000,
                ssl_verify=conf["ssl_verify"],
                keepalive=conf["keepalive"],
            )
        except (OSError, TimeoutError) as error:
            self.scope.log("error", f"failed to process OPA decision, err: {error}")
            return Exit(403)
        result = self._result(answer.body or b"")
        return Exit(503) if result is None else self._decided(ctx, result)

    def _result(self, body: bytes) -> dict[str, Any] | None:
        try:
            data = lua_json.decode(body)
        except ValueError as error:
            self.scope.log("error", f"invalid response body: {body!r} err: {error}")
            return None
        result = data.get("result") if isinstance(data, dict) else None
        if not isinstance(result, dict):
            self.scope.log("error", f"invalid OPA decision format: {body!r} err: `result` field does not exist")
            return None
        return result

    def _decided(self, ctx: Context, result: dict[str, Any]) -> Exit | None:
        headers = result.get("headers") or {}
        if not result.get("allow"):
            reason = result.get("reason")
            body = lua_json.encode(reason) if isinstance(reason, dict | list) else reason
            return Exit(int(result.get("status_code") or 403), body, tuple(_pairs(headers)))
        for name in self.conf.get("send_headers_upstream") or ():
            value = headers.get(name)
            if value is None:
                ctx.headers.remove(name)
            else:
                ctx.headers.set(name, latin(str(value)))
        return None

    def _input(self, ctx: Context) -> dict[str, Any]:
        values = {name: value(ctx) for name, value in self._variables}
        asked: dict[str, Any] = {
            "type": "http",
            "request": _request(ctx),
            "var": {**values, "timestamp": int(self.scope.clock.time())},
        }
        route = ctx.route.value if ctx.route else {}
        if self.conf["with_route"]:
            asked["route"] = _without_upstream(route)
        if self.conf["with_consumer"] and ctx.consumer is not None:
            asked["consumer"] = {"username": ctx.consumer.name, **asdict(ctx.consumer)}
        service = self.scope.stored("services", str(route.get("service_id", "")))
        if self.conf["with_service"] and service is not None:
            asked["service"] = _without_upstream(service)
        return asked


def _request(ctx: Context) -> dict[str, Any]:
    headers: dict[str, Any] = {}
    for lower, _, value in ctx.headers.items:
        held = headers.get(lower)
        headers[lower] = value if held is None else [*held, value] if isinstance(held, list) else [held, value]
    return {
        "scheme": ctx.client.scheme,
        "method": ctx.method,
        "host": ctx.host,
        "port": ctx.client.server_port,
        "path": ctx.uri,
        "headers": headers,
        "query": uri_args.parse(ctx.query) if ctx.query else {},
    }


def _without_upstream(value: Any) -> dict[str, Any]:
    return {member: inner for member, inner in value.items() if member != "upstream"}


def _pairs(headers: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for name, values in headers.items():
        for value in values if isinstance(values, list) else [values]:
            yield name, latin(str(value))
