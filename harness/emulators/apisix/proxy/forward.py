"""The way to the upstream: tries at nodes, time-outs, trying again, back-pressure."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from harness.emulators.apisix.context import Context, Try
from harness.emulators.apisix.proxy.answer import BUFFER
from harness.emulators.apisix.proxy.grpc import GrpcCall, GrpcConnection, GrpcPool, call_headers
from harness.emulators.apisix.proxy.http2_body import StreamBody
from harness.emulators.apisix.proxy.outgoing import CHUNKED, request_head
from harness.emulators.apisix.proxy.upload import HeldUpload, StreamUpload
from harness.emulators.apisix.proxy.upstream import Pool, UpstreamConnection

if TYPE_CHECKING:
    from harness.emulators.apisix.balance.node import Node
    from harness.emulators.apisix.data_plane import DataPlane
    from harness.emulators.apisix.proxy.listener import Exchange
    from harness.emulators.apisix.upstream import Upstream

_GRPC: Final = frozenset({"grpc", "grpcs"})
#: proxy_next_upstream without "non_idempotent": not sent again once it may have arrived
_NOT_REPEATED: Final = frozenset({"POST", "LOCK", "PATCH"})
NO_UPGRADE: Final = ("", "")


class Forward:
    """The upstream half of a request, and the base of its journey, so that one request is one object.

    `forward` sends it; the connection tells `answered` and `more` (the journey's), or `broken`. When no node is left,
    `failed` is called; when an answer breaks off, `cut`.
    """

    __slots__ = (
        "asked",
        "attempt",
        "body",
        "connection",
        "ctx",
        "deadline",
        "exchange",
        "forwarded",
        "gateway",
        "head_seen",
        "host",
        "left",
        "node",
        "now",
        "sent",
        "stream",
        "tried",
        "upgrade",
        "upload",
        "upstream",
    )

    longest_head = BUFFER
    ctx: Context
    exchange: Exchange
    gateway: DataPlane
    #: the loop's time
    now: Callable[[], float]
    upstream: Upstream
    node: Node
    attempt: Try
    #: set from the moment a node is picked until the answer is whole: there is something to cancel
    forwarded: bool
    connection: UpstreamConnection | GrpcCall | None
    body: bytes | None
    #: a gRPC call's body, handed on as it comes
    stream: StreamBody | None
    #: a body that is too long to be kept in memory, or that nobody gathers
    upload: HeldUpload | StreamUpload | None
    upgrade: tuple[str, str]
    tried: list[Node] | None

    def forward(self, body: bytes | None, named_host: str, *, websocket: bool) -> None:
        """Send the request to `node`; `body` None for none, `named_host` the client's Host as it came ("" for none)."""
        ctx = self.ctx
        upstream = self.upstream
        self.host = upstream.host_for(ctx, self.node, named_host)
        self.body = body
        self.left = upstream.tries
        self.deadline = 0.0
        self.tried = None
        self.head_seen = False
        self.upgrade = NO_UPGRADE
        if websocket:
            self.upgrade = ctx.headers.get("upgrade") or "", ctx.headers.get("connection") or ""
        if upstream.retry_timeout and self.left > 1:
            self.deadline = self.now() + upstream.retry_timeout
        self._try()

    @property
    def calls(self) -> bool:
        """Whether the upstream speaks gRPC."""
        return (self.ctx.upstream_scheme or self.upstream.scheme) in _GRPC

    def _try(self) -> None:
        ctx = self.ctx
        self.left -= 1
        if self.calls:
            self._try_grpc()
            return
        pool, address = self.upstream.pool(self.node, ctx, self.host)
        self.attempt = attempt = Try(address)
        ctx.tries.append(attempt)
        self.asked = now = self.now()
        connection = pool.take()
        if connection is not None:
            attempt.connect_time = 0.0
            self._send(connection, now)
        else:
            self.connect(pool, attempt)

    def connect(self, pool: Pool, attempt: Try) -> None:
        """No connection is kept: open one, and go on with it."""
        self.sent = False
        self.gateway.loop.create_task(self._connect(pool, attempt))

    async def _connect(self, pool: Pool, attempt: Try) -> None:
        timeout = self.timeouts()[0]
        try:
            connection = await pool.open(timeout)
        except TimeoutError:
            self._failed(504, f"no connection within {timeout:g} s")
            return
        except (OSError, ValueError) as error:  # ValueError: a Host that no server name can be
            self._failed(502, str(error))
            return
        now = self.now()
        attempt.connect_time = now - self.asked
        if self.forwarded:
            self._send(connection, now)
        else:
            pool.release(connection)

    def _try_grpc(self) -> None:
        pool = self.upstream.grpc_pool(self.node, self.ctx, self.host)
        self.attempt = attempt = Try(self.node.address)
        self.ctx.tries.append(attempt)
        self.asked = self.now()
        self.sent = False
        connection = pool.ready()
        if connection is not None:
            self._call(connection)
        else:
            self.gateway.loop.create_task(self._connect_grpc(pool, attempt))

    async def _connect_grpc(self, pool: GrpcPool, attempt: Try) -> None:
        timeout = self.timeouts()[0]
        try:
            connection = await pool.open(timeout)
        except TimeoutError:
            self._failed(504, f"no connection within {timeout:g} s")
            return
        except (OSError, ValueError) as error:  # ValueError: a Host that no server name can be
            self._failed(502, str(error))
            return
        attempt.connect_time = self.now() - self.asked
        if self.forwarded:
            self._call(connection)

    def _call(self, connection: GrpcConnection) -> None:
        ctx = self.ctx
        self.sent = True
        scheme = "https" if (ctx.upstream_scheme or self.upstream.scheme) == "grpcs" else "http"
        path = ctx.upstream_uri or ctx.target
        headers = call_headers(ctx.upstream_method or ctx.method, path, scheme, self.host, ctx.headers.items)
        body, stream = self.body, self.stream
        try:
            call = connection.begin(self, headers, self.timeouts()[2], end=stream is None and not body)
        except ConnectionError as error:
            self.sent = False
            self._failed(502, str(error))
            return
        self.connection = call
        if stream is not None:
            call.taken = stream.acknowledge
            stream.stream_to(lambda data, last: self.failed(stream.failed) if stream.failed else call.send(data, last))
        elif body:
            call.send(body, True)

    def trailed(self, fields: list[tuple[str, str]]) -> None:
        """Trailers, just before the end."""
        raise NotImplementedError

    def timeouts(self) -> tuple[float, float, float]:
        route = self.ctx.route
        return (route.timeouts if route is not None else None) or self.upstream.timeouts

    def _send(self, connection: UpstreamConnection, now: float) -> None:
        self.connection = connection
        self.sent = True
        ctx = self.ctx
        body = self.body
        upload = self.upload
        length = None if body is None else len(body)
        if upload is not None:
            length = CHUNKED if upload.length is None else upload.length
        upgrade, wanted = self.upgrade
        data = request_head(ctx, self.exchange.head, self.host, length, upgrade, wanted)
        if body:
            data += body
        bodyless = (ctx.upstream_method or ctx.method) == "HEAD"
        connection.request(self, data, bodyless, self.timeouts()[2], now, whole=False)
        if upload is not None:
            upload.begin(connection)

    # -- what the connection tells; `answered` is the journey's own, and begins with `note_head`

    def answered(self, answer: Any, piece: bytes, last: bool) -> None:
        """The head of the answer."""
        raise NotImplementedError

    def more(self, piece: bytes, last: bool) -> None:
        """More of its body."""
        raise NotImplementedError

    def note_head(self, status: int, last: bool) -> None:
        """The head of the answer is here; with `last` all of it."""
        attempt = self.attempt
        attempt.status = status
        self.head_seen = True
        attempt.header_time = seconds = self.now() - self.asked
        if last:
            attempt.response_time = seconds
            self.forwarded = False
            self.connection = None
            if self.upload is not None:
                self.upload.end()
            if self.upstream.tells:
                self.upstream.done(self.node, attempt, final=True)

    def note_end(self) -> None:
        """The answer is whole, or as much of it as will come."""
        attempt = self.attempt
        attempt.response_time = self.now() - self.asked
        self.forwarded = False
        self.connection = None
        if self.upload is not None:
            self.upload.end()
        self.upstream.done(self.node, attempt, final=True)

    def broken(self, status: int, reason: str) -> None:
        """The connection ended without a whole answer."""
        self.connection = None
        if self.head_seen:
            self.note_end()
            self.cut()
        else:
            self._failed(status, reason)

    def writable(self) -> None:
        """The upstream takes more of the request's body."""
        if self.upload is not None:
            self.upload.go_on()

    def cut(self) -> None:
        """The answer broke off after it had begun."""
        raise NotImplementedError

    def failed(self, status: int) -> None:
        """No node gave an answer: 502 or 504."""
        raise NotImplementedError

    # -- trying again

    def _failed(self, status: int, reason: str) -> None:
        attempt = self.attempt
        attempt.status = status
        attempt.error = reason
        attempt.response_time = self.now() - self.asked
        if self.upload is not None:
            self.upload.end()
        if not self.forwarded:
            return
        failed = self.node
        node = self._next()
        self.upstream.done(failed, attempt, final=node is None)
        if node is not None:
            self.node = node
            self._try()
            return
        self.forwarded = False
        self.failed(502 if self.ctx.gave_up else status)

    def _next(self) -> Node | None:
        ctx = self.ctx
        if self.left <= 0 or (self.sent and (ctx.upstream_method or ctx.method) in _NOT_REPEATED):
            return None
        if self.sent and self.upload is not None and not self.upload.repeatable:
            return None
        self.tried = [*(self.tried or ()), self.node]
        late = self.deadline and self.now() > self.deadline
        node = None if late else self.upstream.next_node(ctx, self.tried)
        # balancer.lua's own 502: a try was left, but no node or no time for it
        ctx.gave_up = node is None
        if node is not None and self.upstream.pass_host == "node":
            self.host = self.upstream.host_for(ctx, node, "")
        return node

    # -- back-pressure and giving up

    def pause(self) -> None:
        """The client doesn't take more at the moment."""
        if self.connection is not None:
            self.connection.pause()

    def resume(self) -> None:
        """The client takes more again."""
        if self.connection is not None:
            self.connection.resume()

    def cancel(self) -> None:
        """Nobody waits for the answer any more."""
        if not self.forwarded:
            return
        self.forwarded = False
        if self.upload is not None:
            self.upload.end()
        connection, self.connection = self.connection, None
        if connection is not None:
            connection.leave()
