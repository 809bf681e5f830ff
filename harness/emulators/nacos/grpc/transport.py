"""gRPC over HTTP/2: frames in, whole messages out to the hub, messages back; nothing of Nacos in here."""

from __future__ import annotations

import asyncio
import os
import struct
from collections.abc import Callable
from typing import Protocol, cast

import h2.config
import h2.connection
import h2.events
import h2.exceptions
import h2.settings

from harness.emulators.nacos.grpc.stream import INTERNAL, OK, RESOURCE_EXHAUSTED, UNIMPLEMENTED, Stream

#: The server's `maxInboundMessageSize`.
MAX_MESSAGE = 10 * 1024 * 1024
#: What the transport holds for such a client before nothing more is handed to it, and nothing more is read from it.
HIGH_WATER = 1 << 20
#: How much of a stream's own window the quick way of reading uses up before it is given back.
CREDIT = 1 << 18
#: How many bytes of frames are taken at a time: a small request may have a large answer, and one read many requests.
SLICE = 1024
#: What every HTTP/2 client says first.
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

UNARY = b"/Request/request"
STREAM = b"/BiRequestStream/requestBiStream"

#: The head of an HTTP/2 frame: length (24 bits), type, flags, stream.
_FRAME = struct.Struct(">BHBBI")
_WINDOW_UPDATE = struct.Struct(">BHBBII")
_SETTINGS = {
    h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS: 1000,
    h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: 1 << 20,
    h2.settings.SettingCodes.MAX_HEADER_LIST_SIZE: 64 * 1024,
}
_CONFIG = h2.config.H2Configuration(
    client_side=False, header_encoding=None, validate_outbound_headers=False, normalize_outbound_headers=False
)


class Hub(Protocol):
    """Who speaks Nacos behind the transport."""

    def opened(self, link: Link) -> None:
        """A transport connection is there."""
        ...

    def closed(self, link: Link) -> None:
        """It is gone."""
        ...

    def called(self, link: Link, message: bytes, call: Stream) -> None:
        """A unary call: answer by `call.reply` or `call.finish`, now or later."""
        ...

    def stream_opened(self, link: Link, stream: Stream) -> None:
        """The client opened its bidirectional stream."""
        ...

    def stream_message(self, link: Link, stream: Stream, message: bytes) -> None:
        """The client sent a message on it."""
        ...

    def stream_closed(self, link: Link, stream: Stream) -> None:
        """The stream ended, by the client's will or by a reset."""
        ...


