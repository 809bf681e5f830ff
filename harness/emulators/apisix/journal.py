"""The last requests with what the gateway decided about each, told when somebody asks."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable
from typing import Any

from harness.emulators.apisix.context import Context
from harness.emulators.apisix.verdicts import verdicts

#: A body is kept with its request up to this size, in bytes.
KEPT_BODY = 4096
#: Names of fields and arguments that carry credentials: told masked, whoever asks.
CREDENTIAL = re.compile(r"authorization|cookie|apikey|api[-_]key|jwt|token|secret|password|signature", re.I)
MASK = "***"
_ARGUMENT = re.compile(r"(?<=[?&])([^=&#]*)=([^&#]*)")


class Journal:
    """A ring of requests; adding one costs next to nothing, since the telling is done on demand."""

    __slots__ = ("_misses", "_ring", "added")

    def __init__(self, size: int = 500, misses: Callable[[Context], list[dict[str, Any]]] = lambda ctx: []) -> None:
        """`misses` tells the routes that nearly matched a request, for those that none took."""
        self._ring: deque[Context] = deque(maxlen=size)
        self._misses = misses
        self.added = 0

    def add(self, ctx: Context) -> None:
        """A request is over."""
        if ctx.body is not None and len(ctx.body) > KEPT_BODY:
            ctx.body = ctx.body[:KEPT_BODY]
        ctx.exchange = None
        self._ring.append(ctx)
        self.added += 1

    def clear(self) -> None:
        """Forget all."""
        self._ring.clear()

    def last(self, count: int = 20, request_id: str = "") -> list[dict[str, Any]]:
        """The last `count` requests, the newest first; with `request_id` those that carry it in a header."""
        chosen = [ctx for ctx in reversed(self._ring) if not request_id or _carries(ctx, request_id)]
        return [tell(ctx, self._misses(ctx) if ctx.route is None else []) for ctx in chosen[:count]]


def _carries(ctx: Context, request_id: str) -> bool:
    fields = (*ctx.headers.items, *ctx.response.items)
    return any(value == request_id for lower, _, value in fields if lower.endswith("request-id"))


def _fields(items: list[tuple[str, str, str]]) -> list[list[str]]:
    return [[name, MASK if CREDENTIAL.search(lower) else value] for lower, name, value in items]


def _target(target: str) -> str:
    return _ARGUMENT.sub(lambda found: f"{found[1]}={MASK}" if CREDENTIAL.search(found[1]) else found[0], target)


def tell(ctx: Context, near_misses: list[dict[str, Any]]) -> dict[str, Any]:
    """One request and its way, as JSON can hold it; times in seconds."""
    route = ctx.route
    return {
        "time": ctx.started,
        "client": ctx.remote_addr,
        "request": {
            "method": ctx.method,
            "uri": _target(ctx.target),
            "host": ctx.host,
            "headers": _fields(ctx.headers.items),
        },
        "route": route.id if route is not None else None,
        "route_name": route.value.get("name") if route is not None else None,
        "near_misses": near_misses,
        "seconds": ctx.seconds,
        "plugins": verdicts(ctx),
        "consumer": ctx.consumer.name if ctx.consumer is not None else None,
        "decisions": [{"phase": phase, "plugin": plugin, "said": said} for phase, plugin, said in ctx.trace or ()],
        "upstream": {
            "uri": _target(ctx.upstream_uri or ctx.target),
            "tries": [
                {
                    "node": attempt.address,
                    "status": attempt.status,
                    "connect_time": attempt.connect_time,
                    "header_time": attempt.header_time,
                    "response_time": attempt.response_time,
                    "error": attempt.error,
                }
                for attempt in ctx.tries
            ],
        },
        "response": {
            "status": ctx.status,
            "from_upstream": ctx.from_upstream,
            "headers": _fields(ctx.response.items),
            "body_bytes": ctx.body_bytes_sent,
        },
    }
