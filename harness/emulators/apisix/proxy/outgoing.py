"""The request as it goes to the upstream: nginx's order of fields, what it drops and what it adds."""

from __future__ import annotations

from typing import Final

from harness.emulators.apisix.context import Context
from harness.emulators.apisix.proxy.head import Field, Head

#: Never passed on as they came: the connection's own, and those that are written anew in front
_DROPPED: Final = frozenset(
    {
        "host",
        "x-real-ip",
        "content-length",
        "connection",
        "transfer-encoding",
        "te",
        "keep-alive",
        "expect",
        "upgrade",
    }
)


#: Instead of a Content-Length: the body is sent as it comes, in chunks
CHUNKED: Final = -1
#: So many heads are kept that were made of one head that came.
MOST_MADE: Final = 16


def request_head(ctx: Context, head: Head, host: str, length: int | None, upgrade: str, connection: str) -> bytes:
    """The head to send, with its empty line.

    `length` is the Content-Length, None for no body, CHUNKED for one of unknown length; `upgrade` and `connection` are
    passed on for WebSocket routes.
    """
    items = ctx.headers.items
    came = head.outgoing
    if came is None or items[: len(came)] != came:
        return _head(ctx, _lines(items), host, length, upgrade, connection)
    # as the client sent them, and what plugins added behind: most of the text was written before, if not all
    written = head.written
    if written is None:
        written = head.written = (*_lines(came), {})
    made = written[2]
    method = ctx.upstream_method or ctx.method
    key = (
        ctx.upstream_uri or ctx.target,
        method,
        host,
        length,
        upgrade,
        connection,
        ctx.remote_addr,
        *items[len(came) :],
    )
    data = made.get(key)
    if data is None:
        added, more = _lines(items[len(came) :])
        data = _head(ctx, (written[0] + added, written[1] + more), host, length, upgrade, connection)
        if len(made) >= MOST_MADE:
            made.clear()
        made[key] = data
    return data


def _head(ctx: Context, text: tuple[str, str], host: str, length: int | None, upgrade: str, connection: str) -> bytes:
    forwarded, lines = text
    address = ctx.remote_addr
    first = f"{ctx.upstream_method or ctx.method} {ctx.upstream_uri or ctx.target} HTTP/1.1\r\n"
    if host:
        first += f"Host: {host}\r\n"
    if upgrade:
        first += f"Upgrade: {upgrade}\r\n"
    if connection:
        first += f"Connection: {connection}\r\n"
    first += f"X-Real-IP: {address}\r\nX-Forwarded-For: {forwarded}{address}\r\n"
    if length == CHUNKED:
        first += "Transfer-Encoding: chunked\r\n"
    elif length is not None:
        first += f"Content-Length: {length}\r\n"
    return (first + lines + "\r\n").encode("latin-1", "replace")


def _lines(fields: list[Field]) -> tuple[str, str]:
    """X-Forwarded-For as it came (each value with a comma behind), and the lines of the other fields."""
    forwarded = ""
    lines = []
    for lower, name, value in fields:
        if lower == "x-forwarded-for":
            forwarded = f"{forwarded}{value}, "
        elif lower not in _DROPPED:
            lines.append(f"{name}: {value}\r\n")
    return forwarded, "".join(lines)
