"""One stream of an HTTP/2 connection: a request and its answer, the same to the pipeline as an HTTP/1 connection."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import h2.errors
import h2.exceptions

from harness.emulators.apisix.context import Exit, ExitNow
from harness.emulators.apisix.proxy.answer import Answer
from harness.emulators.apisix.proxy.head import Field, Head
from harness.emulators.apisix.proxy.http2_body import StreamBody

if TYPE_CHECKING:
    from harness.emulators.apisix.proxy.http2 import Http2Connection

#: What a stream may hold for a client that doesn't read, before the upstream is held back
HIGH_WATER = 65536
#: What HTTP/2 has no place for (RFC 9113, 8.2.2)
_CONNECTION_FIELDS = frozenset({"connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"})
_FOREVER = float("inf")


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
        self._taken_by = _FOREVER
        #: the client has ended its side
        self.all_here = False

    def start(self, head: Head) -> None:
        """Begin the request."""
        self.head = head
        self.bodyless = head.method == "HEAD"
        if not self.all_here:
            self.body = StreamBody(self.connection, self.stream_id, head.length)
            # a stream without a length is like a chunked body: it is sent on with the length it turns out to have
            head.chunked = head.length is None
        self.connection.listener.handler.request(self, head)

    def body_ended(self) -> None:
        """The client has sent all."""
        self.all_here = True
        if self.body is not None and not self.body.complete:
            self.body.end()

    def want_body(self, done: Callable[[Any], None]) -> None:
        """Call `done` when the body is whole."""
        assert self.body is not None
        self.body.when_complete(done)

    def go_ahead(self) -> None:
        """nginx says no 100 over HTTP/2."""

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
        block = [(b":status", b"%d" % status)]
        block += [_bytes(lower, value) for lower, _, value in fields if lower not in _CONNECTION_FIELDS]
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

    def send_switch(self, line: str, fields: list[Field]) -> None:
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
    def answering(self) -> bool:
        """Whether there is content that waits for the client."""
        return bool(self._out)

    @property
    def deadline(self) -> float:
        """When the client has been waited for long enough."""
        body = self.body
        return min(self._taken_by, body.deadline) if body is not None else self._taken_by

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
        held = self._held
        while self._out and not self.connection.blocked:
            room = min(state.local_flow_control_window(self.stream_id), state.max_outbound_frame_size)
            if room <= 0:
                break
            piece = self._out[0]
            state.send_data(self.stream_id, piece[:room])
            self._held -= min(room, len(piece))
            if len(piece) > room:
                self._out[0] = piece[room:]
            else:
                del self._out[0]
        if not self._out:
            self._taken_by = _FOREVER
        elif self._held < held or self._taken_by == _FOREVER:
            listener = self.connection.listener
            self._taken_by = listener.now + listener.patience.send_timeout

    def _end(self) -> None:
        state = self.connection.h2
        if self._trailers is not None:
            state.send_headers(self.stream_id, [_bytes(*field) for field in self._trailers], end_stream=True)
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
        if not self.all_here:
            # nginx: what more comes of a body that nobody wants is no part of any request
            self.connection.reset(self.stream_id, h2.errors.ErrorCodes.NO_ERROR)
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

    def timed_out(self) -> None:
        """The client neither sends nor takes: nginx resets the stream."""
        if self.body is not None and not self.body.complete and self.state is not None:
            self.state.timed_out()
        self.connection.reset(self.stream_id, h2.errors.ErrorCodes.INTERNAL_ERROR)
        self.gone()

    def close(self) -> None:
        """Cut the answer short."""
        if self.busy:
            self.busy = False
            self.connection.reset(self.stream_id, h2.errors.ErrorCodes.INTERNAL_ERROR)
            self.connection.done(self.stream_id)

    abort = close


def _bytes(name: str, value: str) -> tuple[bytes, bytes]:
    """A field as it came: Latin-1, where h2 would write UTF-8."""
    return name.encode("latin-1", "replace"), value.encode("latin-1", "replace")
