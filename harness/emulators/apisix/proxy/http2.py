"""HTTP/2 on the client's side: one connection, each of its streams an exchange like an HTTP/1 request."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from tempfile import TemporaryFile
from typing import Any

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions
import h2.settings

from harness.emulators.apisix.context import Exit, ExitNow
from harness.emulators.apisix.proxy import nginx
from harness.emulators.apisix.proxy.answer import Answer
from harness.emulators.apisix.proxy.body import IN_MEMORY
from harness.emulators.apisix.proxy.head import Field, Head
from harness.emulators.apisix.proxy.listener import Listener

#: http2_max_concurrent_streams, nginx's default
MOST_STREAMS = 128
#: What a stream may hold for a client that doesn't read, before the upstream is held back
HIGH_WATER = 65536
#: How much of a request's body is taken in before anybody asks for it (http2_body_preread_size)
WINDOW = 65536
#: What HTTP/2 has no place for (RFC 9113, 8.2.2)
_CONNECTION_FIELDS = frozenset({"connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"})


class Http2Connection(asyncio.Protocol):
    """One client's HTTP/2 connection: frames in, events to its streams."""

    def __init__(self, listener: Listener, client: Any) -> None:
        """`client` is the HTTP/1 connection that it was until the preface or the handshake said otherwise."""
        self.listener = listener
        self.client = client
        self.streams: dict[int, Http2Stream] = {}
        self.deadline = float("inf")
        self._closing = False
        self._blocked = False
        config = h2.config.H2Configuration(client_side=False, header_encoding="latin-1", validate_inbound_headers=True)
        self.h2 = h2.connection.H2Connection(config)

    # -- asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.begin(transport)

    def begin(self, transport: Any, early: bytes = b"") -> None:
        """Take over a transport; `early` are bytes that it has delivered already."""
        self.transport: asyncio.Transport = transport
        self.listener.connections.add(self)
        self.h2.local_settings = h2.settings.Settings(
            client=False, initial_values={h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS: MOST_STREAMS}
        )
        self.h2.initiate_connection()
        self.h2.increment_flow_control_window(2**30)
        self.flush()
        self._rest()
        if early:
            self.data_received(early)

    def _rest(self) -> None:
        self.deadline = self.listener.now + self.listener.patience.keepalive_timeout

    def data_received(self, data: bytes) -> None:
        try:
            events = self.h2.receive_data(data)
        except h2.exceptions.ProtocolError:
            self.flush()
            self.transport.close()
            return
        for event in events:
            self._event(event)
        self.flush()

    def _event(self, event: h2.events.Event) -> None:
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
        elif isinstance(event, h2.events.ConnectionTerminated):
            self.transport.close()

    def _on(self, stream_id: int | None, act: Callable[[Http2Stream], None]) -> None:
        stream = self.streams.get(stream_id or 0)
        if stream is not None:
            act(stream)

    def _request(self, event: h2.events.RequestReceived) -> None:
        self.deadline = float("inf")
        stream = Http2Stream(self, event.stream_id)
        self.streams[event.stream_id] = stream
        try:
            head = _head(event.headers)
        except nginx.Bad as bad:
            stream.head = Head("GET", "", "", "", (2, 0), [])
            self.listener.handler.refused(stream, bad.status)
            return
        stream.start(head, ended=event.stream_ended is not None)

    def _data(self, event: h2.events.DataReceived) -> None:
        stream = self.streams.get(event.stream_id)
        size = event.flow_controlled_length or 0
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

    def done(self, stream_id: int) -> None:
        """A stream's answer is out."""
        self.streams.pop(stream_id, None)
        if not self.streams:
            self._rest()
            if self.listener.draining:
                self.drain()

    # -- what the listener asks

    def timed_out(self) -> None:
        """Idle for too long."""
        self.drain()
        self.transport.close()

    def drain(self) -> None:
        """Take no more requests; close when the last answer is out."""
        if not self.streams and not self._closing:
            self.h2.close_connection()
            self.flush()
            self.transport.close()

    def abort(self) -> None:
        """Cut the connection."""
        self.transport.abort()


