"""After a 101 (WebSocket): bytes both ways as they come, each side held back when the other doesn't read."""

from __future__ import annotations

from typing import Protocol

from harness.emulators.apisix.proxy.http1 import ServerConnection
from harness.emulators.apisix.proxy.upstream import UpstreamConnection


class Owner(Protocol):
    """The journey that switched protocols."""

    def tunnel_closed(self) -> None:
        """Both sides are gone."""
        ...


class Tunnel:
    """Two connections joined until one of them ends."""

    __slots__ = ("_client", "_over", "_owner", "_upstream")
    longest_head = 0

    def __init__(self, client: ServerConnection, upstream: UpstreamConnection, owner: Owner) -> None:
        self._client = client
        self._upstream = upstream
        self._owner = owner
        self._over = False

    def begin(self, early: bytes) -> None:
        """Join them; `early` is what the upstream sent behind its head."""
        self._upstream.user = self
        self._upstream.tunnel = self._to_client
        self._client.unblocked = self._upstream.transport.resume_reading
        self._client.state = self
        if early:
            self._to_client(early)
        self._client.tunnel(self._to_upstream)

    def _to_client(self, data: bytes) -> None:
        self._client.transport.write(data)
        if self._client.write_blocked:
            self._upstream.transport.pause_reading()

    def _to_upstream(self, data: bytes) -> None:
        self._upstream.stir()
        self._upstream.transport.write(data)
        if self._upstream.transport.get_write_buffer_size() > 65536:
            self._client.transport.pause_reading()

    # -- what the upstream's connection tells

    def answered(self, answer: object, piece: bytes, last: bool) -> None:
        """Never again."""

    def more(self, piece: bytes, last: bool) -> None:
        """Never: what comes goes to `_to_client`."""

    def writable(self) -> None:
        """The upstream takes more."""
        self._client.transport.resume_reading()

    def broken(self, status: int, reason: str) -> None:
        """The upstream closed: so does the client's side."""
        self._end()
        self._client.close()

    # -- what the client's connection tells

    def lost(self) -> None:
        """The client closed: so does the upstream's side."""
        self._upstream.user = None
        self._upstream.transport.close()
        self._end()

    def _end(self) -> None:
        if not self._over:
            self._over = True
            self._owner.tunnel_closed()
