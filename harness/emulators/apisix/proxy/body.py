"""A request's body on its way in: gathered as nginx buffers it, discarded when unwanted, paused when too early."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from tempfile import TemporaryFile
from typing import IO

from harness.emulators.apisix.proxy.chunks import BadChunks, ChunkedDecoder
from harness.emulators.apisix.proxy.head import Head

#: What is taken in before anybody asks for the body; more waits in the socket.
AHEAD = 65536
#: A body longer than this is kept in a temporary file, as nginx does beyond client_body_buffer_size.
IN_MEMORY = 8 * 1024 * 1024


#: How much is read from such a file at once.
PIECE = 65536


def pieces_of(file: IO[bytes]) -> Iterator[bytes]:
    """What a file holds, from its start, piece by piece."""
    file.seek(0)
    while piece := file.read(PIECE):
        yield piece


class RequestBody:
    """The body of one request; `failed` is the status of its refusal, `rest` what followed it on the connection."""

    __slots__ = (
        "_decoder",
        "_discarding",
        "_done",
        "_file",
        "_left",
        "_paused",
        "_pieces",
        "_to",
        "_transport",
        "_wanted",
        "complete",
        "failed",
        "limit",
        "rest",
        "size",
    )

    def __init__(self, head: Head, transport: asyncio.Transport) -> None:
        self._decoder = ChunkedDecoder() if head.chunked else None
        self._left = head.length or 0
        self._pieces: list[bytes] = []
        self._file: IO[bytes] | None = None
        self._transport = transport
        self._done: list[Callable[[RequestBody], None]] = []
        self._to: Callable[[bytes, bool], None] | None = None
        self._wanted = False
        self._paused = False
        self._discarding = False
        self.complete = self._decoder is None and not self._left
        self.failed = 0
        self.limit = 0
        self.rest = b""
        self.size = 0

    def feed(self, data: bytes) -> bool:
        """Bytes from the connection; tells whether the body is complete."""
        if self._decoder:
            data = self._decode(self._decoder, data)
        else:
            if len(data) > self._left:
                self.rest = data[self._left :]
                data = data[: self._left]
            self._left -= len(data)
            self.complete = not self._left
        if self._to is not None:
            self._pass_on(data)
            return self.complete
        self._keep(data)
        if self.complete:
            self._tell()
        elif not self._wanted and self.size > AHEAD and not self._paused:
            self._paused = True
            self._transport.pause_reading()
        return self.complete

    def _decode(self, decoder: ChunkedDecoder, data: bytes) -> bytes:
        try:
            out = decoder.feed(data)
        except BadChunks:
            self._fail(400)
            return b""
        self.complete = decoder.done
        self.rest = decoder.rest
        return out

    def _fail(self, status: int) -> None:
        self.failed = status
        self.complete = True

    def _pass_on(self, data: bytes) -> None:
        """To whom takes the body as it comes."""
        self.size += len(data)
        if self.limit and self.size > self.limit:
            self._fail(413)
        receive = self._to
        if receive is not None and (data or self.complete):
            receive(data, self.complete)

    def _keep(self, data: bytes) -> None:
        self.size += len(data)
        if self.limit and self.size > self.limit:
            self._fail(413)
        if self._discarding or not data:
            return
        if self._file:
            self._file.write(data)
            return
        self._pieces.append(data)
        if self.size > IN_MEMORY:
            self._file = TemporaryFile()  # noqa: SIM115 - lives as long as the request
            self._file.writelines(self._pieces)
            self._pieces.clear()

    def _tell(self) -> None:
        waiting, self._done = self._done, []
        for done in waiting:
            done(self)

    def when_complete(self, done: Callable[[RequestBody], None]) -> None:
        """Call `done` when the body is whole or bad."""
        if self.complete:
            done(self)
            return
        self._done.append(done)
        self._go_on()

    def _go_on(self) -> None:
        self._wanted = True
        if self._paused:
            self._paused = False
            self._transport.resume_reading()

    def stream_to(self, receive: Callable[[bytes, bool], None]) -> None:
        """Hand (piece, last) on from here; `hold` and `acknowledge` say when to wait and to go on."""
        early = self.content()
        self._pieces.clear()
        self._file = None
        if not self.complete:
            self._to = receive
        receive(early, self.complete)

    def hold(self) -> None:
        """Take nothing from the client for the moment."""
        if not self._paused and not self.complete:
            self._paused = True
            self._transport.pause_reading()

    def acknowledge(self) -> None:
        """Take more again."""
        self._go_on()

    def pieces(self) -> Iterator[bytes]:
        """The body as it is held, from its start."""
        return iter(self._pieces) if self._file is None else pieces_of(self._file)

    def discard(self) -> None:
        """Read to the end and keep nothing."""
        self._discarding = True
        self._to = None
        self._pieces.clear()
        self._go_on()

    def lost(self) -> None:
        """The client is gone: nobody is called any more."""
        self._done.clear()
        self._to = None

    def content(self) -> bytes:
        """The whole body as bytes."""
        if self._file:
            self._file.seek(0)
            return self._file.read()
        if len(self._pieces) > 1:
            self._pieces = [b"".join(self._pieces)]
        return self._pieces[0] if self._pieces else b""