def _head(headers: Any) -> Head:
    """A stream's header block as a head; raises nginx.Bad."""
    pseudo = {name: value for name, value in headers if name.startswith(":")}
    fields: list[Field] = [(name, name, value) for name, value in headers if not name.startswith(":")]
    authority = pseudo.get(":authority")
    if authority is not None:
        fields = [("host", "Host", authority), *(field for field in fields if field[0] != "host")]
    target = pseudo.get(":path", "")
    if not target.startswith("/") or pseudo.get(":method") in ("TRACE", "CONNECT"):
        raise nginx.Bad(405 if target.startswith("/") else 400)
    path, query = nginx.normalise(target)
    head = Head(pseudo.get(":method", ""), target, path, query, (2, 0), fields)
    head.size = sum(len(name) + len(value) for name, value in headers)
    return _weighed(head)


def _weighed(head: Head) -> Head:
    for lower, _, value in head.fields:
        if lower == "host":
            head.named_host = value
            head.host = nginx.valid_host(value) or ""
        elif lower == "content-length":
            if not value.isdigit():
                raise nginx.Bad(400)
            head.length = int(value)
        elif lower == "x-real-ip":
            head.real_ip = value
        elif lower.startswith("x-forwarded-") or lower == "forwarded":
            head.forwarded = True
    if not head.host:
        raise nginx.Bad(400)
    return head


class StreamBody:
    """A request's body from DATA frames: as `RequestBody`; the stream's window holds back what nobody asked for.

    `stream_to` hands pieces on as they come (gRPC); otherwise they are gathered.
    """

    def __init__(self, connection: Http2Connection, stream_id: int) -> None:
        self._connection = connection
        self._stream_id = stream_id
        self._pieces: list[bytes] = []
        self._file: Any = None
        self._unacknowledged = 0
        self._wanted = False
        self._waiting: list[Callable[[Any], None]] = []
        self._to: Callable[[bytes, bool], None] | None = None
        self.complete = False
        self.failed = 0
        self.limit = 0
        self.size = 0
        self.rest = b""

    def feed(self, data: bytes, flow_controlled: int) -> None:
        """A DATA frame."""
        self.size += len(data)
        if self.limit and self.size > self.limit:
            self.failed = 413
            self.end()
        self._unacknowledged += flow_controlled
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

    def end(self) -> None:
        """The stream's end."""
        self.complete = True
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
        self._waiting.append(done)
        self.acknowledge()

    def stream_to(self, receive: Callable[[bytes, bool], None]) -> None:
        """Hand (piece, last) on from here; `acknowledge` asks for more."""
        early = self.content()
        self._pieces.clear()
        if early or self.complete:
            receive(early, self.complete)
        if not self.complete:
            self._to = receive

    def lost(self) -> None:
        """The client is gone."""
        self._waiting.clear()
        self._to = None

    def content(self) -> bytes:
        """What was gathered."""
        if self._file is not None:
            self._file.seek(0)
            return bytes(self._file.read())
        return b"".join(self._pieces)


