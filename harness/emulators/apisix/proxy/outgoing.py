"""The request as it goes to the upstream: nginx's order of fields, what it drops and what it adds."""

from __future__ import annotations

from typing import Final

from harness.emulators.apisix.context import Context

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


def request_head(ctx: Context, host: str, length: int | None, upgrade: str, connection: str) -> bytes:
    """The head to send, with its empty line.

    `length` is the Content-Length, None for no body; `upgrade` and `connection` are passed on for WebSocket routes.
    """
    forwarded = ""
    lines = []
    for lower, name, value in ctx.headers.items:
        if lower in _DROPPED:
            continue
        if lower == "x-forwarded-for":
            forwarded = f"{forwarded}{value}, "
            continue
        lines.append(f"{name}: {value}\r\n")
    address = ctx.remote_addr
    first = f"{ctx.upstream_method or ctx.method} {ctx.upstream_uri or ctx.target} HTTP/1.1\r\n"
    if host:
        first += f"Host: {host}\r\n"
    if upgrade:
        first += f"Upgrade: {upgrade}\r\n"
    if connection:
        first += f"Connection: {connection}\r\n"
    first += f"X-Real-IP: {address}\r\nX-Forwarded-For: {forwarded}{address}\r\n"
    if length is not None:
        first += f"Content-Length: {length}\r\n"
    return (first + "".join(lines) + "\r\n").encode("latin-1", "replace")
