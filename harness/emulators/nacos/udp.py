"""Pushes to v1 clients over UDP: who polls a list with `udpPort` hears of changes between its polls."""

from __future__ import annotations

import asyncio
import json
import re
import time
import zlib
from dataclasses import dataclass

from harness.emulators.nacos.domain import Domain
from harness.emulators.nacos.http.message import Request
from harness.emulators.nacos.naming.model import ServiceKey
from harness.emulators.nacos.naming.registry import Subscriber

#: Clients that listen to UDP, with the first version that does (`PushService#canEnablePush` by user agent).
_CAPABLE = {
    "Nacos-Java-Client": (0, 1, 0),
    "Nacos-Go-Client": (0, 0, 0),
    "Nacos-C-Client": (1, 0, 12),
    "Nacos-CSharp-Client": (0, 9, 0),
    "Nacos-DNS": (0, 4, 3),
}
_AGENT = re.compile(r"([A-Za-z-]+):v?(\d+)(?:\.(\d+))?(?:\.(\d+))?")

#: Seconds: an unanswered packet is sent once more, a client that polls no longer is forgotten.
ACK_SECONDS, IDLE_SECONDS = 10.0, 30.0
#: Packets from this size on are gzipped.
GZIP_FROM = 1024
PREFIX = "udp:"
_GZIP = 31


def is_capable(agent: str) -> bool:
    """Whether a client that calls itself so listens to UDP."""
    found = _AGENT.match(agent)
    if found is None:
        return False
    first = _CAPABLE.get(found[1])
    return first is not None and tuple(int(part or 0) for part in found.groups()[1:]) >= first


@dataclass(slots=True)
class _Sent:
    address: tuple[str, int]
    packet: bytes
    at: float


class UdpPusher(asyncio.DatagramProtocol):
    """Subscribes polling clients, pushes to them, and listens for their acknowledgements."""

    def __init__(self, domain: Domain) -> None:
        self._domain = domain
        self._transport: asyncio.DatagramTransport | None = None
        self._seen: dict[str, float] = {}
        self._waiting: dict[int, _Sent] = {}

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The socket is there."""
        self._transport = transport  # type: ignore[assignment]

    def close(self) -> None:
        """Close the socket."""
        if self._transport is not None:
            self._transport.close()

    # -- subscribing -------------------------------------------------------------------------------------------------

    def polled(self, key: ServiceKey, clusters: str, request: Request) -> None:
        """A list was asked for: with a port and a capable client it is a subscription as well."""
        port = request.number("udpPort", 0)
        agent = request.header("user-agent") or request.header("client-version")
        if not 0 < port < 65536 or not is_capable(agent) or not self._domain.switches.pushes:
            return
        ip = request.get("clientIP", request.peer)
        client_id = f"{PREFIX}{ip}:{port}"
        self._seen[client_id] = self._domain.clock.monotonic()
        app = request.get("app", "unknown")
        self._domain.registry.subscribe(key, Subscriber(client_id, clusters, ip, port, agent, app))

    # -- pushing -----------------------------------------------------------------------------------------------------

    def service_changed(self, key: ServiceKey) -> None:
        """Push the service to its UDP subscribers."""
        for subscriber in list(self._domain.registry.subscribers.get(key, {}).values()):
            if subscriber.client_id.startswith(PREFIX):
                self._push(key, subscriber)

    def _push(self, key: ServiceKey, subscriber: Subscriber) -> None:
        reference = self._domain.registry.next_ref()
        data = self._domain.registry.view(key, subscriber.clusters).to_json(reference, grouped=True)
        packet = json.dumps({"type": "dom", "data": data, "lastRefTime": reference * 1_000_000}).encode()
        if len(packet) >= GZIP_FROM:
            packet = zlib.compress(packet, wbits=_GZIP)
        self._waiting[reference * 1_000_000] = _Sent((subscriber.ip, subscriber.port), packet, time.monotonic())
        self._send((subscriber.ip, subscriber.port), packet)

    def _send(self, address: tuple[str, int], packet: bytes) -> None:
        if self._transport is not None:
            self._transport.sendto(packet, address)

    def datagram_received(self, data: bytes, address: tuple[str, int]) -> None:
        """An acknowledgement; anything else is nobody's business."""
        try:
            self._waiting.pop(int(json.loads(data)["lastRefTime"]), None)
        except (ValueError, KeyError, TypeError):
            return

    def error_received(self, error: Exception) -> None:
        """A client's port is closed: it will be forgotten when it polls no longer."""

    def forget_all(self) -> None:
        """Drop every UDP subscription: nobody is connected by one."""
        for client_id in self._seen:
            self._domain.registry.disconnect(client_id)
        self._seen.clear()
        self._waiting.clear()

    def tick(self) -> None:
        """Send once more what nobody acknowledged; forget who polls no longer."""
        now = time.monotonic()
        for reference, sent in list(self._waiting.items()):
            if now - sent.at >= ACK_SECONDS:
                del self._waiting[reference]
                self._send(sent.address, sent.packet)
        oldest = self._domain.clock.monotonic() - IDLE_SECONDS
        for client_id in [client for client, seen in self._seen.items() if seen < oldest]:
            del self._seen[client_id]
            self._domain.registry.disconnect(client_id)
