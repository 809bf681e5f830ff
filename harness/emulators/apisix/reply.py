"""The answer's way back through the gateway: our own or the upstream's, header_filter, body_filter, log."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from harness.emulators.apisix import media_types, pages
from harness.emulators.apisix.context import Context, Encoder, Exit, bytes_of
from harness.emulators.apisix.proxy.dates import http_date
from harness.emulators.apisix.proxy.forward import Forward
from harness.emulators.apisix.proxy.http1 import ServerConnection
from harness.emulators.apisix.proxy.tunnel import Tunnel
from harness.emulators.apisix.proxy.upstream import UpstreamConnection

if TYPE_CHECKING:
    from harness.emulators.apisix.data_plane import DataPlane
    from harness.emulators.apisix.plans import Plan
    from harness.emulators.apisix.proxy.answer import Answer
    from harness.emulators.apisix.proxy.listener import Exchange
    from harness.emulators.apisix.ways import Kept

log = logging.getLogger(__name__)

#: What only the upstream's answer may say of itself
_FRAMING: Final = frozenset({"content-type", "content-length", "date"})
_ROUTE_CLIENT_GONE: Final = 499
_REQUEST_TIME_OUT: Final = 408
#: nginx's own status: the connection is closed without an answer
_NO_ANSWER: Final = 444


class Reply(Forward):
    """What a request gets back. The methods stand in the order in which they are run:

    exit or answered → header_filter → body_filter (for each piece) → log.
    """

    __slots__ = ("_encoder", "_filters", "_gathered", "_kept", "_plan", "_started_answer", "over")

    def __init__(self, gateway: DataPlane, exchange: Exchange, ctx: Context) -> None:
        self.gateway = gateway
        self.exchange = exchange
        self.ctx = ctx
        self.now = gateway.now
        #: whose header_filter, body_filter and log run: nobody's until a plan's first phase
        self._plan: Plan = gateway.nothing
        self._filters: Plan = gateway.nothing
        #: what was known of the request from others with its head, if it began with that
        self._kept: Kept | None = None
        self.connection = self.stream = self.upload = None
        self._gathered: dict[int, list[bytes]] | None = None
        self._encoder: Encoder | None = None
        self.forwarded = self.over = self._started_answer = False

    def begin(self) -> None:
        """Find the route and run its plan."""
        raise NotImplementedError

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
        ctx = self.ctx
        status = ctx.status = answer.status
        if last and self.upload is None and not self.upstream.tells:
            # `note_head` for by far the most answers
            attempt = self.attempt
            attempt.status = status
            attempt.header_time = attempt.response_time = self.now() - self.asked
            self.head_seen = True
            self.forwarded = False
            self.connection = None
        else:
            self.note_head(status, last)
        ctx.from_upstream = True
        filters = self._filters
        if answer.plain and filters.unfiltered and ctx.compress is None and not self.gateway.shows_status:
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
                ctx.plan = self._plan
                ctx.seconds = self.gateway.time() - ctx.started
                self.gateway.journal.add(ctx)
        else:
            self._hold_back()

    def _redirect_inside(self, answer: Answer) -> None:
        """X-Accel-Redirect: nginx starts the request anew with that path."""
        self.cancel()
        self._kept = None
        ctx = self.ctx
        self.gateway.redirect_inside(ctx, answer)
        self.begin()

    def _switch(self, answer: Answer, early: bytes) -> None:
        """101: from here on bytes go both ways as they come."""
        connection = self.connection
        if not isinstance(connection, UpstreamConnection) or not isinstance(self.exchange, ServerConnection):
            # nobody can have asked for it over HTTP/2
            self.failed(502)
            return
        self._decorate()
        self.exchange.send_switch(answer.line, self.ctx.response.items)
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
        ctx.seconds = self.gateway.time() - ctx.started
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
