"""A request's body from DATA frames: the stream's window holds back what nobody asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from tempfile import TemporaryFile
from typing import IO, TYPE_CHECKING, Any

from harness.emulators.apisix.proxy.body import IN_MEMORY, pieces_of

if TYPE_CHECKING:
    from harness.emulators.apisix.proxy.http2 import Http2Connection


class StreamBody:
    """A request's body from DATA frames: as `RequestBody`; the stream's window holds back what nobody asked for.

    `stream_to` hands pieces on as they come (gRPC); otherwise they are gathered.
    """

    def __init__(self, connection: Http2Connection, stream_id: int, length: int | None) -> None:
        """`length` is the Content-Length; a body of another one fails with 400."""
        self._connection = connection
        self._length = length
        self._stream_id = stream_id
        self._pieces: list[bytes] = []
        self._file: IO[bytes] | None = None
        self._unacknowledged = 0
        self._wanted = False
        self._waiting: list[Callable[[Any], None]] = []
        self._to: Callable[[bytes, bool], None] | None = None
        self.complete = False
        #: until when the client may take for the next piece, once somebody wants it (client_body_timeout)
        self.deadline = float("inf")
        self.failed = 0
        self.limit = 0
        self.size = 0
        self.rest = b""

    def feed(self, data: bytes, flow_controlled: int) -> None:
        """A DATA frame."""
        if self.complete:
            return
        self.size += len(data)
        if self._length is not None and self.size > self._length:
            self._fail(400)
            return
        if self.limit and self.size > self.limit:
            self._fail(413)
            return
        self._unacknowledged += flow_controlled
        if self.awaited:
            self._await_more()
        if self._to is not None:
            self._to(data, False)
            return
        self._keep(data)
        if self._wanted:
            self.acknowledge()

    def _keep(self, data: bytes) -> None:
        if self._file is None and self.size > IN_MEMORY:
            self._file = TemporaryFile()  # noqa: SIM115 - lives as long as the request
            self._file.writelines(self._pieces)
            self._pieces.clear()
        if self._file is not None:
            self._file.write(data)
        else:
            self._pieces.append(data)

    def acknowledge(self) -> None:
        """Let the client send as much again as was taken."""
        if self._unacknowledged and not self.complete:
            self._connection.h2.acknowledge_received_data(self._unacknowledged, self._stream_id)
            self._unacknowledged = 0
            self._connection.flush()

    @property
    def awaited(self) -> bool:
        """Whether somebody waits for what the client sends."""
        return not self.complete and (self._wanted or self._to is not None)

    def _await_more(self) -> None:
        listener = self._connection.listener
        self.deadline = listener.now + listener.patience.client_body_timeout

    def _fail(self, status: int) -> None:
        self.failed = status
        self.end()

    def end(self) -> None:
        """The stream's end."""
        self.complete = True
        if self._length is not None and self.size != self._length and not self.failed:
            self.failed = 400
        self.deadline = float("inf")
        if self._to is not None:
            self._to(b"", True)
        waiting, self._waiting = self._waiting, []
        for done in waiting:
            done(self)

    def when_complete(self, done: Callable[[Any], None]) -> None:
        """Call `done` when the body is whole or bad."""
        if self.complete:
            done(self)
            return
        self._wanted = True
        self._await_more()
        self._waiting.append(done)
        self.acknowledge()

    def stream_to(self, receive: Callable[[bytes, bool], None]) -> None:
        """Hand (piece, last) on from here; `acknowledge` asks for more."""
        early = self.content()
        self._pieces.clear()
        self._file = None
        if early or self.complete:
            receive(early, self.complete)
        if not self.complete:
            self._to = receive
            self._await_more()

    def hold(self) -> None:
        """Ask for nothing more: the stream's window does it."""

    def pieces(self) -> Iterator[bytes]:
        """The body as it is held, from its start."""
        return iter(self._pieces) if self._file is None else pieces_of(self._file)

    def lost(self) -> None:
        """The client is gone."""
        self._waiting.clear()
        self._to = None
        self.deadline = float("inf")

    def content(self) -> bytes:
        """What was gathered."""
        if self._file is not None:
            self._file.seek(0)
            return self._file.read()
        return b"".join(self._pieces)
