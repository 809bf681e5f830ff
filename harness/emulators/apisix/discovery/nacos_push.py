"""Nacos' pushes by UDP: a packet for each change of a service that was listed with `udpPort`."""

from __future__ import annotations

import asyncio
import gzip
import json
import socket
from collections.abc import Callable
from typing import cast


def local_address(hostname: str, port: int) -> str:
    """The address of this machine from which `hostname` is reached. Raises OSError."""
    family, kind, _, _, address = socket.getaddrinfo(hostname, port, type=socket.SOCK_DGRAM)[0]
    with socket.socket(family, kind) as probe:
        probe.connect(address)
        return str(probe.getsockname()[0])


class PushReceiver(asyncio.DatagramProtocol):
    """Acknowledges each push and tells the service's grouped name ("GROUP@@name", or "" when that can't be read)."""

    def __init__(self, told: Callable[[str], None]) -> None:
        self._told = told
        self._transport: asyncio.DatagramTransport | None = None

    @classmethod
    async def open(cls, address: str, told: Callable[[str], None]) -> tuple[asyncio.DatagramTransport, int]:
        """Listen on a free port of `address`: the transport to close in the end, and the port. Raises OSError."""
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(lambda: cls(told), local_addr=(address, 0))
        return transport, transport.get_extra_info("sockname")[1]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, address: tuple[str, int]) -> None:
        try:
            packet = json.loads(gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data)
            reference = packet.get("lastRefTime", 0)
            name = str(json.loads(packet.get("data") or "{}").get("name", ""))
        except (ValueError, AttributeError, EOFError, OSError):
            return
        assert self._transport is not None
        acknowledged = {"type": "push-ack", "lastRefTime": str(reference), "data": ""}
        self._transport.sendto(json.dumps(acknowledged).encode(), address)
        self._told(name)

    def error_received(self, exc: Exception) -> None:
        """An acknowledgement that can't be delivered doesn't matter."""
