"""What the loggers write about a request: APISIX's full entry, or the format that the user gave."""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from typing import Any

from harness.clock import Clock
from harness.emulators.apisix import uri_args
from harness.emulators.apisix.context import Context
from harness.emulators.apisix.headers import Headers
from harness.emulators.apisix.match.expression import Condition, compile_expression
from harness.emulators.apisix.match.lua_values import to_number, to_text
from harness.emulators.apisix.plugins.base import Conf
from harness.emulators.apisix.settings import VERSION
from harness.emulators.apisix.variables import getter

#: the answer's body as a logger gathered it
RESPONSE_BODY = "log.resp_body"
_MOST_BYTES = 524288
_DEEPEST = 5

Entry = dict[str, Any]
Build = Callable[[Context], Any]


def readable(text: str) -> str:
    """Latin-1 text as JSON takes it: decoded as UTF-8, other bytes kept as surrogates."""
    return text if text.isascii() else text.encode("latin-1").decode("utf-8", "surrogateescape")


def conditions(rule: Any) -> Condition | None:
    """An expression of a logger's configuration as a condition; None always holds."""
    return compile_expression(rule, getter)


def request_body(ctx: Context, limit: int) -> str | None:
    """The request's body as text, cut at `limit` bytes; None for none."""
    return ctx.body[:limit].decode("utf-8", "surrogateescape") if ctx.body else None


def custom(log_format: Mapping[str, Any], limit: int = _MOST_BYTES) -> Callable[[Context], Entry]:
    """The builder of entries in the user's format, with the ids of route and service as APISIX adds them."""
    members = _members(log_format, limit, 1)

    def build(ctx: Context) -> Entry:
        entry = _built(members, ctx)
        value: Mapping[str, Any] = getattr(ctx.route, "value", None) or {}
        for name in ("service_id", "route_id"):
            found = value.get("id" if name == "route_id" else name)
            if found is not None:
                entry[name] = found
        return entry

    return build


def extra(log_format: Mapping[str, Any], limit: int = _MOST_BYTES) -> Callable[[Context], Entry]:
    """The builder of log_format_extra's members alone."""
    members = _members(log_format, limit, 1)
    return lambda ctx: _built(members, ctx)


def _built(members: list[tuple[str, Build]], ctx: Context) -> Entry:
    found = ((name, build(ctx)) for name, build in members)
    return {name: value for name, value in found if value is not None}


def _members(log_format: Mapping[str, Any], limit: int, depth: int) -> list[tuple[str, Build]]:
    return [(name, _member(value, limit, depth)) for name, value in log_format.items()]


def _member(value: Any, limit: int, depth: int) -> Build:
    if isinstance(value, Mapping):
        nested = _members(value, limit, depth + 1) if depth < _DEEPEST else []
        return lambda ctx: _built(nested, ctx)
    if not isinstance(value, str) or not value.startswith("$"):
        return lambda ctx: value
    name = value[1:]
    if name == "request_body":
        return lambda ctx: request_body(ctx, limit)
    if name == "resp_body":
        return lambda ctx: ctx.notes.get(RESPONSE_BODY)
    if name == "status":
        return lambda ctx: ctx.status
    return _variable(name)


def _variable(name: str) -> Build:
    get = getter(name)

    def find(ctx: Context) -> Any:
        value = get(ctx)
        return readable(value) if isinstance(value, str) else value

    return find


def full(ctx: Context, conf: Conf, clock: Clock) -> Entry:
    """APISIX's own entry (log-util.lua, get_full_log), bodies apart."""
    value: Mapping[str, Any] = getattr(ctx.route, "value", None) or {}
    entry: Entry = {
        "request": _request(ctx),
        "response": {"status": ctx.status, "headers": _sent(ctx), "size": ctx.bytes_sent},
        "server": {"hostname": socket.gethostname(), "version": VERSION},
        "service_id": value.get("service_id", "") if value else readable(ctx.host),
        "client_ip": ctx.remote_addr,
        "start_time": _number(round(ctx.started * 1000, 3)),
        **_latencies(ctx, clock),
    }
    if value:
        entry["route_id"] = value.get("id")
    if ctx.tries:
        entry["upstream"] = ", ".join(attempt.address for attempt in ctx.tries)
    if ctx.consumer is not None:
        entry["consumer"] = {"username": ctx.consumer.name}
    return entry


def _request(ctx: Context) -> Entry:
    client = ctx.client
    return {
        "url": readable(f"{client.scheme}://{ctx.host}:{client.server_port}{ctx.target}"),
        "uri": readable(ctx.target),
        "method": ctx.upstream_method or ctx.method,
        "headers": grouped(ctx.headers),
        "querystring": _readable(uri_args.parse(ctx.query)) if ctx.query else {},
        "size": ctx.request_length,
    }


def _sent(ctx: Context) -> Entry:
    """The answer's headers; nginx has given the connection up by then, and its own Date isn't among them."""
    sent = grouped(ctx.response)
    if not ctx.from_upstream:
        sent.pop("date", None)
    if "content-length" not in sent and ctx.status not in (204, 304):
        sent["transfer-encoding"] = "chunked"
    return {**sent, "connection": "close"}


def grouped(headers: Headers) -> Entry:
    """Headers by lower-case name, several values as a list."""
    found: Entry = {}
    for lower, _, value in headers.items:
        held = found.get(lower)
        text = readable(value)
        found[lower] = text if held is None else [*(held if isinstance(held, list) else [held]), text]
    return found


def _latencies(ctx: Context, clock: Clock) -> Entry:
    """Milliseconds: the whole, the upstream's part, the gateway's own."""
    latency = (clock.time() - ctx.started) * 1000
    if not ctx.tries:
        return {"latency": _number(latency), "apisix_latency": _number(latency)}
    upstream = sum(attempt.response_time or 0.0 for attempt in ctx.tries) * 1000
    own = max(latency - upstream, 0.0)
    return {"latency": _number(latency), "upstream_latency": _number(upstream), "apisix_latency": _number(own)}


def _number(value: float) -> float | int:
    """As lua-cjson writes it: 14 digits, whole numbers without a point."""
    short = to_number(to_text(value)) or 0
    return int(short) if float(short).is_integer() else short


def _readable(value: Any) -> Any:
    if isinstance(value, str):
        return readable(value)
    if isinstance(value, dict):
        return {readable(name): _readable(member) for name, member in value.items()}
    return [_readable(member) for member in value] if isinstance(value, list) else value
