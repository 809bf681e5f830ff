"""How loggers reach their servers: HTTP as lua-resty-http speaks it, TCP, UDP."""

from __future__ import annotations

import asyncio
import ssl
from typing import Any
from urllib.parse import urlsplit

from harness.emulators.apisix.plugins.batch_queue import SendFailed
from harness.emulators.apisix.proxy.ask import Asked, ask

AGENT = "lua-resty-http/0.17.2 (Lua) ngx_lua/10030"


def tls_client(verify: bool) -> ssl.SSLContext:
    """The client's side of TLS."""
    context = ssl.create_default_context()
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


async def post(
    uri: str,
    fields: list[tuple[str, str]],
    body: bytes,
    within: float,
    *,
    ssl_verify: bool = True,
    bare_host: bool = False,
    marked: bool | None = None,
    method: str = "POST",
) -> Asked:
    """Send a body and wait for the answer.

    `bare_host` as http-logger does it, without port and with a "?" always (`marked` False: not always).
    Raises OSError or TimeoutError.
    """
    parts = urlsplit(uri)
    secure = parts.scheme == "https"
    host = parts.hostname or ""
    address = (host, parts.port or (443 if secure else 80))
    named = host if bare_host or not parts.port else f"{host}:{parts.port}"
    target = (parts.path or "/") + (
        f"?{parts.query}" if parts.query or (bare_host if marked is None else marked) else ""
    )
    tls = tls_client(ssl_verify) if secure else None
    head = [("Host", named), ("User-Agent", AGENT), *fields]
    return await ask(address, method, target, head, body, within, tls)


async def send_tcp(
    address: tuple[str, int],
    data: bytes,
    within: float,
    *,
    tls: bool = False,
    server_name: str | None = None,
    verify: bool = False,
) -> None:
    """Write `data` to a server and close; raises SendFailed."""
    context: Any = tls_client(verify) if tls else None
    try:
        async with asyncio.timeout(within):
            name = server_name if context else None
            _, writer = await asyncio.open_connection(*address, ssl=context, server_hostname=name)
            writer.write(data)
            await writer.drain()
            writer.close()
            await writer.wait_closed()
    except (OSError, TimeoutError) as error:
        host, port = address
        raise SendFailed(f"failed to connect to TCP server: host[{host}] port[{port}] err: {error}") from error


async def send_udp(address: tuple[str, int], data: bytes, within: float) -> None:
    """Send `data` as one datagram; raises SendFailed."""
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(within):
            transport, _ = await loop.create_datagram_endpoint(asyncio.DatagramProtocol, remote_addr=address)
            transport.sendto(data)
            transport.close()
    except (OSError, TimeoutError) as error:
        host, port = address
        raise SendFailed(f"failed to connect to UDP server: host[{host}] port[{port}] err: {error}") from error
