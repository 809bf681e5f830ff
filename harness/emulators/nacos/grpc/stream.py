"""One gRPC call on its HTTP/2 stream: messages out as flow control allows, and a status at the end."""

from __future__ import annotations

import struct
from collections import deque
from typing import TYPE_CHECKING
from urllib.parse import quote

import h2.exceptions

if TYPE_CHECKING:
    from harness.emulators.nacos.grpc.transport import Link

#: gRPC status codes in use.
OK, UNKNOWN, RESOURCE_EXHAUSTED, UNIMPLEMENTED, INTERNAL, UNAVAILABLE = 0, 2, 8, 12, 13, 14

#: What may wait for a client that does not read before it is cut off.
MAX_BACKLOG = 64 * 1024 * 1024

_HEADERS = [(b":status", b"200"), (b"content-type", b"application/grpc")]


class Stream:
    """One gRPC call: gathers messages, sends messages as flow control allows, ends with a status."""

    __slots__ = ("_ending", "_link", "_unsent", "backlog", "bidirectional", "buffer", "credit", "done", "id", "started")

    def __init__(self, link: Link, stream_id: int, bidirectional: bool) -> None:
        self._link = link
        self.id = stream_id
        self.bidirectional = bidirectional
        self.buffer = bytearray()
        self.credit = 0
        self.started = False
        self.done = False
        #: Bytes that wait for the client to take them.
        self.backlog = 0
        self._unsent: deque[bytes] = deque()
        self._ending: tuple[int, str] | None = None

    def send(self, message: bytes) -> None:
        """Send one message; one that comes after the end is dropped."""
        if not (self.done or self._ending):
            self._queue(b"\x00" + struct.pack(">I", len(message)) + message)

    def _queue(self, framed: bytes) -> None:
        self.start()
        self._unsent.append(framed)
        self.backlog += len(framed)
        if self.backlog > MAX_BACKLOG:
            self._link.abort()
            return
        self.pump()

    def send_parts(self, head: bytes, body: bytes) -> None:
        """Send one message, framed already: `head`, and a `body` that other streams share; past h2 where that is safe.

        A change goes to hundreds of streams: what h2 does for a frame costs more than all the rest of a push. Flow
        control is kept in h2's own counters. Whatever is not plain goes the usual way.
        """
        if self.done or self._ending:
            return
        if self.started and not self._unsent and self._link.fits(self.id, len(head) + len(body)):
            self._link.write_frame(self.id, head, body)
        else:
            self._queue(head + body)

    def reply(self, message: bytes) -> None:
        """Answer a unary call."""
        self.send(message)
        self.finish(OK)

    def finish(self, status: int, detail: str = "") -> None:
        """End the call with a gRPC status."""
        if not self.done and self._ending is None:
            self._ending = (status, detail)
            self.start()
            self.pump()

    def start(self) -> None:
        """Send the response's headers, if they are not out yet."""
        if not self.started:
            self.started = True
            try:
                self._link.h2.send_headers(self.id, _HEADERS)
            except h2.exceptions.ProtocolError:
                self._lost()

    def pump(self) -> None:
        """Send what flow control lets through."""
        if self.done:
            return
        try:
            self._pump()
        except h2.exceptions.ProtocolError:
            self._lost()
        self._link.flush()

    def _lost(self) -> None:
        """The peer reset the stream in the same read: there is nobody to tell."""
        self.done = True
        self.backlog = 0
        self._unsent.clear()

    def _pump(self) -> None:
        h2c = self._link.h2
        while self._unsent and not self._link.full:
            room = h2c.local_flow_control_window(self.id)
            if room <= 0:
                break
            room = min(room, h2c.max_outbound_frame_size)
            chunk = self._unsent.popleft()
            if len(chunk) > room:
                self._unsent.appendleft(chunk[room:])
                chunk = chunk[:room]
            self.backlog -= len(chunk)
            h2c.send_data(self.id, chunk)
        if self._ending and not self._unsent:
            self.done = True
            h2c.send_headers(self.id, _trailers(*self._ending), end_stream=True)
            self._link.forget(self)


def _trailers(status: int, detail: str) -> list[tuple[bytes, bytes]]:
    trailers = [(b"grpc-status", str(status).encode())]
    return [*trailers, (b"grpc-message", quote(detail).encode())] if detail else trailers
