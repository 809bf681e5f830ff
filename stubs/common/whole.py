"""An answer leaves in one piece: whoever is killed between its head and its body has answered nothing yet."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

#: Seconds for which a head waits for its body: a stream whose first event comes later starts without it.
PATIENCE = 0.002


class WholeAnswers(HttpToolsProtocol):
    """uvicorn's protocol, which writes an answer's head and body apart, on a transport that joins them."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Put the joining transport before the real one."""
        super().connection_made(cast(asyncio.Transport, JoiningTransport(transport, self.loop)))

    def on_response_complete(self) -> None:
        """An answer without a body is complete with its head."""
        cast(JoiningTransport, self.transport).flush()
        super().on_response_complete()


class JoiningTransport:
    """Holds an answer's head back until what follows is written; all else is the transport's own."""

    def __init__(self, transport: Any, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._head = b""
        self._timer: asyncio.TimerHandle | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Write `data`, together with the head that waits for it; a head itself waits."""
        if not self._head and data.startswith(b"HTTP/1.1 ") and not data.startswith(b"HTTP/1.1 10"):
            self._head = data
            self._timer = self._loop.call_later(PATIENCE, self.flush)
        else:
            self._transport.write(self._taken() + data)

    def flush(self) -> None:
        """Let a head that waits go alone."""
        if self._head:
            self._transport.write(self._taken())

    def close(self) -> None:
        """Close after what waits is written."""
        self.flush()
        self._transport.close()

    def _taken(self) -> bytes:
        head, self._head = self._head, b""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        return head
