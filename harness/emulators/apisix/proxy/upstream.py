"""HTTP/1 on the upstream's side: pools of kept connections, and one connection that carries one request at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from harness.emulators.apisix.proxy import answer as answers
from harness.emulators.apisix.proxy.answer import Answer, BadAnswer, NotHttp
from harness.emulators.apisix.proxy.chunks import BadChunks, ChunkedDecoder
from harness.emulators.apisix.proxy.grpc import GrpcPool
from harness.emulators.apisix.proxy.outbox import Outbox
from harness.emulators.apisix.proxy.target import Target as Target

FOREVER = float("inf")
#: What may wait to be written to an upstream before a body is held back
HIGH_WATER = 65536
_known = answers.known
_IDLE, _HEAD, _LENGTH, _CHUNKED, _UNTIL_CLOSE, _TUNNEL = range(6)


class User(Protocol):
    """The request that a connection carries; told what comes of it."""

    #: how long an answer's head may be, in bytes
    longest_head: int

    def answered(self, answer: Answer, piece: bytes, last: bool) -> None:
        """The head is here, with the first piece of the body."""
        ...

    def more(self, piece: bytes, last: bool) -> None:
        """More of the body; after `last` the connection is somebody else's."""
        ...

    def broken(self, status: int, reason: str) -> None:
        """No (whole) answer will come: `status` 502 for an error, 504 when it took too long."""
        ...

    def writable(self) -> None:
        """The upstream takes more of the request's body."""
        ...


@dataclass(frozen=True, slots=True)
class Keepalive:
    """The upstream's keepalive_pool, with APISIX's defaults."""

    size: int = 320
    idle_timeout: float = 60.0
    requests: int = 1000


class Pool:
    """The kept connections to one target; the one used last is used next."""

    __slots__ = ("idle", "keepalive", "loop", "opened", "outbox", "target", "time")

    def __init__(self, target: Target, keepalive: Keepalive, loop: asyncio.AbstractEventLoop, outbox: Outbox) -> None:
        self.outbox = outbox
        self.target = target
        self.keepalive = keepalive
        self.loop = loop
        self.time = loop.time
        self.idle: list[UpstreamConnection] = []
        self.opened = 0

    def take(self) -> UpstreamConnection | None:
        """A kept connection, or None."""
        idle = self.idle
        while idle:
            connection = idle.pop()
            if not connection.transport.is_closing():
                return connection
        return None

    async def open(self, within: float) -> UpstreamConnection:
        """A new connection; raises OSError (ssl.SSLError too) or TimeoutError."""
        target = self.target
        async with asyncio.timeout(within):
            _, connection = await self.loop.create_connection(
                lambda: UpstreamConnection(self),
                target.host,
                target.port,
                ssl=target.tls,
                server_hostname=(target.server_name or target.host) if target.tls else None,
            )
        self.opened += 1
        return connection

    def release(self, connection: UpstreamConnection) -> None:
        """Keep a connection whose answer is complete, unless it has served enough or there are plenty."""
        keepalive = self.keepalive
        idle = self.idle
        if connection.served >= keepalive.requests or len(idle) >= keepalive.size:
            connection.transport.close()
            return
        idle.append(connection)
        if keepalive.idle_timeout != connection.read_timeout:
            # else the deadline of the request that it carried is as good
            connection.watch(keepalive.idle_timeout)

    def forget(self, connection: UpstreamConnection) -> None:
        """A connection closed."""
        if connection in self.idle:
            self.idle.remove(connection)

    def close(self) -> None:
        """Close what is idle."""
        for connection in self.idle:
            connection.transport.close()
        self.idle.clear()


