"""Serving an `App` (Admin, Control, Prometheus API): the same sockets and framing as the data plane."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any

from harness.clock import Clock
from harness.emulators.apisix import media_types, pages
from harness.emulators.apisix.exchange import App, Request, Response
from harness.emulators.apisix.headers import Headers
from harness.emulators.apisix.proxy.body import RequestBody
from harness.emulators.apisix.proxy.dates import http_date
from harness.emulators.apisix.proxy.head import Field, Head
from harness.emulators.apisix.proxy.http2_body import StreamBody
from harness.emulators.apisix.proxy.listener import Exchange

log = logging.getLogger(__name__)


class AppHandler:
    """A listener's handler that gathers each request and calls the app; `server` is the Server header."""

    def __init__(self, app: App, server: str, clock: Clock, wait: Callable[[Any], Any]) -> None:
        self._app = app
        self._server = server
        self._clock = clock
        self._wait = wait

    def request(self, exchange: Exchange, head: Head) -> None:
        """Gather the body, then call."""
        if exchange.body is None:
            self._call(exchange, head, b"")
        else:
            exchange.want_body(lambda body: self._gathered(exchange, head, body))

    def _gathered(self, exchange: Exchange, head: Head, body: RequestBody | StreamBody) -> None:
        if body.failed:
            self.refused(exchange, body.failed)
        else:
            self._call(exchange, head, body.content())

    def _call(self, exchange: Exchange, head: Head, body: bytes) -> None:
        request = Request(
            head.method,
            head.target,
            head.path,
            head.query,
            Headers(head.fields.copy()),
            body,
            remote_addr=exchange.remote_addr,
        )
        try:
            answer = self._app(request)
        except Exception:
            log.exception("%s %s failed", head.method, head.target)
            answer = Response(500, None)
        if isinstance(answer, Response):
            self._answer(exchange, answer)
        else:
            self._wait(self._later(exchange, answer))

    async def _later(self, exchange: Exchange, waiting: Awaitable[Response]) -> None:
        try:
            answer = await waiting
        except Exception:
            log.exception("a request to the %s failed", self._server)
            answer = Response(500, None)
        if exchange.busy:
            self._answer(exchange, answer)

    def _answer(self, exchange: Exchange, answer: Response) -> None:
        fields: list[Field] = [("date", "Date", http_date(self._clock.time()))]
        own: list[Field] = [(name.lower(), name, value) for name, value in answer.headers]
        named = {field[0] for field in own}
        body = answer.body
        if body is None:
            body = pages.page(answer.status)
            own = [field for field in own if field[0] != "content-type"]
            fields.append(("content-type", "Content-Type", "text/html; charset=utf-8"))
            if answer.status in pages.CLOSING:
                exchange.keep_alive = False
        elif "content-type" not in named:
            fields.append(("content-type", "Content-Type", media_types.of(exchange.head.path)))
        if not answer.chunked and "content-length" not in named:
            fields.append(("content-length", "Content-Length", str(len(body))))
        if "server" not in named:
            own.insert(0, ("server", "Server", self._server))
        exchange.send_head(pages.sent_as(answer.status), "", fields + own, body, True)

    def refused(self, exchange: Exchange, status: int) -> None:
        """nginx's own refusal."""
        refuse(exchange, status, self._clock)

    def lost(self, exchange: Exchange) -> None:
        """Nothing to undo."""


def refuse(exchange: Exchange, status: int, clock: Clock) -> None:
    """The page for a request that nginx can't read, and the end of the connection."""
    page = pages.page(status)
    fields: list[Field] = [
        ("server", "Server", pages.SERVER),
        ("date", "Date", http_date(clock.time())),
        ("content-type", "Content-Type", "text/html; charset=utf-8"),
        ("content-length", "Content-Length", str(len(page))),
    ]
    exchange.keep_alive = False
    exchange.send_head(pages.sent_as(status), "", fields, page, True)
