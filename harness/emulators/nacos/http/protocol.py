"""HTTP/1.1 on llhttp: keep-alive, pipelining, answers that may come later; nothing of Nacos in here."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from typing import cast

import httptools

from harness.emulators.nacos.http import target
from harness.emulators.nacos.http.message import FORM, Request, Response
from harness.emulators.nacos.http.pages import CLOSING, page

log = logging.getLogger(__name__)

Answer = Response | Awaitable[Response]
Application = Callable[[Request], Answer]

#: Largest request body that is no form.
MAX_BODY = 40 * 1024 * 1024
#: A form beyond this is read but has no parameters, as with Tomcat (`maxPostSize`).
MAX_FORM = 2 * 1024 * 1024
#: Largest request line and headers together (Nacos starts with `server.max-http-request-header-size=524288`: clients of
#: 1.x put content into the query), and how many headers there may be (`maxHeaderCount`).
MAX_HEAD, MAX_HEADERS = 512 * 1024, 100
#: What an answer may hold back for a client that does not read before no more of its requests are read.
HIGH_WATER = 1 << 20
#: Spring's firewall lets these through and answers others without a word.
METHODS = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"})


class HttpProtocol(asyncio.Protocol):
    """One client connection."""

    def __init__(self, application: Application, live: set[HttpProtocol]) -> None:
        self._application = application
        self._live = live
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport | None = None
        self._peer = ""
        self._waiting: deque[tuple[Request, bool]] = deque()
        self._busy = False
        self._full = False
        self._task: asyncio.Task[None] | None = None
        self._new_message()

    def _new_message(self) -> None:
        self._url = b""
        self._headers: dict[str, str] = {}
        self._body: list[bytes] = []
        self._head_size = 0
        self._body_size = 0
        self._header_count = 0
        self._host_count = 0

    # -- asyncio -----------------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember the peer."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's does not inherit from it
        self._transport.set_write_buffer_limits(high=HIGH_WATER)
        peer = transport.get_extra_info("peername")
        self._peer = str(peer[0]) if peer else ""
        self._live.add(self)

    def connection_lost(self, error: Exception | None) -> None:
        """Nobody waits for the answer any more."""
        self._transport = None
        self._live.discard(self)
        self._waiting.clear()
        if self._task is not None:
            self._task.cancel()

    def close(self) -> None:
        """The server stops."""
        if self._transport is not None:
            self._transport.close()

    def pause_writing(self) -> None:
        """The client does not read: its further requests wait where they are."""
        self._full = True
        if self._transport is not None:
            self._transport.pause_reading()

    def resume_writing(self) -> None:
        """It reads again."""
        self._full = False
        if self._transport is not None:
            self._transport.resume_reading()
        self._serve()

    def data_received(self, data: bytes) -> None:
        """Feed the parser; what is no HTTP gets a page and an end."""
        if self._transport is None or self._transport.is_closing():
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            # nothing is upgraded to; the request itself was served (Java's own client offers h2c with its first one)
            self._parser = httptools.HttpRequestParser(self)
            self.data_received(data[upgrade.args[0] :])
        except httptools.HttpParserCallbackError as error:
            self._refuse(413 if isinstance(error.__context__, _TooLarge) else 400)
        except httptools.HttpParserError as error:
            if data.startswith(b"PRI * HTTP/2.0"):
                self._transport.close()
            else:
                self._refuse(_status_of(str(error)))

    def _refuse(self, status: int) -> None:
        if self._transport is not None:
            self._transport.write(_render(page(status), keep_alive=False, head_only=False))
            self._transport.close()

    # -- llhttp ------------------------------------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        """A new request starts."""
        self._new_message()

    def on_url(self, url: bytes) -> None:
        """A part of the request target."""
        self._url += url
        self._grow_head(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header."""
        key = name.decode("latin-1").lower()
        self._headers[key] = value.decode("utf-8", "replace")
        self._header_count += 1
        self._host_count += key == "host"
        self._grow_head(len(name) + len(value))

    def _grow_head(self, size: int) -> None:
        self._head_size += size
        if self._head_size > MAX_HEAD or self._header_count > MAX_HEADERS:
            raise ValueError("the head is too large")

    def on_headers_complete(self) -> None:
        """Let a careful client go on."""
        if self._headers.get("expect", "").lower() == "100-continue" and self._transport is not None:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, body: bytes) -> None:
        """A part of the body."""
        self._body_size += len(body)
        if self._body_size > MAX_FORM and self._headers.get("content-type", "").startswith(FORM):
            self._body.clear()
        elif self._body_size > MAX_BODY:
            raise _TooLarge
        else:
            self._body.append(body)

    def on_message_complete(self) -> None:
        """A whole request is there; requests of one connection are answered in their order."""
        hosts = self._host_count
        if hosts > 1 or not (hosts or self._parser.get_http_version() != "1.1"):
            raise ValueError("one Host header is needed")
        if not target.is_host(self._headers.get("host", "")):
            raise ValueError("a Host header that is none")
        method = self._parser.get_method().decode()
        path, query = target.read(self._url.decode("latin-1")) if method != "CONNECT" else ("", "")
        request = Request(method, path, query, self._headers, b"".join(self._body), self._peer)
        self._waiting.append((request, self._parser.should_keep_alive()))
        self._serve()

    # -- answering ---------------------------------------------------------------------------------------------------

    def _serve(self) -> None:
        while self._waiting and not self._busy and not self._full:
            request, keep_alive = self._waiting.popleft()
            answer = self._answer(request)
            if isinstance(answer, Response):
                self._write(request, answer, keep_alive)
            else:
                self._busy = True
                self._task = asyncio.ensure_future(self._finish(request, answer, keep_alive))

    def _answer(self, request: Request) -> Answer:
        if request.method not in METHODS:
            return page(501) if request.method == "CONNECT" else Response(400)
        try:
            return self._application(request)
        except Exception:
            log.exception("%s %s", request.method, request.path)
            return page(500)

    async def _finish(self, request: Request, answer: Awaitable[Response], keep_alive: bool) -> None:
        try:
            response = await answer
        except Exception:
            log.exception("%s %s", request.method, request.path)
            response = page(500)
        self._write(request, response, keep_alive)
        self._busy = False
        self._task = None
        self._serve()

    def _write(self, request: Request, response: Response, keep_alive: bool) -> None:
        keep_alive = keep_alive and response.status not in CLOSING
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(_render(response, keep_alive=keep_alive, head_only=request.method == "HEAD"))
            if not keep_alive:
                self._waiting.clear()
                self._transport.close()


def _status_of(error: str) -> int:
    """Tomcat's status for what llhttp found wrong."""
    if "HTTP version" in error:
        return 505
    return 501 if "invalid `Transfer-Encoding`" in error else 400


class _TooLarge(Exception):
    """A body over the limit."""


def _render(response: Response, *, keep_alive: bool, head_only: bool) -> bytes:
    lines = [f"HTTP/1.1 {response.status} "]  # no reason: Tomcat writes none
    lines += [f"{name}: {_clean(value)}" for name, value in response.headers]
    if response.content_type:
        lines.append(f"Content-Type: {response.content_type}")
    lines.append(f"Content-Length: {len(response.body)}")
    if not keep_alive:
        lines.append("Connection: close")
    head = ("\r\n".join(lines) + "\r\n\r\n").encode("utf-8")
    return head if head_only else head + response.body


def _clean(value: str) -> str:
    return value.replace("\r", " ").replace("\n", " ")
