"""HTTP/2 on the client's side: one connection, its frames taken in and its streams kept within nginx's limits."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions
import h2.settings
from hpack.exceptions import HPACKError

from harness.emulators.apisix.proxy import nginx
from harness.emulators.apisix.proxy.head import Head
from harness.emulators.apisix.proxy.http2_frames import ClientFrames, State, goaway, settings, window_update
from harness.emulators.apisix.proxy.http2_head import Fatal, read_head
from harness.emulators.apisix.proxy.http2_stream import Http2Stream
from harness.emulators.apisix.proxy.listener import Listener

#: http2_max_concurrent_streams, nginx's default
MOST_STREAMS = 128
#: nginx's answer to rapid resets: how many streams may begin in one reading, and how many may be refused in all
MOST_AT_ONCE = 2 * MOST_STREAMS
MOST_REFUSED = 128
#: Bytes beyond eight times the content: "http2 flood detected" (ngx_http_v2_read_handler)
FLOOD = 8 * 1024 * 1024
#: What may wait for a client that sends frames to be answered (PING, SETTINGS) and reads none
MOST_UNREAD = 1024 * 1024
#: lingering_timeout, in seconds
LINGER = 5.0
_PREFACE = 24
#: http2_body_preread_size, and what else nginx introduces itself with
PREREAD = 65536
MOST_FRAME = 2**24 - 1
MOST_WINDOW = 2**31 - 1
_FIRST_WINDOW = 65535
_GOAWAY_SIZE = 17


class Http2Connection(asyncio.Protocol):
    """One client's HTTP/2 connection: frames in, events to its streams."""

    def __init__(self, listener: Listener, client: Any) -> None:
        """`client` is the HTTP/1 connection that it was until the preface or the handshake said otherwise."""
        self.listener = listener
        self.client = client
        self.streams: dict[int, Http2Stream] = {}
        self._idle_until = float("inf")
        self._closing = False
        self._blocked = False
        self._frames = ClientFrames(self.streams.__contains__, _PREFACE)
        self._requests = 0
        self._last = 0
        #: no stream after this one is looked at, once a GOAWAY said so
        self._final: int | None = None
        self._new = 0
        self._refused = 0
        self._received = 0
        self._content = 0
        # heads are judged by http2_head, as nginx does: a bad one ends its stream, not all of them; and what an
        # upstream says goes out as it came
        config = h2.config.H2Configuration(
            client_side=False,
            header_encoding="latin-1",
            validate_inbound_headers=False,
            validate_outbound_headers=False,
            normalize_outbound_headers=False,
        )
        self.h2 = State(config)

    # -- asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.begin(transport)

    def begin(self, transport: Any, early: bytes = b"") -> None:
        """Take over a transport; `early` are bytes that it has delivered already."""
        self.transport: asyncio.Transport = transport
        self.listener.connections.add(self)
        self._introduce()
        self._rest()
        if early:
            self.data_received(early)

    def _introduce(self) -> None:
        """Say what nginx says. Streams are counted here: h2 would end the connection at the 129th."""
        codes = h2.settings.SettingCodes
        own = {codes.INITIAL_WINDOW_SIZE: PREREAD, codes.MAX_FRAME_SIZE: MOST_FRAME}
        self.h2.local_settings = h2.settings.Settings(
            client=False, initial_values={codes.MAX_CONCURRENT_STREAMS: 2**31 - 1, **own}
        )
        self.h2.max_inbound_frame_size = MOST_FRAME
        self.h2.initiate_connection()
        self.h2.increment_flow_control_window(MOST_WINDOW - _FIRST_WINDOW)
        self.h2.clear_outbound_data_buffer()
        said = settings({codes.MAX_CONCURRENT_STREAMS: MOST_STREAMS} | own)
        self.transport.write(said + window_update(MOST_WINDOW - _FIRST_WINDOW))

    def _rest(self) -> None:
        self._idle_until = self.listener.now + self.listener.patience.keepalive_timeout

    def data_received(self, data: bytes) -> None:
        if self._closing:
            return
        self._received += len(data)
        self._new = 0
        try:
            events = self.h2.receive_data(self._frames.feed(data))
        except h2.exceptions.ProtocolError as error:
            self._broken(error)
            return
        for event in events:
            self._event(event)
        if self._frames.error is not None and not self._closing:
            self._give_up(self._frames.error)
            return
        if self._frames.skipped > MOST_UNREAD and not self._closing:
            self.transport.write(window_update(self._frames.skipped))
            self._frames.skipped = 0
        if self._received > FLOOD + 8 * self._content and not self._closing:
            self._give_up()
        self.flush()
        if self.transport.get_write_buffer_size() > MOST_UNREAD and self._idle_output():
            self.abort()

    def _idle_output(self) -> bool:
        """Whether what waits to be read isn't content: streams hold theirs back by themselves."""
        return not any(stream.answering for stream in self.streams.values())

    def _event(self, event: h2.events.Event) -> None:
        if self._closing:
            return
        if isinstance(event, h2.events.RequestReceived):
            self._request(event)
        elif isinstance(event, h2.events.DataReceived):
            self._data(event)
        elif isinstance(event, h2.events.StreamEnded):
            self._on(event.stream_id, lambda stream: stream.body_ended())
        elif isinstance(event, h2.events.WindowUpdated):
            self._window(event.stream_id)
        elif isinstance(event, h2.events.StreamReset):
            self._on(event.stream_id, lambda stream: stream.gone())

    def _on(self, stream_id: int | None, act: Callable[[Http2Stream], None]) -> None:
        stream = self.streams.get(stream_id or 0)
        if stream is not None:
            act(stream)

    def _request(self, event: h2.events.RequestReceived) -> None:
        stream_id = event.stream_id
        self._last = max(self._last, stream_id)
        if self._final is not None and stream_id > self._final:
            return
        self._new += 1
        if len(self.streams) >= MOST_STREAMS or self._new > MOST_AT_ONCE:
            self._refuse(stream_id)
            return
        self._requests += 1
        if self._requests >= self.listener.patience.keepalive_requests:
            self._say_goodbye()
        self._begin(event)

    def _refuse(self, stream_id: int) -> None:
        """REFUSED_STREAM: it wasn't looked at and may be sent again; too many of them end the connection."""
        self._refused += 1
        if self._refused > MOST_REFUSED:
            self._give_up()
            return
        self.reset(stream_id, h2.errors.ErrorCodes.REFUSED_STREAM)

    def _begin(self, event: h2.events.RequestReceived) -> None:
        stream = Http2Stream(self, event.stream_id)
        ended = event.stream_ended is not None
        stream.all_here = ended
        try:
            head = read_head(event.headers)  # type: ignore[arg-type]  # text, as header_encoding says
            if ended and head.length:
                raise nginx.Bad(400)
        except Fatal as fatal:
            self._give_up(fatal.code)
            return
        except nginx.Bad as bad:
            self.streams[event.stream_id] = stream
            stream.head = Head("GET", "", "", "", (2, 0), [])
            self.listener.handler.refused(stream, bad.status)
            return
        self.streams[event.stream_id] = stream
        self._content += head.size
        stream.start(head)

    def _data(self, event: h2.events.DataReceived) -> None:
        stream = self.streams.get(event.stream_id)
        size = event.flow_controlled_length or 0
        self._content += len(event.data or b"")
        if stream is not None and event.stream_ended is not None:
            stream.all_here = True
        if stream is None or stream.body is None:
            self.h2.acknowledge_received_data(size, event.stream_id)
        else:
            stream.body.feed(event.data or b"", size)

    def _window(self, stream_id: int | None) -> None:
        if stream_id:
            self._on(stream_id, lambda stream: stream.pump())
        else:
            for stream in list(self.streams.values()):
                stream.pump()

    def connection_lost(self, exc: Exception | None) -> None:
        self._closing = True
        self.listener.gone(self)
        for stream in list(self.streams.values()):
            stream.gone()

    def pause_writing(self) -> None:
        self._blocked = True

    def resume_writing(self) -> None:
        self._blocked = False
        for stream in list(self.streams.values()):
            stream.pump()
        self.flush()

    # -- what streams use

    @property
    def blocked(self) -> bool:
        """Whether the transport takes nothing at the moment."""
        return self._blocked

    def flush(self) -> None:
        """Send what the state machine has ready."""
        data = self.h2.data_to_send()
        if data and not self._closing:
            self.transport.write(data)

    def reset(self, stream_id: int, code: h2.errors.ErrorCodes) -> None:
        """End a stream, unless the client has done so."""
        try:
            self.h2.reset_stream(stream_id, code)
        except h2.exceptions.ProtocolError:
            return
        self.flush()

    def done(self, stream_id: int) -> None:
        """A stream's answer is out."""
        self.streams.pop(stream_id, None)
        if self.streams:
            return
        self._rest()
        if self._final is not None and not self._closing:
            self.flush()
            self.transport.close()

    # -- the end of it

    def _say_goodbye(self) -> None:
        """GOAWAY: what has begun is answered, nothing else is taken."""
        if self._final is None:
            self._final = self._last
            self.flush()
            self.transport.write(goaway(self._last))

    def _give_up(self, code: h2.errors.ErrorCodes = h2.errors.ErrorCodes.NO_ERROR) -> None:
        """nginx ends the connection, and with it all its streams."""
        self.flush()
        self.transport.write(goaway(self._last, code))
        self._linger()

    def _broken(self, error: h2.exceptions.ProtocolError) -> None:
        """What came is no HTTP/2. h2 has its GOAWAY ready, which knows no COMPRESSION_ERROR."""
        compression = isinstance(error.__cause__, HPACKError)
        code = h2.errors.ErrorCodes.COMPRESSION_ERROR if compression else error.error_code
        ready = self.h2.data_to_send()
        self.transport.write(ready[:-_GOAWAY_SIZE] + goaway(self._last, code))
        self._linger()

    def _linger(self) -> None:
        """Say no more, but hear the client out: closing on what it still sends would cost it the GOAWAY."""
        self._closing = True
        for stream in list(self.streams.values()):
            stream.gone()
        self._idle_until = self.listener.now + LINGER
        if self.transport.can_write_eof():
            self.transport.write_eof()
        else:
            self.transport.close()

    # -- what the listener asks

    @property
    def deadline(self) -> float:
        """When the connection, or a stream of it, has waited for the client long enough."""
        if not self.streams:
            return self._idle_until
        return min(stream.deadline for stream in self.streams.values())

    def timed_out(self) -> None:
        """Idle for too long; or a stream that neither sends nor takes."""
        if not self.streams:
            self.drain()
            self.transport.close()
            return
        for stream in list(self.streams.values()):
            if stream.deadline < self.listener.now:
                stream.timed_out()

    def drain(self) -> None:
        """Take no more requests; close when the last answer is out."""
        if self._closing:
            return
        self._say_goodbye()
        if not self.streams:
            self.transport.close()

    def abort(self) -> None:
        """Cut the connection."""
        self.transport.abort()
