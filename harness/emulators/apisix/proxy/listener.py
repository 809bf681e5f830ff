"""One listening address: what its connections share, and the sweep that closes those that keep it waiting."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeAlias

from harness.emulators.apisix.proxy.outbox import Outbox

if TYPE_CHECKING:
    from harness.emulators.apisix.proxy.head import Head
    from harness.emulators.apisix.proxy.http1 import ServerConnection
    from harness.emulators.apisix.proxy.http2 import Http2Connection
    from harness.emulators.apisix.proxy.http2_stream import Http2Stream
    from harness.emulators.apisix.proxy.tls_gate import TlsGate

#: One request on a connection: an HTTP/1 connection, or a stream of an HTTP/2 one.
Exchange: TypeAlias = "ServerConnection | Http2Stream"

#: How often the sweep looks at the connections' deadlines, in seconds.
SWEEP = 1.0


class Handler(Protocol):
    """Who answers the requests of a listener."""

    def request(self, exchange: Exchange, head: Head) -> None:
        """Begin to answer; `exchange` is told the answer, now or later."""
        ...

    def refused(self, exchange: Exchange, status: int) -> None:
        """A request that nginx refuses by itself while reading it."""
        ...

    def lost(self, exchange: Exchange) -> None:
        """The client went away before its answer was complete."""
        ...


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a client may take, in seconds; nginx's directives of these names, APISIX's defaults."""

    keepalive_timeout: float = 60.0
    client_header_timeout: float = 60.0
    client_body_timeout: float = 60.0
    send_timeout: float = 10.0
    keepalive_requests: int = 1000


class Listener:
    """Shared by all connections that one address accepted."""

    __slots__ = (
        "_empty",
        "_server",
        "_sweep",
        "accepted",
        "connections",
        "draining",
        "handler",
        "heads",
        "host",
        "http2",
        "idle_until",
        "loop",
        "most_requests",
        "now",
        "outbox",
        "patience",
        "port",
        "scheme",
    )

    def __init__(self, handler: Handler, *, scheme: str = "http", patience: Patience | None = None) -> None:
        self.handler = handler
        self.scheme = scheme
        self.patience = patience or Patience()
        self.connections: set[ServerConnection | Http2Connection | TlsGate] = set()
        self.accepted = 0
        #: heads that were read before, by their bytes
        self.heads: dict[bytes, Head] = {}
        self.draining = False
        #: makes the protocol for a connection that turns out to be HTTP/2; None where only HTTP/1 is spoken
        self.http2: Callable[[ServerConnection], Http2Connection] | None = None
        self.host = ""
        self.port = 0
        self.now = 0.0
        #: when a connection that falls idle now has been so for too long
        self.idle_until = self.patience.keepalive_timeout
        self.most_requests = self.patience.keepalive_requests
        self._empty: asyncio.Event | None = None
        self._server: asyncio.Server | None = None
        self._sweep: asyncio.TimerHandle | None = None

    @property
    def address(self) -> str:
        """host:port as bound."""
        return f"{self.host}:{self.port}"

    async def start(self, sock: socket.socket, factory: Callable[[], asyncio.Protocol]) -> None:
        """Accept on a bound socket."""
        self.loop = asyncio.get_running_loop()
        self.outbox = Outbox(self.loop)
        self.host, self.port = sock.getsockname()[:2]
        self._server = await self.loop.create_server(factory, sock=sock, backlog=4096)
        self._look()

    def _look(self) -> None:
        self.now = self.loop.time()
        self.idle_until = self.now + self.patience.keepalive_timeout
        for connection in [one for one in self.connections if one.deadline < self.now]:
            connection.timed_out()
        self._sweep = self.loop.call_later(SWEEP, self._look)

    def gone(self, connection: ServerConnection | Http2Connection | TlsGate) -> None:
        """A connection ended."""
        self.connections.discard(connection)
        if self._empty is not None and not self.connections:
            self._empty.set()

    def cut(self) -> None:
        """End all connections as they are."""
        for connection in list(self.connections):
            connection.abort()

    async def drain(self, within: float) -> None:
        """Accept no more, close the idle connections at once and the busy ones when their answers are out."""
        self.draining = True
        if self._server:
            self._server.close()
        for connection in list(self.connections):
            connection.drain()
        if self.connections:
            self._empty = asyncio.Event()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._empty.wait(), within)
        self.cut()
        if self._sweep:
            self._sweep.cancel()


def bind(address: str, *, shared: bool = False) -> socket.socket:
    """A listening socket on host:port; `shared` sets SO_REUSEPORT, for several workers; raises OSError."""
    host, _, port = address.rpartition(":")
    host = host.strip("[]")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if shared:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        sock.bind((host, int(port)))
    except OSError:
        sock.close()
        raise
    sock.setblocking(False)
    return sock
