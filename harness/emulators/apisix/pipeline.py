"""The request's way through the gateway, phase by phase, as one visible list of steps."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final

from harness.emulators.apisix.context import Exit, ExitNow, Try
from harness.emulators.apisix.proxy.body import RequestBody
from harness.emulators.apisix.proxy.forward import NO_UPGRADE
from harness.emulators.apisix.proxy.http2_body import StreamBody
from harness.emulators.apisix.proxy.outgoing import request_head
from harness.emulators.apisix.proxy.upload import JOINED, HeldUpload, StreamUpload
from harness.emulators.apisix.reply import Reply
from harness.emulators.apisix.ways import keep

if TYPE_CHECKING:
    from harness.emulators.apisix.plans import Plan, Steps
    from harness.emulators.apisix.upstream import Upstream
    from harness.emulators.apisix.ways import Kept

log = logging.getLogger(__name__)

_NOT_FOUND: Final = Exit(404, {"error_msg": "404 Route Not Found"})


class Journey(Reply):
    """One request from its head to its log. The methods stand in the order in which they are run:

    begin → match → global rewrite → rewrite → consumer's rewrite → global access → access → pick a node →
    before_proxy → forward (read the body, try nodes) → header_filter → body_filter → log (these three: `Reply`).
    """

    __slots__ = ()

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

    def go_on(self, kept: Kept) -> None:
        """Go on behind the rewrite phase, as it was left by a request with the same head."""
        plan = self._plan = self._filters = kept.plan
        self._kept = kept
        self.ctx.consumer = kept.consumer
        access = plan.access
        if access and not self._run("access", access, 0, Journey._go):
            return
        self._go()

    def _consumer(self) -> None:
        """Plugins of the consumer that was found join those of the route."""
        consumer = self.ctx.consumer
        if consumer is not None:
            plan = self._plan
            held = plan.consumers.get(id(consumer))
            if held is not None and held[0] is consumer and held[1] is plan:
                # seen before: its credentials alone, which have done their work
                self._rewritten()
                return
            merged = self.gateway.compiler.with_consumer(plan, consumer)
            if isinstance(merged, Exit):
                self.exit(merged)
                return
            if merged is not plan:
                self._plan = self._filters = merged
                if not self._run("rewrite", merged.consumer_rewrite, 0, Journey._rewritten):
                    return
        self._rewritten()

    def _rewritten(self) -> None:
        """The rewrite phase is over: what it does to each request with this head need not be done again."""
        if self._plan.repeats:
            keep(self.ctx, self.exchange.head, self._plan)
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
        lone = upstream.lone
        if lone is not None:
            node, pool, address = lone
        else:
            picked = upstream.pick(ctx)
            if isinstance(picked, Exit):
                self.exit(picked)
                return
            node = picked
            pool, address = upstream.way(node)
        self.node = node
        self.forwarded = True
        self.left = upstream.tries - 1
        self.deadline = 0.0
        self.body = self.tried = None
        self.head_seen = False
        self.upgrade = NO_UPGRADE
        self.attempt = attempt = Try(address)
        ctx.tries.append(attempt)
        self.asked = now = self.now()
        head = self.exchange.head
        if upstream.pass_host == "pass" and not ctx.upstream_host:
            self.host = head.named_host
        else:
            self.host = upstream.host_for(ctx, node, head.named_host)
        connection = pool.take()
        if connection is None:
            self.connect(pool, attempt)
            return
        attempt.connect_time = 0.0
        self.connection = connection
        self.sent = True
        kept = self._kept
        if kept is not None and (ctx.upstream_uri or ctx.headers.items != kept.items):
            kept = None
        # written once for all requests that nothing has changed since
        data = None if kept is None else kept.sent.get((ctx.remote_addr, self.host))
        if data is None:
            data = request_head(ctx, head, self.host, None, "", "")
            if kept is not None:
                kept.send(ctx.remote_addr, self.host, data)
        route = ctx.route
        timeouts = (route.timeouts if route is not None else None) or upstream.timeouts
        connection.request(self, data, head.bodyless, timeouts[2], now)

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
                held = exchange.body
                if self.calls or held.size <= JOINED:
                    body = held.content()
                else:
                    self.upload = HeldUpload(held.pieces, held.size)
            elif head.length == 0:
                body = b""
        if not body and head.length is None and not head.chunked:
            body = None
        self.forward(body, head.named_host, websocket=self._plan.websocket)

    # -- the steps of a phase

    def _run(self, phase: str, steps: Steps, index: int, then: Callable[[Journey], None]) -> bool:
        """Run the plugins' functions from `index` on; False when one answers, or waits and then goes on to `then`."""
        ctx = self.ctx
        try:
            for step in steps[index:] if index else steps:
                function, part = step
                if ctx.skipped is None or part.name not in ctx.skipped:
                    verdict = function(ctx)
                    if verdict is not None:
                        if isinstance(verdict, Exit):
                            self._verdict(phase, part, verdict)
                        else:
                            self._wait(self._await(phase, steps, steps.index(step, index), verdict, then))
                        return False
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


def _message(body: Any) -> str:
    """What a refusal says, for the journal."""
    if isinstance(body, dict):
        body = body.get("message") or body.get("error_msg")
    return f": {body}" if body and isinstance(body, str) else ""
