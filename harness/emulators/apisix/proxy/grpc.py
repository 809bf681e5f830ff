"""gRPC on the upstream's side: HTTP/2 connections that many calls share, streams both ways, trailers at the end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Protocol

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions

from harness.emulators.apisix.pages import status_line
from harness.emulators.apisix.proxy.answer import Answer, with_charset
from harness.emulators.apisix.proxy.http2_frames import GoAways
from harness.emulators.apisix.proxy.target import Target

#: What a call may hold for an upstream that takes nothing, before the client is held back
HIGH_WATER = 65536
#: The fields that the gateway writes itself (grpc_set_header in ngx_tpl.lua), and those of a connection
_NOT_PASSED = frozenset(
    {
        "host",
        "te",
        "content-type",
        "content-length",
        "connection",
        "keep-alive",
        "transfer-encoding",
        "upgrade",
        "expect",
    }
)
_HIDDEN = frozenset({"server", "date", "connection", "keep-alive", "transfer-encoding", "upgrade"})


class User(Protocol):
    """The request that a call carries, as for an HTTP/1 upstream; `trailed` comes before the last `more`."""

    def answered(self, answer: Answer, piece: bytes, last: bool) -> None: ...
    def more(self, piece: bytes, last: bool) -> None: ...
    def trailed(self, fields: list[tuple[str, str]]) -> None: ...
    def broken(self, status: int, reason: str) -> None: ...


def call_headers(
    method: str, path: str, scheme: str, authority: str, fields: list[tuple[str, str, str]]
) -> list[tuple[str, str]]:
    """The header block of a call."""
    block = [(":method", method), (":scheme", scheme), (":path", path), (":authority", authority)]
    block += [(lower, value) for lower, _, value in fields if lower not in _NOT_PASSED]
    return [*block, ("content-type", "application/grpc"), ("te", "trailers")]


class GrpcPool:
    """The connection to one target: made when it is needed, shared by all calls, made anew when it takes no more."""

    def __init__(self, target: Target, loop: asyncio.AbstractEventLoop) -> None:
        self.target = target
        self.loop = loop
        self._connection: GrpcConnection | None = None
        self._opening: asyncio.Lock = asyncio.Lock()

    def ready(self) -> GrpcConnection | None:
        """The connection if it takes calls."""
        connection = self._connection
        return connection if connection is not None and connection.takes_calls else None

    async def open(self, within: float) -> GrpcConnection:
        """The connection, made if there is none; raises OSError or TimeoutError."""
        async with self._opening:
            connection = self.ready()
            if connection is None:
                async with asyncio.timeout(within):
                    connection = await self._connect()
                if self._connection is not None:
                    self._connection.retire()
                self._connection = connection
            return connection

    async def _connect(self) -> GrpcConnection:
        target = self.target
        _, connection = await self.loop.create_connection(
            lambda: GrpcConnection(self.loop),
            target.host,
            target.port,
            ssl=target.tls,
            server_hostname=(target.server_name or target.host) if target.tls else None,
        )
        # before its settings are here, nobody knows how many calls it takes at once
        await connection.settled
        return connection

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.transport.close()


class GrpcConnection(asyncio.Protocol):
    """One HTTP/2 connection to an upstream node."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.calls: dict[int, GrpcCall] = {}
        self.closed = False
        #: no call begins on it any more: the upstream said GOAWAY, or another connection took its place
        self._going = False
        self.blocked = False
        #: done when the upstream's settings are here, an exception when it went away before
        self.settled: asyncio.Future[None] = loop.create_future()
        self._goaways = GoAways()
        # what a client or an upstream says goes on as it came
        config = h2.config.H2Configuration(
            client_side=True,
            header_encoding="latin-1",
            validate_inbound_headers=False,
            validate_outbound_headers=False,
            normalize_outbound_headers=False,
        )
        self.h2 = h2.connection.H2Connection(config)

    @property
    def takes_calls(self) -> bool:
        """Whether another call may begin."""
        return not self.closed and not self._going and self.h2.open_outbound_streams < self._most()

    def _most(self) -> int:
        return int(self.h2.remote_settings.max_concurrent_streams)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: asyncio.Transport = transport  # type: ignore[assignment]
        self.h2.initiate_connection()
        self.h2.increment_flow_control_window(2**30)
        self.flush()

    def begin(self, user: User, headers: list[tuple[str, str]], read_timeout: float, *, end: bool) -> GrpcCall:
        """Begin a call; `end` when it has no body. Raises ConnectionError when the connection takes none after all."""
        try:
            stream_id = self.h2.get_next_available_stream_id()
            block = [(name.encode("latin-1", "replace"), value.encode("latin-1", "replace")) for name, value in headers]
            self.h2.send_headers(stream_id, block, end_stream=end)
        except h2.exceptions.H2Error as error:
            self.retire()
            raise ConnectionError(str(error)) from error
        call = self.calls[stream_id] = GrpcCall(self, stream_id, user, read_timeout)
        self.flush()
        return call

    def retire(self) -> None:
        """Begin no call any more, and close when the last one is over."""
        self._going = True
        if not self.calls and not self.closed:
            self.transport.close()

    def over(self, stream_id: int) -> None:
        """A call is over."""
        self.calls.pop(stream_id, None)
        if self._going:
            self.retire()

    def flush(self) -> None:
        """Send what the state machine has ready."""
        data = self.h2.data_to_send()
        if data and not self.closed:
            self.transport.write(data)

    def data_received(self, data: bytes) -> None:
        try:
            events = self.h2.receive_data(self._goaways.feed(data))
        except h2.exceptions.ProtocolError as error:
            self.flush()
            self._lost(f"not HTTP/2: {error}")
            self.transport.abort()
            return
        for event in events:
            self._event(event)
        if self._goaways.last is not None and not self._going:
            self._said_goodbye(self._goaways.last)
        self.flush()

    def _said_goodbye(self, last: int) -> None:
        """GOAWAY: calls that the upstream has begun go on, later ones it never looked at."""
        self._going = True
        for call in [call for stream_id, call in self.calls.items() if stream_id > last]:
            call.lost(502, "the upstream said GOAWAY")
        self.retire()

    def _event(self, event: h2.events.Event) -> None:
        if isinstance(event, h2.events.WindowUpdated):
            self._window(event.stream_id)
            return
        if isinstance(event, h2.events.RemoteSettingsChanged) and not self.settled.done():
            self.settled.set_result(None)
        call = self.calls.get(getattr(event, "stream_id", None) or 0)
        if call is not None:
            call.event(event)

    def _window(self, stream_id: int | None) -> None:
        calls = [self.calls[stream_id]] if stream_id in self.calls else [] if stream_id else list(self.calls.values())
        for call in calls:
            call.pump()

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost(str(exc) if exc else "the connection was closed")

    def _lost(self, reason: str) -> None:
        self.closed = True
        if not self.settled.done():
            self.settled.set_exception(ConnectionError(reason))
        for call in list(self.calls.values()):
            call.lost(502, reason)

    def pause_writing(self) -> None:
        self.blocked = True

    def resume_writing(self) -> None:
        self.blocked = False
        self._window(0)


