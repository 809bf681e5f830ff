"""Just enough of HTTP/2 to call gRPC methods with small messages over one plain connection, without a library to load.

What the answers' headers say is never looked at: a call that ends without a message has failed, whatever the status.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import cast

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_DATA, _HEADERS, _RST_STREAM, _SETTINGS, _PING, _GOAWAY, _WINDOW_UPDATE = 0, 1, 3, 4, 6, 7, 8
_END_STREAM, _ACK, _END_HEADERS, _PADDED = 0x1, 0x1, 0x4, 0x8
#: the peer may send as much as it likes: messages are small, and read at once
_WINDOW = 0x7FFFFFFF

#: told a stream's message, or None when the stream is over
OnMessage = Callable[[bytes | None], None]


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + payload


def _text(text: str) -> bytes:
    """A string literal of HPACK, without Huffman's code."""
    data = text.encode()
    size = len(data)
    if size < 127:
        return bytes((size,)) + data
    head, rest = bytearray((127,)), size - 127
    while rest >= 128:
        head.append(rest % 128 + 128)
        rest //= 128
    return bytes((*head, rest)) + data


def _field_block(fields: tuple[tuple[str, str], ...]) -> bytes:
    """HPACK: every field a literal that no table remembers."""
    return b"".join(b"\x00" + _text(name) + _text(value) for name, value in fields)


class GrpcConnection(asyncio.Protocol):
    """One connection: `open` a stream, `send` messages on it, hear of what comes back."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._received = bytearray()
        self._streams: dict[int, tuple[OnMessage, bytearray]] = {}
        self._next = 1
        self._authority = ""
        self.closed = asyncio.Event()

    @classmethod
    async def connect(cls, host: str, port: int, within: float) -> GrpcConnection:
        """A connection over which calls can be made. Raises OSError or TimeoutError."""
        async with asyncio.timeout(within):
            _, connection = await asyncio.get_running_loop().create_connection(cls, host, port)
        connection._authority = f"{host}:{port}"
        return connection

    def open(self, path: str, on_message: OnMessage) -> int:
        """Begin a call of a method: the stream's number."""
        stream, self._next = self._next, self._next + 2
        self._streams[stream] = (on_message, bytearray())
        fields = (
            (":method", "POST"),
            (":scheme", "http"),
            (":path", path),
            (":authority", self._authority),
            ("content-type", "application/grpc"),
            ("te", "trailers"),
        )
        self._write(_frame(_HEADERS, _END_HEADERS, stream, _field_block(fields)))
        return stream

    def send(self, stream: int, message: bytes, *, last: bool = False) -> None:
        """A message on a stream; `last` ends our side of it."""
        framed = b"\x00" + len(message).to_bytes(4, "big") + message
        self._write(_frame(_DATA, _END_STREAM if last else 0, stream, framed))

    async def call(self, path: str, message: bytes, within: float) -> bytes:
        """A unary call. Raises ConnectionError when it fails, TimeoutError when no answer comes in time."""
        answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

        def told(reply: bytes | None) -> None:
            if answer.done():
                return
            if reply is None:
                answer.set_exception(ConnectionError("the call ended without an answer"))
            else:
                answer.set_result(reply)

        self.send(self.open(path, told), message, last=True)
        async with asyncio.timeout(within):
            return await answer

    def close(self) -> None:
        """Drop the connection."""
        if self._transport is not None:
            self._transport.abort()

    def _write(self, data: bytes) -> None:
        if self._transport is None or self.closed.is_set():
            raise ConnectionError("connection closed")
        self._transport.write(data)

    # asyncio's callbacks

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none by inheritance
        window = _WINDOW.to_bytes(4, "big")
        settings = b"\x00\x02\x00\x00\x00\x00" + b"\x00\x04" + window  # no server push; the streams' window
        self._write(_PREFACE + _frame(_SETTINGS, 0, 0, settings))
        self._write(_frame(_WINDOW_UPDATE, 0, 0, (_WINDOW - 65535).to_bytes(4, "big")))

    def connection_lost(self, error: Exception | None) -> None:
        self.closed.set()
        for stream in list(self._streams):
            self._over(stream)

    def data_received(self, data: bytes) -> None:
        received = self._received
        received += data
        while len(received) >= 9 and len(received) >= (end := 9 + int.from_bytes(received[:3], "big")):
            kind, flags, stream = received[3], received[4], int.from_bytes(received[5:9], "big") & _WINDOW
            payload = bytes(received[9:end])
            del received[:end]
            self._take(kind, flags, stream, payload)

    def _take(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        if kind == _DATA:
            self._take_data(stream, payload[1 : -payload[0] or None] if flags & _PADDED else payload, len(payload))
        elif kind == _SETTINGS and not flags & _ACK:
            self._write(_frame(_SETTINGS, _ACK, 0, b""))
        elif kind == _PING and not flags & _ACK:
            self._write(_frame(_PING, _ACK, 0, payload))
        elif kind == _GOAWAY:
            self.close()
        if kind == _RST_STREAM or (kind in (_DATA, _HEADERS) and flags & _END_STREAM):
            self._over(stream)

    def _take_data(self, stream: int, data: bytes, size: int) -> None:
        if size:
            self._write(_frame(_WINDOW_UPDATE, 0, 0, size.to_bytes(4, "big")))
        held = self._streams.get(stream)
        if held is None:
            return
        on_message, buffer = held
        buffer += data
        while len(buffer) >= 5 and len(buffer) >= (end := 5 + int.from_bytes(buffer[1:5], "big")):
            message = bytes(buffer[5:end])
            del buffer[:end]
            on_message(message)

    def _over(self, stream: int) -> None:
        held = self._streams.pop(stream, None)
        if held is not None:
            held[0](None)
