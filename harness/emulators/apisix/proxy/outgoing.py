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


def request_head(ctx: Context, head: Head, host: str, length: int | None, upgrade: str, connection: str) -> bytes:
    """The head to send, with its empty line.

    `length` is the Content-Length, None for no body, CHUNKED for one of unknown length; `upgrade` and `connection` are
    passed on for WebSocket routes.
    """
    items = ctx.headers.items
    came = head.outgoing
    if came is not None and items[: len(came)] == came:
        # as the client sent them, and what plugins added behind: most of the text was written before
        if head.written is None:
            head.written = _lines(came)
        forwarded, lines = head.written
        if len(items) > len(came):
            added, more = _lines(items[len(came) :])
            forwarded += added
            lines += more
    else:
        forwarded, lines = _lines(items)
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
