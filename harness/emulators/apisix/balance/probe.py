"""One active health check over the network: connect, and for HTTP send a request and read the status line."""

from __future__ import annotations

import asyncio
import re
import ssl

from harness.emulators.apisix.balance.checks import Active
from harness.emulators.apisix.balance.health import Target

_STATUS = re.compile(rb"HTTP/\d+\.\d+\s+(\d+)", re.I)


async def network_probe(target: Target, active: Active) -> int | None:
    """The answer's status (0 when it isn't HTTP), None for type tcp. Raises OSError when there is no answer."""
    reader, writer = await asyncio.open_connection(
        target.ip.strip("[]"),
        target.port,
        ssl=_tls(active) if active.type == "https" else None,
        server_hostname=(target.host_header or target.hostname) if active.type == "https" else None,
    )
    try:
        if active.type == "tcp":
            return None
        writer.write(_request(target, active))
        return _status(await reader.readline())
    finally:
        writer.transport.abort()


def _tls(active: Active) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if not active.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _request(target: Target, active: Active) -> bytes:
    body = active.http_req_body.encode()
    lines = [f"{active.http_method} {active.http_path} HTTP/1.1", "Connection: close", *active.headers]
    lines.append(f"Host: {target.host_header or target.hostname}")
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join((*lines, "", "")).encode() + body


def _status(line: bytes) -> int:
    if not line:
        raise ConnectionResetError("closed without an answer")
    found = _STATUS.match(line)
    return int(found[1]) if found else 0