class Http2Stream:
    """One request and its answer; the same to the pipeline as an HTTP/1 connection."""

    def __init__(self, connection: Http2Connection, stream_id: int) -> None:
        client = connection.client
        self.connection = connection
        self.stream_id = stream_id
        self.remote_addr, self.remote_port = client.remote_addr, client.remote_port
        self.server_addr, self.server_port = client.server_addr, client.server_port
        self.scheme, self.sni, self.tls, self.certificate = client.scheme, client.sni, client.tls, client.certificate
        self.head: Head = None  # type: ignore[assignment]
        self.body: StreamBody | None = None
        self.version = (2, 0)
        self.bodyless = False
        self.busy = True
        self.keep_alive = True
        self.state: Any = None
        self.unblocked: Callable[[], None] | None = None
        self._out: list[bytes] = []
        self._held = 0
        self._trailers: list[tuple[str, str]] | None = None
        self._ending = False

    def start(self, head: Head, *, ended: bool) -> None:
        """Begin the request."""
        self.head = head
        self.bodyless = head.method == "HEAD"
        if not ended:
            self.body = StreamBody(self.connection, self.stream_id)
            # a stream without a length is like a chunked body: it is sent on with the length it turns out to have
            head.chunked = head.length is None
        self.connection.listener.handler.request(self, head)

    def body_ended(self) -> None:
        """The client has sent all."""
        if self.body is not None and not self.body.complete:
            self.body.end()

    def want_body(self, done: Callable[[Any], None]) -> None:
        """Call `done` when the body is whole."""
        assert self.body is not None
        self.body.when_complete(done)

    async def read_body(self, limit: int) -> bytes:
        """The whole body; raises ExitNow(413) when it is longer than `limit`."""
        body = self.body
        if body is None:
            return b""
        body.limit = limit
        if limit and max(self.head.length or 0, body.size) > limit:
            raise ExitNow(Exit(413))
        here = asyncio.Event()
        self.want_body(lambda _: here.set())
        await here.wait()
        if body.failed:
            raise ExitNow(Exit(body.failed))
        return body.content()

    # -- the answer

    def send_head(self, status: int, line: str, fields: list[Field], body: bytes, last: bool) -> int:
        """Begin the answer; tells how many bytes that took, before compression."""
        if status in (204, 304):
            self.bodyless = True
        block = [(":status", str(status))]
        block += [(lower, value) for lower, _, value in fields if lower not in _CONNECTION_FIELDS]
        if self.bodyless:
            body = b""
        end = last and not body and self._trailers is None
        self._act(lambda: self.connection.h2.send_headers(self.stream_id, block, end_stream=end))
        size = sum(len(name) + len(value) for name, value in block)
        if end:
            self._finish()
        elif body or last:
            size += self.send_body(body, last)
        else:
            self.connection.flush()
        return size

    def send_unchanged(self, answer: Answer, own: list[Field], body: bytes, last: bool) -> int:
        """As `send_head`."""
        return self.send_head(answer.status, answer.line, own + answer.shown, body, last)

    def send_switch(self, upgrade: str, fields: list[Field]) -> None:
        """HTTP/2 has no upgrade: the stream ends."""
        self.close()

    def send_body(self, data: bytes, last: bool) -> int:
        """More of the answer; `last` ends it."""
        if self.bodyless:
            data = b""
        if data:
            self._out.append(data)
            self._held += len(data)
        self._ending = self._ending or last
        self.pump()
        return len(data)

    def trail(self, fields: list[tuple[str, str]]) -> None:
        """What to send behind the body."""
        self._trailers = fields

    @property
    def write_blocked(self) -> bool:
        """Whether the client takes too little."""
        return self._held > HIGH_WATER

    def pump(self) -> None:
        """Send as much as the windows allow."""
        if not self.busy:
            return
        self._act(self._send_out)
        if self._ending and not self._out and self.busy:
            self._act(self._end)
            self._finish()
            return
        self.connection.flush()
        if self.unblocked is not None and not self.write_blocked:
            unblocked, self.unblocked = self.unblocked, None
            unblocked()

    def _send_out(self) -> None:
        state = self.connection.h2
        while self._out and not self.connection.blocked:
            room = min(state.local_flow_control_window(self.stream_id), state.max_outbound_frame_size)
            if room <= 0:
                return
            piece = self._out[0]
            state.send_data(self.stream_id, piece[:room])
            self._held -= min(room, len(piece))
            if len(piece) > room:
                self._out[0] = piece[room:]
            else:
                del self._out[0]

    def _end(self) -> None:
        state = self.connection.h2
        if self._trailers is not None:
            state.send_headers(self.stream_id, self._trailers, end_stream=True)
        else:
            state.end_stream(self.stream_id)

    def _act(self, act: Callable[[], None]) -> None:
        """A stream that the client has closed meanwhile is no error."""
        try:
            act()
        except h2.exceptions.ProtocolError:
            self.gone()

    def _finish(self) -> None:
        self.busy = False
        self.state = None
        if self.body is not None and not self.body.complete:
            self._act(lambda: self.connection.h2.reset_stream(self.stream_id, h2.errors.ErrorCodes.NO_ERROR))
        self.connection.flush()
        self.connection.done(self.stream_id)

    # -- the end of it

    def gone(self) -> None:
        """The client reset the stream, or its connection is lost."""
        if not self.busy:
            return
        self.busy = False
        if self.body is not None:
            self.body.lost()
        self.connection.listener.handler.lost(self)
        self.state = None
        self.connection.done(self.stream_id)

    def close(self) -> None:
        """Cut the answer short."""
        if self.busy:
            self.busy = False
            self._act(lambda: self.connection.h2.reset_stream(self.stream_id, h2.errors.ErrorCodes.INTERNAL_ERROR))
            self.connection.flush()
            self.connection.done(self.stream_id)

    abort = close
