"""datadog: counters, latencies and sizes of each request to a DogStatsD agent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from harness.emulators.apisix.context import Context
from harness.emulators.apisix.match.lua_values import to_text
from harness.emulators.apisix.plugins.base import Conf, Schema, Scope
from harness.emulators.apisix.plugins.batch_queue import MAX_PENDING_ENTRIES, batch_properties
from harness.emulators.apisix.plugins.log_entry import Entry, full
from harness.emulators.apisix.plugins.logger import NO_BODIES, BatchLogger
from harness.emulators.apisix.plugins.senders import send_udp

_AGENT: Mapping[str, Any] = {
    "host": "127.0.0.1",
    "port": 8125,
    "namespace": "apisix",
    "constant_tags": ["source:apisix"],
}
_TAG = {
    "type": "string",
    "minLength": 1,
    "maxLength": 200,
    "pattern": r"^[\p{L}][\p{L}\p{N}_.:/-]*(?<!:)$",
}
#: what an agent reads at once: longer ones go a metric at a time
_MOST_BYTES = 8192


class Datadog(BatchLogger):
    name = "datadog"
    priority = 495
    schema: ClassVar[Schema] = {
        "type": "object",
        "properties": {
            "prefer_name": {"type": "boolean", "default": True},
            "include_path": {"type": "boolean", "default": False},
            "include_method": {"type": "boolean", "default": False},
            "constant_tags": {"type": "array", "items": _TAG, "default": []},
            **batch_properties("datadog"),
        },
    }
    metadata_schema: ClassVar[Schema] = {
        "type": "object",
        "properties": {
            "host": {"type": "string", "default": _AGENT["host"]},
            "port": {"type": "integer", "minimum": 0, "default": _AGENT["port"]},
            "namespace": {"type": "string", "default": _AGENT["namespace"]},
            "constant_tags": {"type": "array", "items": _TAG, "default": _AGENT["constant_tags"]},
            "max_pending_entries": MAX_PENDING_ENTRIES,
        },
    }

    def __init__(self, conf: Conf, scope: Scope) -> None:
        super().__init__({**NO_BODIES, **conf}, scope)

    def log(self, ctx: Context) -> None:
        """Put the request's figures and tags into the queue."""
        entry = full(ctx, self.conf, self.scope.clock)
        self._queue.push((entry, self._tags(ctx, entry)), self.send, ctx)

    def _tags(self, ctx: Context, entry: Entry) -> list[str]:
        conf = self.conf
        route: Mapping[str, Any] = getattr(ctx.route, "value", None) or {}
        route_name, service_name = entry.get("route_id"), entry.get("service_id")
        if conf["prefer_name"]:
            route_name = route.get("name") or route_name
            stored = self.scope.stored("services", str(service_name)) if service_name else None
            if stored is not None and stored.get("name") != "":
                service_name = stored.get("name")  # a service without a name loses its tag, as upstream
        address = ctx.tries[-1].address if ctx.tries else ""
        found = {
            "route_name": route_name,
            "path": (ctx.path_params or {}).get("_path") if conf["include_path"] else None,
            "method": ctx.method if conf["include_method"] else None,
            "service_name": service_name,
            "consumer": entry.get("consumer", {}).get("username"),
            "balancer_ip": address.rpartition(":")[0],
            "response_status": ctx.status,
            "response_status_class": f"{ctx.status // 100}xx",
            "scheme": _scheme(ctx),
        }
        return [*conf["constant_tags"], *(f"{name}:{value}" for name, value in found.items() if value)]

    async def send(self, entries: list[Any]) -> None:
        """A datagram a request, or one a metric where that is too long."""
        agent = {**_AGENT, **(self.scope.metadata(self.name) or {})}
        for entry, tags in entries:
            lines = _metrics(entry, [*agent["constant_tags"], *tags], agent["namespace"])
            together = "\n".join(lines)
            for text in [together] if len(together.encode()) <= _MOST_BYTES else lines:
                await send_udp((agent["host"], agent["port"]), text.encode(), 5)


def _scheme(ctx: Context) -> str:
    """How the upstream was spoken to, if it was."""
    plan: Any = getattr(ctx.route, "plan", None)
    upstream: Any = ctx.upstream or getattr(plan, "upstream", None)
    return ctx.upstream_scheme or (getattr(upstream, "scheme", "") if ctx.tries else "")


def _metrics(entry: Entry, tags: list[str], namespace: str) -> list[str]:
    """The lines of a request."""
    prefix = f"{namespace}." if namespace else ""
    suffix = f"|#{','.join(tags)}" if tags else ""
    values = [
        ("request.counter", 1, "c"),
        ("request.latency", entry["latency"], "h"),
        ("upstream.latency", entry.get("upstream_latency"), "h"),
        ("apisix.latency", entry["apisix_latency"], "h"),
        ("ingress.size", entry["request"]["size"], "ms"),
        ("egress.size", entry["response"]["size"], "ms"),
    ]
    return [f"{prefix}{name}:{to_text(value)}|{kind}{suffix}" for name, value, kind in values if value is not None]
