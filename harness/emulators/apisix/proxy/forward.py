"""One request on its way to the upstream: picking nodes, trying again, and handing the answer back."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, Protocol

from harness.emulators.apisix.context import Context, Try
from harness.emulators.apisix.proxy.answer import Answer
from harness.emulators.apisix.proxy.http1 import ServerConnection
from harness.emulators.apisix.proxy.outgoing import request_head
from harness.emulators.apisix.proxy.upstream import Pool, UpstreamConnection

if TYPE_CHECKING:
    from harness.emulators.apisix.balance.node import Node
    from harness.emulators.apisix.compiled import Upstream

#: proxy_next_upstream without "non_idempotent": not sent again once it may have arrived
_NOT_REPEATED: Final = frozenset({"POST", "LOCK", "PATCH"})


class Owner(Protocol):
    """The journey that a forward belongs to."""

    ctx: Context
    exchange: ServerConnection

    def answered(self, answer: Answer, piece: bytes, last: bool) -> None:
        """The upstream's head, once."""
        ...

    def more(self, piece: bytes, last: bool) -> None:
        """More of its body."""
        ...

    def failed(self, status: int) -> None:
        """No node gave an answer: 502 or 504."""
        ...

    def cut(self) -> None:
        """The answer broke off after it had begun."""
        ...


class Forward:
    """The tries of one request. `start` with a picked node; the owner hears of the outcome."""

    __slots__ = (
        "_asked",
        "_body",
        "_connection",
        "_deadline",
        "_done",
        "_head_seen",
        "_host",
        "_left",
        "_loop",
        "_node",
        "_owner",
        "_sent",
        "_tried",
        "_try",
        "_upgrade",
        "upstream",
    )

    def __init__(self, owner: Owner, upstream: Upstream, node: Node, loop: asyncio.AbstractEventLoop) -> None:
        self._owner = owner
        self.upstream = upstream
        self._node = node
        self._tried: list[Node] = []
        self._loop = loop
        self._left = upstream.tries
        self._connection: UpstreamConnection | None = None
        self._done = False
        self._head_seen = False
        self._deadline = 0.0
        self._sent = False
        self._host = ""
        self._body: bytes | None = None
        self._upgrade = ("", "")
        self._asked = 0.0

    def start(self, body: bytes | None, named_host: str, *, websocket: bool) -> None:
        """Send the request: `body` None for none, `named_host` the client's Host header as it came ("" for none)."""
        ctx = self._owner.ctx
        upstream = self.upstream
        self._host = upstream.host_for(ctx, self._node, named_host)
        self._body = body
        if websocket:
            headers = ctx.headers
            self._upgrade = headers.get("upgrade") or "", headers.get("connection") or ""
        if upstream.retry_timeout and self._left > 1:
            self._deadline = self._loop.time() + upstream.retry_timeout
        self._attempt(self._node)

    def _attempt(self, node: Node) -> None:
        ctx = self._owner.ctx
        self._node = node
        self._left -= 1
        pool, address = self.upstream.pool(node, ctx, self._host)
        self._try = attempt = Try(address)
        ctx.tries.append(attempt)
        self._asked = self._loop.time()
        self._sent = False
        connection = pool.take()
        if connection is not None:
            attempt.connect_time = 0.0
            self._send(connection)
        else:
            self._loop.create_task(self._connect(pool, attempt))

    async def _connect(self, pool: Pool, attempt: Try) -> None:
        timeout = self._timeouts()[0]
        try:
            connection = await pool.open(timeout)
        except TimeoutError:
            self._failed(504, f"no connection within {timeout:g} s")
            return
        except OSError as error:
            self._failed(502, str(error))
            return
        attempt.connect_time = self._loop.time() - self._asked
        if self._done:
            pool.release(connection)
            return
        self._send(connection)

    def _timeouts(self) -> tuple[float, float, float]:
        route = self._owner.ctx.route
        return (route.timeouts if route is not None else None) or self.upstream.timeouts

    def _send(self, connection: UpstreamConnection) -> None:
        self._connection = connection
        self._sent = True
        ctx = self._owner.ctx
        body = self._body
        upgrade, wanted = self._upgrade
        data = request_head(ctx, self._host, None if body is None else len(body), upgrade, wanted)
        if body:
            data += body
        connection.request(
            self,
            data,
            bodyless=(ctx.upstream_method or ctx.method) == "HEAD",
            read_timeout=self._timeouts()[2],
        )

    # -- what the connection tells

    def answered(self, answer: Answer, piece: bytes, last: bool) -> None:
        """The head of the answer."""
        attempt = self._try
        attempt.status = answer.status
        attempt.header_time = self._loop.time() - self._asked
        self._head_seen = True
        if last:
            self._over(attempt)
        self._owner.answered(answer, piece, last)

    def more(self, piece: bytes, last: bool) -> None:
        """More of the body."""
        if last:
            self._over(self._try)
        self._owner.more(piece, last)

    def _over(self, attempt: Try) -> None:
        attempt.response_time = self._loop.time() - self._asked
        self._connection = None
        self._done = True
        self.upstream.done(self._node, attempt, final=True)

    def broken(self, status: int, reason: str) -> None:
        """The connection ended without a whole answer."""
        self._connection = None
        if self._head_seen:
            self._over(self._try)
            self._owner.cut()
        else:
            self._failed(status, reason)

    def writable(self) -> None:
        """The request's body goes out in one piece: there is nothing more to write."""

    # -- trying again

    def _failed(self, status: int, reason: str) -> None:
        attempt = self._try
        attempt.status = status
        attempt.error = reason
        attempt.response_time = self._loop.time() - self._asked
        if self._done:
            return
        failed = self._node
        node = self._next(status)
        self.upstream.done(failed, attempt, final=node is None)
        if node is not None:
            self._attempt(node)
            return
        self._done = True
        self._owner.failed(status)

    def _next(self, status: int) -> Node | None:
        ctx = self._owner.ctx
        if self._left <= 0 or (self._sent and (ctx.upstream_method or ctx.method) in _NOT_REPEATED):
            return None
        if self._deadline and self._loop.time() > self._deadline:
            return None
        self._tried.append(self._node)
        node = self.upstream.next_node(ctx, self._tried)
        if node is not None and self.upstream.pass_host == "node":
            self._host = self.upstream.host_for(ctx, node, "")
        return node

    # -- back-pressure and giving up

    def pause(self) -> None:
        """The client doesn't take more at the moment."""
        if self._connection is not None:
            self._connection.transport.pause_reading()

    def resume(self) -> None:
        """The client takes more again."""
        if self._connection is not None:
            self._connection.transport.resume_reading()

    def cancel(self) -> None:
        """The client is gone."""
        if self._done:
            return
        self._done = True
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.leave()

    @property
    def connection(self) -> UpstreamConnection | None:
        """The connection in use (for a tunnel)."""
        return self._connection