class GrpcCall:
    """One call; to the request the same as an upstream connection."""

    def __init__(self, connection: GrpcConnection, stream_id: int, user: User, read_timeout: float) -> None:
        self._connection = connection
        self._stream_id = stream_id
        self._user: User | None = user
        self._out: list[bytes] = []
        self._held = 0
        self._ending = False
        self._ended = False
        self._paused = False
        self._unacknowledged = 0
        self._headed = False
        self._read_timeout = read_timeout
        self._last = connection.loop.time()
        self._timer: Any = connection.loop.call_later(read_timeout, self._tick)
        #: called when the upstream has taken what was sent
        self.taken: Callable[[], None] | None = None

    def _tick(self) -> None:
        left = self._last + self._read_timeout - self._connection.loop.time()
        if left > 0:
            self._timer = self._connection.loop.call_later(left, self._tick)
        else:
            self._reset()
            self.lost(504, "no answer in time")

    # -- out

    def send(self, data: bytes, last: bool) -> None:
        """More of the request's body."""
        if data:
            self._out.append(data)
            self._held += len(data)
        self._ending = self._ending or last
        self.pump()

    def pump(self) -> None:
        """Send as much as the windows allow."""
        state = self._connection.h2
        try:
            while self._out and not self._connection.blocked:
                room = min(state.local_flow_control_window(self._stream_id), state.max_outbound_frame_size)
                if room <= 0:
                    break
                piece = self._out[0]
                state.send_data(self._stream_id, piece[:room])
                self._held -= min(room, len(piece))
                if len(piece) > room:
                    self._out[0] = piece[room:]
                else:
                    del self._out[0]
            if self._ending and not self._out and not self._ended:
                self._ended = True
                state.end_stream(self._stream_id)
        except h2.exceptions.ProtocolError:
            self._out.clear()
        self._connection.flush()
        if self.taken is not None and self._held < HIGH_WATER:
            self.taken()

    # -- in

    def event(self, event: h2.events.Event) -> None:
        """What the upstream said on this stream."""
        self._last = self._connection.loop.time()
        user = self._user
        if user is None:
            return
        if isinstance(event, h2.events.ResponseReceived):
            self._answer(user, event)
        elif isinstance(event, h2.events.DataReceived):
            self._data(user, event)
        elif isinstance(event, h2.events.TrailersReceived):
            user.trailed([(str(name), str(value)) for name, value in event.headers])
        elif isinstance(event, h2.events.StreamEnded):
            if self._user is not None:
                self._finish()
                user.more(b"", True)
        elif isinstance(event, h2.events.StreamReset):
            self.lost(502, f"the stream was reset: {event.error_code}")

    def _answer(self, user: User, event: h2.events.ResponseReceived) -> None:
        headers = [(str(name), str(value)) for name, value in event.headers]
        status = int(dict(headers).get(":status", "502"))
        answer = Answer(status, status_line(status), (1, 1), [])
        for name, value in headers:
            if name == "content-type":
                value = with_charset(value)
            if not name.startswith(":") and name not in _HIDDEN:
                answer.fields.append((name, name, value))
        self._headed = True
        last = event.stream_ended is not None
        if last:
            self._finish()
        user.answered(answer, b"", last)

    def _data(self, user: User, event: h2.events.DataReceived) -> None:
        self._unacknowledged += event.flow_controlled_length or 0
        if not self._paused:
            self._acknowledge()
        if event.data:
            user.more(event.data, False)

    def _acknowledge(self) -> None:
        if self._unacknowledged and not self._connection.closed:
            self._connection.h2.acknowledge_received_data(self._unacknowledged, self._stream_id)
            self._unacknowledged = 0
            self._connection.flush()

    def pause(self) -> None:
        """The client doesn't take more: the window closes."""
        self._paused = True

    def resume(self) -> None:
        """The client takes more again."""
        self._paused = False
        self._acknowledge()

    # -- the end

    def _finish(self) -> None:
        self._timer.cancel()
        self.taken = None
        self._user = None
        self._connection.over(self._stream_id)

    def lost(self, status: int, reason: str) -> None:
        """No (whole) answer comes."""
        user = self._user
        self._finish()
        if user is not None:
            user.broken(status, reason)

    def leave(self) -> None:
        """The request wants nothing more."""
        self._finish()
        self._reset()

    def _reset(self) -> None:
        try:
            self._connection.h2.reset_stream(self._stream_id, h2.errors.ErrorCodes.CANCEL)
        except h2.exceptions.ProtocolError:
            return
        self._connection.flush()