class Link(asyncio.Protocol):
    """One transport connection."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self.h2 = h2.connection.H2Connection(_CONFIG)
        self.h2.local_settings = h2.settings.Settings(client=False, initial_values=_SETTINGS)
        self.peer: tuple[str, int] = ("", 0)
        self.streams: dict[int, Stream] = {}
        self._transport: asyncio.Transport | None = None
        self._fd = -1
        self._reading = False
        self._rest = b""
        #: Whether the client has said what every HTTP/2 client says first.
        self.greeted = False
        #: Whether the transport holds so much that nothing more should be handed to it.
        self.full = False

    # -- asyncio -----------------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Say hello."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's does not inherit from it
        self._transport.set_write_buffer_limits(high=HIGH_WATER)
        peer = transport.get_extra_info("peername")
        self.peer = (str(peer[0]), int(peer[1])) if peer else ("", 0)
        if transport.get_extra_info("sslcontext") is None:  # TLS has bytes of its own to write
            self._fd = transport.get_extra_info("socket").fileno()
        self.h2.initiate_connection()
        self.h2.increment_flow_control_window(16 << 20)
        self.flush()
        self.hub.opened(self)

    def connection_lost(self, error: Exception | None) -> None:
        """The client went away, or was sent away."""
        self._transport = None
        for stream in list(self.streams.values()):
            stream.done = True
        self.streams.clear()
        self.hub.closed(self)

    def pause_writing(self) -> None:
        """The client does not read: what it asks for waits, and so does what it has yet to ask."""
        self.full = True
        if self._transport is not None:
            self._transport.pause_reading()

    def resume_writing(self) -> None:
        """It reads again."""
        self.full = False
        if self._transport is not None:
            self._transport.resume_reading()
        for stream in list(self.streams.values()):
            stream.pump()
        if self._rest and not self.full:
            self.data_received(b"")

    def data_received(self, data: bytes) -> None:
        """Feed the frames; a client that breaks HTTP/2 loses its connection, nobody else does."""
        if self.full:
            self._rest += data
            return
        self._reading = True
        try:
            self._feed(data)
        except h2.exceptions.ProtocolError:
            self._reading = False
            self.flush()
            self.close()
            return
        self._reading = False
        self.flush()

    # -- receiving ---------------------------------------------------------------------------------------------------

    def _feed(self, data: bytes) -> None:
        data = self._rest + data
        if not self.greeted:
            self.greeted = len(data) >= len(PREFACE) or not PREFACE.startswith(data)
            if not self.greeted:
                self._rest = data
                return
            self._pass_on(data[: len(PREFACE)])
            data = data[len(PREFACE) :]
        self._feed_frames(data)

    def _feed_frames(self, data: bytes) -> None:
        """Whole frames go to h2, but the plain DATA of the bidirectional stream (acknowledgements) straight on.

        What h2 does for such a frame costs four times as much as all the rest of an acknowledgement.
        """
        at, passed, end = 0, 0, len(data)
        while end - at >= 9 and not self.full:
            length = int.from_bytes(data[at : at + 3], "big")
            after = at + 9 + length
            if length > self.h2.max_inbound_frame_size:
                after = end  # h2 refuses it by its head
            elif after > end:
                break
            elif data[at + 3] == 0 and data[at + 4] == 0:
                stream = self.streams.get(int.from_bytes(data[at + 5 : at + 9], "big"))
                if stream is not None and stream.bidirectional:
                    self._pass_on(data[passed:at])
                    passed = after
                    self._quick_data(stream, data[at + 9 : after])
            at = after
            if at - passed >= SLICE and at < end:
                self._pass_on(data[passed:at])
                passed = at
                self._flush_amid()
        self._rest = data[at:]
        self._pass_on(data[passed:at])

    def _flush_amid(self) -> None:
        """What was answered so far goes out: it shows whether the client takes it."""
        self._reading = False
        self.flush()
        self._reading = True

    def _pass_on(self, data: bytes) -> None:
        for event in self.h2.receive_data(data) if data else ():
            handle = _EVENTS.get(type(event))
            if handle is not None:
                handle(self, event)

    def _quick_data(self, stream: Stream, data: bytes) -> None:
        """What h2 does not know of is not in its windows either: the credit is given back past it."""
        if stream.done or self._transport is None:
            return
        stream.credit += len(data)
        if stream.credit >= CREDIT:
            updates = (_WINDOW_UPDATE.pack(0, 4, 8, 0, number, stream.credit) for number in (0, stream.id))
            self._transport.write(b"".join(updates))
            stream.credit = 0
        stream.buffer += data
        self._read_messages(stream)

    # -- sending -----------------------------------------------------------------------------------------------------

    def flush(self) -> None:
        """Write out the frames made; while a read is under way they are gathered."""
        if self._transport is not None and not self._reading:
            data = self.h2.data_to_send()
            if data:
                self._transport.write(data)

    def fits(self, stream_id: int, size: int) -> bool:
        """Whether one frame of this size may go out now, with nothing of h2's before it."""
        h2c = self.h2
        return (
            not self._reading
            and not self.full
            and self._transport is not None
            and size <= h2c.max_outbound_frame_size
            and size <= h2c.outbound_flow_control_window
            and size <= h2c.streams[stream_id].outbound_flow_control_window
        )

    def write_frame(self, stream_id: int, head: bytes, body: bytes) -> None:
        """Write one DATA frame that `fits`; at once, both parts gathered by the kernel, where nothing waits."""
        size = len(head) + len(body)
        self.h2.outbound_flow_control_window -= size
        self.h2.streams[stream_id].outbound_flow_control_window -= size
        head = _FRAME.pack(size >> 16, size & 0xFFFF, 0, 0, stream_id) + head
        transport = self._transport
        assert transport is not None
        written = 0
        if self._fd >= 0 and transport.get_write_buffer_size() == 0 and not transport.is_closing():
            written = _write_now(self._fd, head, body)
        if written < size + 9:
            transport.write((head + body)[written:])

    def close(self) -> None:
        """Close after what is written is sent."""
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """Cut the connection, as a dead network would."""
        if self._transport is not None:
            self._transport.abort()

    @property
    def open(self) -> bool:
        """Whether the connection stands."""
        return self._transport is not None

    def forget(self, stream: Stream) -> None:
        """A call has ended."""
        self.streams.pop(stream.id, None)

    # -- events ------------------------------------------------------------------------------------------------------

    def _requested(self, event: h2.events.RequestReceived) -> None:
        path = next((value for name, value in event.headers if name == b":path"), b"")
        stream = self.streams[event.stream_id] = Stream(self, event.stream_id, path == STREAM)
        if path == STREAM:
            self.hub.stream_opened(self, stream)
        elif path != UNARY:
            stream.finish(UNIMPLEMENTED, f"Method not found: {bytes(path[1:]).decode('ascii', 'replace')}")

    def _data(self, event: h2.events.DataReceived) -> None:
        self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        stream = self.streams.get(event.stream_id)
        if stream is not None and event.data:
            stream.buffer += event.data
            self._read_messages(stream)

    def _read_messages(self, stream: Stream) -> None:
        buffer = stream.buffer
        while len(buffer) >= 5 and not stream.done:
            length = int.from_bytes(buffer[1:5], "big")
            if buffer[0]:
                stream.finish(UNIMPLEMENTED, "compressed messages are not supported")
            elif length > MAX_MESSAGE:
                stream.finish(RESOURCE_EXHAUSTED, f"gRPC message exceeds maximum size {MAX_MESSAGE}: {length}")
            elif len(buffer) < 5 + length:
                return
            else:
                message = bytes(buffer[5 : 5 + length])
                del buffer[: 5 + length]
                self._deliver(stream, message)

    def _deliver(self, stream: Stream, message: bytes) -> None:
        if stream.bidirectional:
            self.hub.stream_message(self, stream, message)
        else:
            self.hub.called(self, message, stream)

    def _ended(self, event: h2.events.StreamEnded) -> None:
        stream = self.streams.get(event.stream_id)
        if stream is None:
            return
        if stream.bidirectional:
            self.hub.stream_closed(self, stream)
            stream.finish(OK)
        elif stream.buffer:
            stream.finish(INTERNAL, "Encountered end-of-stream mid-frame")

    def _reset(self, event: h2.events.StreamReset) -> None:
        stream = self.streams.pop(event.stream_id, None)
        if stream is not None:
            stream.done = True
            if stream.bidirectional:
                self.hub.stream_closed(self, stream)

    def _window(self, event: h2.events.WindowUpdated | h2.events.RemoteSettingsChanged) -> None:
        for stream in list(self.streams.values()):
            stream.pump()

    def _terminated(self, event: h2.events.ConnectionTerminated) -> None:
        self.close()


def _write_now(fd: int, head: bytes, body: bytes) -> int:
    """How much of it the kernel took; a broken connection is for the transport to find."""
    try:
        return os.writev(fd, (head, body))
    except OSError:
        return 0


_EVENTS: dict[type, Callable[[Link, h2.events.Event], None]] = {
    h2.events.RequestReceived: Link._requested,  # type: ignore[dict-item]
    h2.events.DataReceived: Link._data,  # type: ignore[dict-item]
    h2.events.StreamEnded: Link._ended,  # type: ignore[dict-item]
    h2.events.StreamReset: Link._reset,  # type: ignore[dict-item]
    h2.events.WindowUpdated: Link._window,  # type: ignore[dict-item]
    h2.events.RemoteSettingsChanged: Link._window,  # type: ignore[dict-item]
    h2.events.ConnectionTerminated: Link._terminated,  # type: ignore[dict-item]
}