class UpstreamConnection(asyncio.Protocol):
    """One connection to an upstream node."""

    __slots__ = (
        "_bodyless",
        "_buffer",
        "_deadline",
        "_decoder",
        "_left",
        "_mode",
        "_put",
        "_timer",
        "_timer_at",
        "keep",
        "pool",
        "read_timeout",
        "served",
        "transport",
        "tunnel",
        "uploading",
        "user",
    )

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self.user: User | None = None
        self.served = 0
        self.keep = True
        self.read_timeout = 60.0
        self.tunnel: Callable[[bytes], None] | None = None
        #: the request's body isn't all sent: whatever is answered, nobody else may use the connection
        self.uploading = False
        self._mode = _IDLE
        self._buffer = b""
        self._left = 0
        self._decoder: ChunkedDecoder | None = None
        self._bodyless = False
        self._deadline = FOREVER
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = FOREVER

    # -- asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: asyncio.Transport = transport  # type: ignore[assignment]
        self._put = self.transport.write

    def connection_lost(self, exc: Exception | None) -> None:
        if self._timer:
            self._timer.cancel()
        user = self.user
        if user is None:
            self.pool.forget(self)
            return
        self.keep = False
        if self._mode == _UNTIL_CLOSE and exc is None:
            self._complete()
            user.more(b"", True)
        else:
            self.user = None
            user.broken(502, str(exc) if exc else "the connection was closed")

    def data_received(self, data: bytes) -> None:
        mode = self._mode
        if mode == _HEAD:
            if not self._buffer:
                end = data.find(b"\r\n\r\n") + 4
                answer = _known(data[:end])
                if answer is not None and answer.length == len(data) - end and not self._bodyless and answer.final:
                    self._whole(answer, data[end:])
                    return
            self._head(data)
            return
        self._deadline = self.pool.time() + self.read_timeout
        if mode == _LENGTH:
            self._length(data)
        elif mode == _CHUNKED:
            self._chunks(data)
        elif mode == _UNTIL_CLOSE:
            assert self.user is not None
            self.user.more(data, False)
        elif mode == _TUNNEL:
            assert self.tunnel is not None
            self.tunnel(data)
        else:
            # nobody asked: what follows an answer is not one to the next request
            self.transport.abort()

    def eof_received(self) -> bool:
        return False

    def resume_writing(self) -> None:
        if self.user is not None:
            self.user.writable()

    # -- the request

    def request(
        self, user: User, data: bytes, bodyless: bool, read_timeout: float, now: float, whole: bool = True
    ) -> None:
        """Send a request (its head and its body); `bodyless` says that HEAD was asked, `now` is the loop's time.

        Nothing is written behind one that is `whole`.
        """
        self.user = user
        self.served += 1
        self.keep = True
        self.uploading = False
        self._bodyless = bodyless
        self._mode = _HEAD
        self.read_timeout = read_timeout
        if whole:
            self.pool.outbox.put(self._put, data)
        else:
            self.transport.write(data)
        self._deadline = deadline = now + read_timeout
        if deadline < self._timer_at:
            self._wake_at(deadline)

    @property
    def takes(self) -> bool:
        """Whether most of what was written is out."""
        return self.transport.get_write_buffer_size() <= HIGH_WATER

    def upload(self, data: bytes, last: bool) -> None:
        """More of the request's body. The upstream has its time for each piece; the client's is not its own."""
        if data:
            self.transport.write(data)
        self.uploading = not last
        if last or not self.takes:
            self.watch(self.read_timeout)
        else:
            self._deadline = FOREVER

    def stir(self) -> None:
        """The tunnel's other side spoke: both have their time again (ngx_http_upstream_process_upgraded)."""
        self._deadline = self.pool.time() + self.read_timeout

    def watch(self, seconds: float) -> None:
        """Give the connection that long from now."""
        self._deadline = deadline = self.pool.time() + seconds
        self._wake_at(deadline)

    def _wake_at(self, deadline: float) -> None:
        """One timer serves many requests, since most deadlines only move on."""
        if deadline < self._timer_at:
            if self._timer:
                self._timer.cancel()
            self._timer_at = deadline
            self._timer = self.pool.loop.call_at(deadline, self._tick)

    def _tick(self) -> None:
        self._timer = None
        self._timer_at = FOREVER
        left = self._deadline - self.pool.time()
        if left > 0.0005:
            if self._deadline < FOREVER:
                self.watch(left)
            return
        user, self.user = self.user, None
        self.transport.abort()
        if user is None:
            self.pool.forget(self)
        else:
            user.broken(504, "no answer in time")

    # -- the answer

    def _head(self, data: bytes) -> None:
        if self._buffer:
            data = self._buffer + data
            self._buffer = b""
        user = self.user
        assert user is not None
        try:
            parsed = answers.parse(data)
        except NotHttp:
            self._http09(user, data)
            return
        except BadAnswer as error:
            self._drop(str(error))
            return
        if (parsed[1] if parsed else len(data) + 1) > user.longest_head:
            self._drop("the head is too big")
            return
        if parsed is None:
            self._buffer = data
            self._deadline = self.pool.time() + self.read_timeout
            return
        answer, size = parsed
        rest = data[size:]
        if 100 <= answer.status < 200 and answer.status != 101:
            self._again(rest)
            return
        self.keep = answer.keep_alive
        self._frame(user, answer, rest)

    def _whole(self, answer: Answer, body: bytes) -> None:
        """By far the most answers: whole, in one piece, with a head seen before."""
        user = self.user
        assert user is not None
        self.user = None
        self._mode = _IDLE
        self.keep = answer.keep_alive
        if answer.keep_alive and not self.uploading:
            # before the request goes on, so that it finds the connection
            self.pool.release(self)
        else:
            self.transport.close()
        user.answered(answer, body, True)

    def _again(self, rest: bytes) -> None:
        """An interim answer (100, 103) is passed over."""
        if rest:
            self._head(rest)

    def _http09(self, user: User, data: bytes) -> None:
        """No status line: nginx passes such an answer on as HTTP/0.9."""
        self.keep = False
        answer = Answer(200, "", (0, 9), [])
        if self._bodyless:
            self._complete()
            user.answered(answer, b"", True)
            return
        self._mode = _UNTIL_CLOSE
        user.answered(answer, data, False)

    def _drop(self, reason: str) -> None:
        user, self.user = self.user, None
        self._mode = _IDLE
        self.transport.abort()
        if user is not None:
            user.broken(502, reason)

    def _frame(self, user: User, answer: Answer, rest: bytes) -> None:
        """Choose how the body ends; most answers come whole, and are passed on whole."""
        length = answer.length
        if answer.status == 101:
            self._mode = _TUNNEL
            self.watch(self.read_timeout)
            user.answered(answer, b"" if self._bodyless else rest, False)
        elif self._bodyless or answer.status in (204, 304):
            # what follows can't be this answer's, and mustn't be the next one's
            self.keep = self.keep and not rest
            self._complete()
            user.answered(answer, b"", True)
        elif length is not None:
            if len(rest) >= length:
                self.keep = self.keep and len(rest) == length
                self._complete()
                user.answered(answer, rest[:length] if len(rest) > length else rest, True)
            else:
                self._mode = _LENGTH
                self._left = length - len(rest)
                user.answered(answer, rest, False)
        elif answer.chunked:
            self._first_chunks(user, answer, rest)
        else:
            self.keep = False
            self._mode = _UNTIL_CLOSE
            user.answered(answer, rest, False)

    def _length(self, data: bytes) -> None:
        user = self.user
        assert user is not None
        left = self._left - len(data)
        if left > 0:
            self._left = left
            user.more(data, False)
            return
        if left < 0:
            self.keep = False
            data = data[:left]
        self._complete()
        user.more(data, True)

    def _first_chunks(self, user: User, answer: Answer, rest: bytes) -> None:
        self._mode = _CHUNKED
        self._decoder = decoder = ChunkedDecoder()
        try:
            piece = decoder.feed(rest)
        except BadChunks as error:
            # the head was good: it is under way when the body turns out not to be
            user.answered(answer, b"", False)
            self._drop(str(error))
            return
        if decoder.rest:
            self.keep = False
        if decoder.done:
            self._complete()
        user.answered(answer, piece, decoder.done)

    def _chunks(self, data: bytes) -> None:
        user, decoder = self.user, self._decoder
        assert user is not None and decoder is not None
        piece = self._decode(decoder, data)
        if piece is None:
            return
        if decoder.done:
            self._complete()
        if piece or decoder.done:
            user.more(piece, decoder.done)

    def _decode(self, decoder: ChunkedDecoder, data: bytes) -> bytes | None:
        try:
            piece = decoder.feed(data)
        except BadChunks as error:
            self._drop(str(error))
            return None
        if decoder.rest:
            self.keep = False
        return piece

    def _complete(self) -> None:
        """The answer is whole: give the connection back before the request goes on, so that it finds it."""
        self.user = None
        self._mode = _IDLE
        if self.keep and not self.uploading:
            self.pool.release(self)
        elif not self.transport.is_closing():
            self.transport.close()

    def pause(self) -> None:
        """The client doesn't take more at the moment."""
        self.transport.pause_reading()

    def resume(self) -> None:
        """The client takes more again."""
        self.transport.resume_reading()

    def leave(self) -> None:
        """The request wants nothing more: the connection ends with it."""
        self.user = None
        self.tunnel = None
        self.transport.abort()


class Pools:
    """All pools of one worker."""

    __slots__ = ("_grpc", "_outbox", "_pools", "loop", "trusted")

    def __init__(self, loop: asyncio.AbstractEventLoop, trusted: tuple[str, ...] = ("system",)) -> None:
        """`trusted` are the authorities by which plugins' own requests are verified: files, "system" for its own."""
        self.loop = loop
        self._outbox = Outbox(loop)
        self.trusted = trusted
        self._grpc: dict[Target, GrpcPool] = {}
        self._pools: dict[Any, Pool] = {}

    def get(self, target: Target, keepalive: Keepalive) -> Pool:
        """The pool of a target."""
        key = (target, keepalive)
        pool = self._pools.get(key)
        if pool is None:
            pool = self._pools[key] = Pool(target, keepalive, self.loop, self._outbox)
        return pool

    def grpc(self, target: Target) -> GrpcPool:
        """The gRPC connection to a target."""
        pool = self._grpc.get(target)
        if pool is None:
            pool = self._grpc[target] = GrpcPool(target, self.loop)
        return pool

    def close(self) -> None:
        """Close every idle connection."""
        for grpc in self._grpc.values():
            grpc.close()
        for pool in self._pools.values():
            pool.close()
