"""The request's way through the gateway, phase by phase, as one visible list of steps."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final

from harness.emulators.apisix import media_types, pages
from harness.emulators.apisix.context import Context, Encoder, Exit, ExitNow, Try, bytes_of
from harness.emulators.apisix.proxy.body import RequestBody
from harness.emulators.apisix.proxy.dates import http_date
from harness.emulators.apisix.proxy.forward import NO_UPGRADE, Forward
from harness.emulators.apisix.proxy.http1 import ServerConnection
from harness.emulators.apisix.proxy.http2_body import StreamBody
from harness.emulators.apisix.proxy.outgoing import request_head
from harness.emulators.apisix.proxy.tunnel import Tunnel
from harness.emulators.apisix.proxy.upload import FileUpload, StreamUpload
from harness.emulators.apisix.proxy.upstream import UpstreamConnection

if TYPE_CHECKING:
    from harness.emulators.apisix.compiled import Plan, Steps, Upstream
    from harness.emulators.apisix.data_plane import DataPlane
    from harness.emulators.apisix.proxy.answer import Answer
    from harness.emulators.apisix.proxy.listener import Exchange

log = logging.getLogger(__name__)

_NOT_FOUND: Final = Exit(404, {"error_msg": "404 Route Not Found"})
_PLAIN: Final = ("content-type", "Content-Type", "text/plain; charset=utf-8")
#: What only the upstream's answer may say of itself
_FRAMING: Final = frozenset({"content-type", "content-length", "date"})
_ROUTE_CLIENT_GONE: Final = 499
_REQUEST_TIME_OUT: Final = 408
#: nginx's own status: the connection is closed without an answer
_NO_ANSWER: Final = 444


class Journey(Forward):
    """One request from its head to its log. The methods stand in the order in which they are run:

    begin → match → global rewrite → rewrite → consumer's rewrite → global access → access → pick a node →
    before_proxy → forward (read the body, try nodes) → header_filter → body_filter → log.
    """

    __slots__ = ("_encoder", "_filters", "_gathered", "_plan", "_started_answer", "over")

    def __init__(self, gateway: DataPlane, exchange: Exchange, ctx: Context) -> None:
        self.gateway = gateway
        self.exchange = exchange
        self.ctx = ctx
        self.now = gateway.now
        #: whose header_filter, body_filter and log run: nobody's until a plan's first phase
        self._plan: Plan = gateway.nothing
        self._filters: Plan = gateway.nothing
        self.connection = self.stream = self.upload = None
        self._gathered: dict[int, list[bytes]] | None = None
        self._encoder: Encoder | None = None
        self.forwarded = self.over = self._started_answer = False

    # -- match

    def begin(self) -> None:
        """Find the route and run its plan."""
        ctx = self.ctx
        if ctx.client.scheme == "https" and self.gateway.untrusted(ctx):
            self.exit(Exit(400))
            return
        router = self.gateway.router
        if router.wants_body(ctx):
            self._wait(self._match_with_body())
            return
        try:
            route = router.match(ctx)
        except Exception as error:
            self._raised(error, "match")
            return
        self._matched(route)

    async def _match_with_body(self) -> None:
        await self.ctx.read_body()
        self._matched(self.gateway.router.match(self.ctx))

    def _matched(self, route: Any) -> None:
        compiler = self.gateway.compiler
        if route is None:
            self._plan = compiler.unmatched()
            self._global_rewrite()
            return
        plan = route.plan
        if plan is None or plan.generation != compiler.generation:
            plan = compiler.plan(route)
        self.ctx.route = route
        self.take(plan)

    def take(self, plan: Plan) -> None:
        """Run the plan of the route that was found."""
        self._plan = plan
        if plan.direct:
            self._filters = plan
            self._go()
        elif plan.refusal is not None:
            self.exit(plan.refusal)
        else:
            self._global_rewrite()

    # -- rewrite

    def _global_rewrite(self) -> None:
        plan = self._plan
        if plan.global_rewrite:
            self._filters = plan.globals_only
            if not self._run("rewrite", plan.global_rewrite, 0, Journey._rewrite):
                return
        self._rewrite()

    def _rewrite(self) -> None:
        plan = self._plan
        self._filters = plan
        if plan.rewrite and not self._run("rewrite", plan.rewrite, 0, Journey._consumer):
            return
        self._consumer()

    def _consumer(self) -> None:
        """Plugins of the consumer that was found join those of the route."""
        consumer = self.ctx.consumer
        if consumer is not None:
            plan = self._plan
            held = plan.consumers.get(id(consumer))
            if held is not None and held[0] is consumer and held[1] is plan:
                # seen before: its credentials alone, which have done their work
                self._access()
                return
            merged = self.gateway.compiler.with_consumer(plan, consumer)
            if isinstance(merged, Exit):
                self.exit(merged)
                return
            if merged is not plan:
                self._plan = self._filters = merged
                if not self._run("rewrite", merged.consumer_rewrite, 0, Journey._access):
                    return
        self._access()

    # -- access

    def _access(self) -> None:
        access = self._plan.access
        if access and not self._run("access", access, 0, Journey._go):
            return
        self._go()

    # -- proxy

    def _go(self) -> None:
        """Turn to the upstream: straight, where there is no body and no plugin has changed where it goes."""
        plan = self._plan
        ctx = self.ctx
        exchange = self.exchange
        if plan.straight is None or exchange.body is not None or exchange.head.length is not None:
            self._pick()
        elif plan.direct or (
            ctx.upstream is None
            and ctx.body is None
            and not ctx.upstream_scheme
            and not ctx.upstream_method
            and ctx.said is None
        ):
            self._straight(plan.straight)
        else:
            self._pick()

    def _straight(self, upstream: Upstream) -> None:
        """The shortest way: no body, an upstream that needs no looking for."""
        ctx = self.ctx
        ctx.upstream = self.upstream = upstream
        node = upstream.pick(ctx)
        if isinstance(node, Exit):
            self.exit(node)
            return
        self.node = node
        self.forwarded = True
        head = self.exchange.head
        host = self.host = upstream.host_for(ctx, node, head.named_host)
        self.left = upstream.tries - 1
        self.deadline = 0.0
        self.body = self.tried = None
        self.head_seen = False
        self.upgrade = NO_UPGRADE
        pool, address = upstream.way(node)
        self.attempt = attempt = Try(address)
        ctx.tries.append(attempt)
        self.asked = now = self.now()
        connection = pool.take()
        if connection is None:
            self.connect(pool, attempt)
            return
        attempt.connect_time = 0.0
        self.connection = connection
        self.sent = True
        data = request_head(ctx, head, host, None, "", "")
        connection.request(self, data, head.bodyless, self.timeouts()[2], now, whole=True)

    def _pick(self) -> None:
        """Choose the upstream and its first node."""
        ctx = self.ctx
        if ctx.route is None:
            self.exit(_NOT_FOUND)
            return
        upstream = ctx.upstream or self._plan.upstream
        if isinstance(upstream, Exit):
            self.exit(upstream)
            return
        ctx.upstream = self.upstream = upstream
        if not upstream.fixed:
            waiting = upstream.prepare()
            if waiting is not None:
                self._wait(self._pick_later(waiting))
                return
        self._picked()

    async def _pick_later(self, waiting: Awaitable[None]) -> None:
        await waiting
        self._picked()

    def _picked(self) -> None:
        node = self.upstream.pick(self.ctx)
        if isinstance(node, Exit):
            self.exit(node)
            return
        self.node = node
        self.forwarded = True
        steps = self._plan.before_proxy
        if steps and not self._run("before_proxy", steps, 0, Journey._body):
            return
        self._body()

    def _body(self) -> None:
        """nginx reads the whole body before it turns to the upstream."""
        exchange = self.exchange
        body = exchange.body
        ctx = self.ctx
        if ctx.said is not None:
            self.exit(Exit(200))
            return
        if body is None or ctx.body is not None:
            self._send_request()
            return
        if isinstance(body, StreamBody) and self.calls:
            # gRPC streams: nothing is gathered (grpc_pass with a client that speaks HTTP/2)
            self.stream = body
            self.forward(None, exchange.head.named_host, websocket=False)
            return
        limit = ctx.max_body
        if limit:
            body.limit = limit
            if max(exchange.head.length or 0, body.size) > limit:
                self.exit(Exit(413))
                return
        if ctx.request_buffering or body.complete or self.calls:
            exchange.want_body(self._body_here)
            return
        exchange.go_ahead()
        self.upload = StreamUpload(body, exchange.head.length, lambda status: self.exit(Exit(status)))
        self.forward(None, exchange.head.named_host, websocket=self._plan.websocket)

    def _body_here(self, body: RequestBody) -> None:
        if body.failed:
            self.exit(Exit(body.failed))
            return
        self._send_request()

    def _send_request(self) -> None:
        exchange = self.exchange
        head = exchange.head
        body = self.ctx.body
        if body is None:
            if exchange.body is not None:
                file = exchange.body.file
                if file is None or self.calls:
                    body = exchange.body.content()
                else:
                    self.upload = FileUpload(file, exchange.body.size)
            elif head.length == 0:
                body = b""
        elif not body and head.length is None and not head.chunked:
            body = None
        self.forward(body, head.named_host, websocket=self._plan.websocket)

    # -- the steps of a phase

    def _run(self, phase: str, steps: Steps, index: int, then: Callable[[Journey], None]) -> bool:
        """Run the plugins' functions from `index` on; False when one answers, or waits and then goes on to `then`."""
        ctx = self.ctx
        place = index
        try:
            for function, part in steps[index:] if index else steps:
                if ctx.skipped is None or part.name not in ctx.skipped:
                    verdict = function(ctx)
                    if verdict is not None:
                        if isinstance(verdict, Exit):
                            self._verdict(phase, part, verdict)
                        else:
                            self._wait(self._await(phase, steps, place, verdict, then))
                        return False
                place += 1
        except ExitNow as now:
            self._verdict(phase, part, now.verdict)
            return False
        except Exception as error:
            self._raised(error, f"{phase} of {part.name}")
            return False
        return True

    async def _await(
        self, phase: str, steps: Steps, place: int, waiting: Awaitable[Any], then: Callable[[Journey], None]
    ) -> None:
        part = steps[place][1]
        try:
            verdict = await waiting
        except ExitNow as now:
            verdict = now.verdict
        except Exception as error:
            self._raised(error, f"{phase} of {part.name}")
            return
        if self.over:
            return
        if verdict is not None:
            self._verdict(phase, part, verdict)
        elif self._run(phase, steps, place + 1, then):
            then(self)

    def _wait(self, waiting: Any) -> None:
        self.gateway.wait(self._guard(waiting))

    async def _guard(self, waiting: Awaitable[None]) -> None:
        try:
            await waiting
        except ExitNow as now:
            self.exit(now.verdict)
        except Exception as error:
            self._raised(error, "the request")

    def _verdict(self, phase: str, part: Any, verdict: Exit) -> None:
        ctx = self.ctx
        if ctx.trace is None:
            ctx.trace = []
        ctx.trace.append((phase, part.name, f"answered {verdict.status}{_message(verdict.body)}"))
        if verdict.status >= 400 and part.error_response is not None:
            verdict = Exit(verdict.status, part.error_response, verdict.headers)
        self.exit(verdict)

    def _raised(self, error: Exception, where: str) -> None:
        log.error("%s failed: %r", where, error, exc_info=error)
        self.gateway.error_log("error", f"{where} failed: {error!r}")
        ctx = self.ctx
        if ctx.trace is None:
            ctx.trace = []
        ctx.trace.append((where, "", f"raised {error!r}"))
        self.exit(Exit(500))

    # -- our own answers

    def exit(self, verdict: Exit) -> None:
        """Answer here and now, as core.response.exit does."""
        if self._started_answer or self.over:
            return
        ctx = self.ctx
        if ctx.said is not None:
            verdict = Exit(ctx.said.status, bytes_of(ctx.said.body) + bytes_of(verdict.body), verdict.headers)
        if ctx.on_exit is not None:
            for change in ctx.on_exit:
                verdict = change(verdict)
        self.cancel()
        for name, value in verdict.headers:
            ctx.response.set(name, value)
        status = verdict.status
        body = verdict.body
        if status == _NO_ANSWER:
            ctx.status = status
            self._started_answer = True  # whatever the closed connection will say
            self._finish()
            self.exchange.close()
            return
        if body is None and status >= 300:
            self._page(status)
            return
        ctx.status = status
        if ctx.response.get("content-type") is None and status != 204:
            ctx.response.items.insert(0, ("content-type", "Content-Type", media_types.of(ctx.uri)))
        media_types.add_charset(ctx.response)
        ctx.response.remove("content-length")
        self._own(bytes_of(body))

    def _page(self, status: int) -> None:
        """nginx's page for a status."""
        ctx = self.ctx
        ctx.status = pages.sent_as(status)
        text = pages.page(status)
        response = ctx.response
        response.remove("content-length")
        if text:
            kind = "text/html" if status in (301, 302) else "text/html; charset=utf-8"
            response.set("Content-Type", kind)
            response.items.append(("content-length", "Content-Length", str(len(text))))
        if status in pages.CLOSING:
            self.exchange.keep_alive = False
        self._own(text)

    def _own(self, body: bytes) -> None:
        ctx = self.ctx
        ctx.response.items.insert(0, ("date", "Date", http_date(ctx.started)))
        self._respond("", body, True)

    # -- the upstream's answer

    def answered(self, answer: Answer, piece: bytes, last: bool) -> None:
        """The upstream's head: what it says, after what plugins have set."""
        self.note_head(answer.status, last)
        ctx = self.ctx
        ctx.status = answer.status
        ctx.from_upstream = True
        filters = self._filters
        passes = answer.plain and filters.unfiltered and not self.gateway.shows_status
        if passes and (filters.direct or ctx.compress is None):
            self._pass_on(answer, piece, last)
            return
        if answer.accel:
            self._redirect_inside(answer)
            return
        own = [field for field in ctx.response.items if field[0] != "content-type"]
        ctx.response.items = own + answer.fields
        if answer.version < (1, 0):
            self.exchange.version = (0, 9)
        if answer.status == 101:
            self._switch(answer, piece)
            return
        self._respond(answer.line, piece, last)

    def _pass_on(self, answer: Answer, piece: bytes, last: bool) -> None:
        """An answer that no filter changes: its head is made once and sent often."""
        ctx = self.ctx
        response = ctx.response
        own = response.items
        shown = answer.shown
        if not shown:
            shown = answer.shown = [*answer.fields, self.gateway.server_field]
        if own:
            for field in own:
                if field[0] in _FRAMING:
                    own = [field for field in own if field[0] not in _FRAMING]
                    break
            response.items = own + shown
        else:
            response.items = shown
        self._started_answer = True
        ctx.body_bytes_sent = len(piece)
        ctx.bytes_sent = self.exchange.send_unchanged(answer, own, piece, last)
        if last:
            if self._filters.log:
                self._finish()
            elif not self.over:
                self.over = True
                self.gateway.journal.add(ctx)
        else:
            self._hold_back()

    def _redirect_inside(self, answer: Answer) -> None:
        """X-Accel-Redirect: nginx starts the request anew with that path."""
        self.cancel()
        ctx = self.ctx
        self.gateway.redirect_inside(ctx, answer)
        self.begin()

    def _switch(self, answer: Answer, early: bytes) -> None:
        """101: from here on bytes go both ways as they come."""
        connection = self.connection
        assert isinstance(connection, UpstreamConnection) and isinstance(self.exchange, ServerConnection)
        self._decorate()
        self.exchange.send_switch(answer.upgrade, self.ctx.response.items)
        self._started_answer = True
        Tunnel(self.exchange, connection, self).begin(early)

    def more(self, piece: bytes, last: bool) -> None:
        """More of the upstream's body."""
        if last:
            self.note_end()
        filters = self._filters.body_filter
        if filters and not self.exchange.bodyless:
            piece = self._filtered(piece, last)
        if self._encoder is not None and not self.exchange.bodyless:
            piece = self._encoder(piece, last)
        self._send_on(piece, last)

    def trailed(self, fields: list[tuple[str, str]]) -> None:
        """The trailers of a gRPC call: filters may read them when they get the last piece."""
        self.ctx.trailers = fields
        self.exchange.trail(fields)

    def _send_on(self, piece: bytes, last: bool) -> None:
        ctx = self.ctx
        exchange = self.exchange
        ctx.body_bytes_sent += len(piece)
        if piece or last:
            ctx.bytes_sent += exchange.send_body(piece, last)
        if last:
            self._finish()
        else:
            self._hold_back()

    def _hold_back(self) -> None:
        """A client that doesn't read stops the upstream, too."""
        exchange = self.exchange
        if exchange.write_blocked and self.connection is not None:
            self.pause()
            exchange.unblocked = self.resume

    def failed(self, status: int) -> None:
        """No node answered: nginx's own error, which no plugin changes."""
        self.ctx.on_exit = None
        self.exit(Exit(status))

    def cut(self) -> None:
        """The upstream's answer broke off: so does ours."""
        self._finish()
        self.exchange.keep_alive = False
        self.exchange.close()

    # -- header_filter, body_filter

    def _respond(self, line: str, piece: bytes, last: bool) -> None:
        ctx = self.ctx
        exchange = self.exchange
        status = ctx.status
        self._started_answer = True
        self._decorate()
        if self._filters.body_filter and not exchange.bodyless and ctx.status not in (204, 304):
            piece = self._filtered(piece, last)
        if self._encoder is not None and not exchange.bodyless:
            piece = self._encoder(piece, last)
        if ctx.status != status:
            line = ""
        ctx.body_bytes_sent = len(piece)
        ctx.bytes_sent = exchange.send_head(ctx.status, line, ctx.response.items, piece, last)
        if last:
            self._finish()
        else:
            self._hold_back()

    def _decorate(self) -> None:
        """Server, the upstream's statuses and the header_filter phase."""
        ctx = self.ctx
        items = ctx.response.items
        items.append(self.gateway.server_field)
        if ctx.tries and (ctx.status >= 500 or self.gateway.shows_status):
            statuses = ", ".join([str(attempt.status) for attempt in ctx.tries])
            if statuses[-3:] >= "500" or self.gateway.shows_status:
                if ctx.gave_up:
                    statuses += " : "
                items.append(("x-apisix-upstream-status", "X-APISIX-Upstream-Status", statuses))
        for function, part in self._filters.header_filter:
            if ctx.skipped is not None and part.name in ctx.skipped:
                continue
            try:
                function(ctx)
            except Exception as error:
                log.exception("header_filter of %s failed", part.name)
                self.gateway.error_log("error", f"header_filter of {part.name} failed: {error!r}")
        if self._filters.header_filter and (ctx.from_upstream or ctx.status not in (301, 302)):
            media_types.add_charset(ctx.response)
        if ctx.compress is not None:
            self._encoder = ctx.compress(ctx)

    def _filtered(self, piece: bytes, last: bool) -> bytes:
        ctx = self.ctx
        for index, (function, part) in enumerate(self._filters.body_filter):
            if ctx.skipped is not None and part.name in ctx.skipped:
                continue
            if part.gathers:
                if self._gathered is None:
                    self._gathered = {}
                held = self._gathered.setdefault(index, [])
                held.append(piece)
                if not last:
                    piece = b""
                    continue
                piece = b"".join(held)
            try:
                piece = function(ctx, piece, last)
            except Exception as error:
                log.exception("body_filter of %s failed", part.name)
                self.gateway.error_log("error", f"body_filter of {part.name} failed: {error!r}")
        return piece

    # -- log

    def _finish(self) -> None:
        """The answer is decided to its last byte: log it."""
        if self.over:
            return
        self.over = True
        ctx = self.ctx
        ctx.plan = self._plan
        ctx.seconds = self.gateway.clock.time() - ctx.started
        for function, part in self._filters.log:
            if ctx.skipped is not None and part.name in ctx.skipped:
                continue
            try:
                function(ctx)
            except Exception as error:
                log.exception("log of %s failed", part.name)
                self.gateway.error_log("error", f"log of {part.name} failed: {error!r}")
        self.gateway.journal.add(ctx)

    def lost(self) -> None:
        """The client went away."""
        self.cancel()
        if not self._started_answer:
            self.ctx.status = _ROUTE_CLIENT_GONE
        self._finish()

    def timed_out(self) -> None:
        """The client didn't send its body in time: nobody is told, but the log says 408."""
        if not self._started_answer:
            self.ctx.status = _REQUEST_TIME_OUT
            self._started_answer = True

    def tunnel_closed(self) -> None:
        """Both sides of a WebSocket are gone."""
        self._finish()


def _message(body: Any) -> str:
    """What a refusal says, for the journal."""
    if isinstance(body, dict):
        body = body.get("message") or body.get("error_msg")
    return f": {body}" if body and isinstance(body, str) else ""
