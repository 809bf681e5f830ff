"""api-breaker: after so many failures of an address the gateway answers itself for a while, longer each time."""

from __future__ import annotations

from typing import ClassVar

from harness.emulators.apisix.context import Context, Exit
from harness.emulators.apisix.plugins.base import Conf, Plugin, Schema, Scope
from harness.emulators.apisix.variables import resolve


def _statuses(least: int, most: int, default: int) -> Schema:
    return {
        "type": "array",
        "minItems": 1,
        "items": {"type": "integer", "minimum": least, "maximum": most},
        "uniqueItems": True,
        "default": [default],
    }


def _count() -> Schema:
    return {"type": "integer", "minimum": 1, "default": 3}


class ApiBreaker(Plugin):
    """State is kept by host and path, whatever the route, and outlives it."""

    name = "api-breaker"
    priority = 1005
    schema: ClassVar[Schema] = {
        "type": "object",
        "properties": {
            "break_response_code": {"type": "integer", "minimum": 200, "maximum": 599},
            "break_response_body": {"type": "string"},
            "break_response_headers": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {
                        "key": {"type": "string", "minLength": 1},
                        "value": {"type": "string", "minLength": 1},
                    },
                    "required": ["key", "value"],
                },
            },
            "max_breaker_sec": {"type": "integer", "minimum": 3, "default": 300},
            "unhealthy": {
                "type": "object",
                "properties": {"http_statuses": _statuses(500, 599, 500), "failures": _count()},
                "default": {"http_statuses": [500], "failures": 3},
            },
            "healthy": {
                "type": "object",
                "properties": {"http_statuses": _statuses(200, 499, 200), "successes": _count()},
                "default": {"http_statuses": [200], "successes": 3},
            },
        },
        "required": ["break_response_code"],
    }

    def __init__(self, conf: Conf, scope: Scope) -> None:
        super().__init__(conf, scope)
        self._store = scope.shared("plugin-api-breaker")
        self._failing = frozenset(conf["unhealthy"]["http_statuses"])
        self._healing = frozenset(conf["healthy"]["http_statuses"])
        body = conf.get("break_response_body")
        self._body = None if body is None else body.encode()
        fields = conf.get("break_response_headers", ()) if body is not None else ()
        self._headers = [(field["key"], resolve(field["value"])) for field in fields]

    def access(self, ctx: Context) -> Exit | None:
        """Answer while the breaker is open: 2 seconds, then 4, 8 … up to `max_breaker_sec`."""
        address = ctx.host + ctx.uri
        failures = self._store.get(f"unhealthy-{address}")
        since = self._store.get(f"unhealthy-lasttime{address}") if failures else None
        if since is None:
            return None
        times = max(1, failures // self.conf["unhealthy"]["failures"])
        seconds = min(2.0 ** min(times, 32), self.conf["max_breaker_sec"])
        if since + seconds < int(self.scope.clock.time()):
            return None
        headers = tuple((name, value(ctx)) for name, value in self._headers)
        return Exit(self.conf["break_response_code"], self._body, headers)

    def log(self, ctx: Context) -> None:
        """Count what the upstream said; nothing for an answer of the gateway's own."""
        if not ctx.tries:
            return
        status = ctx.tries[-1].status or ctx.status
        address = ctx.host + ctx.uri
        if status in self._failing:
            self._failed(address)
        elif status in self._healing and self._store.get(f"unhealthy-{address}"):
            self._succeeded(address)

    def _failed(self, address: str) -> None:
        count = self._store.incr(f"unhealthy-{address}", 1, 0) or 1
        self._store.delete(f"healthy-{address}")
        if count % self.conf["unhealthy"]["failures"] == 0:
            now = int(self.scope.clock.time())
            self._store.set(f"unhealthy-lasttime{address}", now, self.conf["max_breaker_sec"])

    def _succeeded(self, address: str) -> None:
        count = self._store.incr(f"healthy-{address}", 1, 0) or 1
        if count >= self.conf["healthy"]["successes"]:
            for state in ("unhealthy-lasttime", "unhealthy-", "healthy-"):
                self._store.delete(state + address)
