"""HTTP/1.1 on llhttp: keep-alive, pipelining, answers that may come later; nothing of Nacos in here."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from typing import cast

import httptools

from harness.emulators.nacos.http.message import REASONS, Request, Response, decode_path, text

log = logging.getLogger(__name__)

Answer = Response | Awaitable[Response]
Application = Callable[[Request], Answer]

#: Largest request body: 10 MiB of content may triple when it is form-encoded.
MAX_BODY = 40 * 1024 * 1024
#: Largest request line and headers together (py 1.x puts content into the query; Tomcat's own limit is 8 KiB).
MAX_HEAD = 64 * 1024


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
        self._task: asyncio.Task[None] | None = None
        self._new_message()

    def _new_message(self) -> None:
        self._url = b""
        self._headers: dict[str, str] = {}
        self._body: list[bytes] = []
        self._head_size = 0
        self._body_size = 0

    # -- asyncio -----------------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember the peer."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's does not inherit from it
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

    def data_received(self, data: bytes) -> None:
        """Feed the parser; what is no HTTP gets 400 and an end."""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._refuse(400, "Upgrade is not supported")
        except httptools.HttpParserCallbackError as error:
            status = 413 if isinstance(error.__context__, _TooLarge) else 400
            self._refuse(status, str(error.__context__ or error))
        except httptools.HttpParserError as error:
            self._refuse(400, f"Bad Request: {error}")

    def _refuse(self, status: int, message: str) -> None:
        if self._transport is not None:
            self._transport.write(_render(text(message, status), keep_alive=False, head_only=False))
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
        self._headers[name.decode("latin-1").lower()] = value.decode("utf-8", "replace")
        self._grow_head(len(name) + len(value))

    def _grow_head(self, size: int) -> None:
        self._head_size += size
        if self._head_size > MAX_HEAD:
            raise ValueError("Request header is too large")

    def on_headers_complete(self) -> None:
        """Let a careful client go on."""
        if self._headers.get("expect", "").lower() == "100-continue" and self._transport is not None:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, body: bytes) -> None:
        """A part of the body."""
        self._body_size += len(body)
        if self._body_size > MAX_BODY:
            raise _TooLarge("Request body is too large")
        self._body.append(body)

    def on_message_complete(self) -> None:
        """A whole request is there; requests of one connection are answered in their order."""
        raw_path, _, query = self._url.decode("latin-1").partition("?")
        if raw_path.startswith(("http://", "https://")):
            raw_path = "/" + raw_path.split("/", 3)[3] if raw_path.count("/") > 2 else "/"
        request = Request(
            self._parser.get_method().decode(),
            decode_path(raw_path),
            query,
            self._headers,
            b"".join(self._body),
            self._peer,
        )
        self._waiting.append((request, self._parser.should_keep_alive()))
        if not self._busy:
            self._serve()

    # -- answering ---------------------------------------------------------------------------------------------------

    def _serve(self) -> None:
        while self._waiting and not self._busy:
            request, keep_alive = self._waiting.popleft()
            answer = self._application(request)
            if isinstance(answer, Response):
                self._write(request, answer, keep_alive)
            else:
                self._busy = True
                self._task = asyncio.ensure_future(self._finish(request, answer, keep_alive))

    async def _finish(self, request: Request, answer: Awaitable[Response], keep_alive: bool) -> None:
        self._write(request, await answer, keep_alive)
        self._busy = False
        self._task = None
        self._serve()

    def _write(self, request: Request, response: Response, keep_alive: bool) -> None:
        if self._transport is not None:
            self._transport.write(_render(response, keep_alive=keep_alive, head_only=request.method == "HEAD"))
            if not keep_alive:
                self._transport.close()


class _TooLarge(Exception):
    """A body over the limit."""


def _render(response: Response, *, keep_alive: bool, head_only: bool) -> bytes:
    lines = [f"HTTP/1.1 {response.status} {REASONS.get(response.status, '')}"]
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
