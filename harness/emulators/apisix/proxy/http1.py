"""HTTP/1 on the client's side: one connection, its requests one after the other, and the framing of their answers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from harness.emulators.apisix.context import Exit, ExitNow
from harness.emulators.apisix.headers import Headers
from harness.emulators.apisix.pages import status_line
from harness.emulators.apisix.proxy.body import RequestBody
from harness.emulators.apisix.proxy.chunks import LAST, chunk
from harness.emulators.apisix.proxy.head import Field, Head, Refused, parse
from harness.emulators.apisix.proxy.listener import Listener

#: Pipelined bytes that are held while a request is being answered; more than that waits in the socket.
HELD = 65536
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_FIRST = frozenset({"date", "content-type", "content-length"})


class ServerConnection(asyncio.Protocol):
    """A client's connection; also the exchange of the request that it carries at the moment.

    Attributes of `context.Client` say whose it is. `state` belongs to the handler (its object for the request under
    way). Answer with `send_head`, then `send_body` until `last`.
    """

    __slots__ = (
        "_advancing",
        "_buffer",
        "_chunked",
        "_listener",
        "_served",
        "_tunnel",
        "body",
        "bodyless",
        "busy",
        "certificate",
        "closing",
        "deadline",
        "head",
        "keep_alive",
        "remote_addr",
        "remote_port",
        "scheme",
        "server_addr",
        "server_port",
        "sni",
        "state",
        "tls",
        "transport",
        "unblocked",
        "write_blocked",
    )

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._buffer = b""
        self._served = 0
        self._advancing = False
        self._chunked = False
        self._tunnel: Callable[[bytes], None] | None = None
        self.body: RequestBody | None = None
        self.bodyless = False
        self.busy = False
        self.closing = False
        self.keep_alive = True
        self.state: Any = None
        self.unblocked: Callable[[], None] | None = None
        self.write_blocked = False
        self.scheme = listener.scheme
        self.sni: str | None = None
        self.tls: Any = None
        self.certificate: Any = None

    # -- asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: asyncio.Transport = transport  # type: ignore[assignment]
        peer = transport.get_extra_info("peername") or ("127.0.0.1", 0)
        self.remote_addr, self.remote_port = peer[0], peer[1]
        here = transport.get_extra_info("sockname") or ("127.0.0.1", self._listener.port)
        self.server_addr, self.server_port = here[0], here[1]
        listener = self._listener
        if listener.scheme == "https":
            self.tls = transport.get_extra_info("ssl_object")
        listener.accepted += 1
        listener.connections.add(self)
        self.deadline = listener.now + listener.patience.client_header_timeout

    def connection_lost(self, exc: Exception | None) -> None:
        self._listener.gone(self)
        self.closing = True
        if self.body:
            self.body.lost()
        if self.busy:
            self.busy = False
            self._listener.handler.lost(self)
        self.state = None

    def data_received(self, data: bytes) -> None:
        if self._tunnel is not None:
            self._tunnel(data)
            return
        body = self.body
        if body is not None and not body.complete:
            self.deadline = self._listener.now + self._listener.patience.client_body_timeout
            if body.feed(data):
                self._body_complete(body)
            return
        self._buffer = self._buffer + data if self._buffer else data
        if self.busy:
            if len(self._buffer) > HELD:
                self.transport.pause_reading()
            return
        self._advance()

    def eof_received(self) -> bool:
        """A client that half-closes still gets its answer, then the connection ends."""
        if self._tunnel is not None:
            return False
        self.keep_alive = False
        if not self.busy:
            return False
        if self.body and not self.body.complete:
            self.abort()
        return True

    def pause_writing(self) -> None:
        self.write_blocked = True
        self.deadline = self._listener.now + self._listener.patience.send_timeout

    def resume_writing(self) -> None:
        self.write_blocked = False
        self.deadline = float("inf")
        if self.unblocked is not None:
            self.unblocked()

    # -- requests

    def _advance(self) -> None:
        """Take requests from the buffer until one is unfinished; a loop, since an answer may come at once."""
        if self._advancing:
            return
        self._advancing = True
        try:
            while self._buffer and not self.busy and not self.closing and self._one():
                pass
        finally:
            self._advancing = False

    def _one(self) -> bool:
        """Begin the next request; False when its head isn't whole."""
        data = self._buffer
        try:
            head = parse(data)
        except Refused as refusal:
            self._refuse(data, refusal.status)
            return False
        if head is None:
            self.deadline = self._listener.now + self._listener.patience.client_header_timeout
            return False
        self.head = head
        self.busy = True
        self.deadline = float("inf")
        self._served += 1
        listener = self._listener
        self.keep_alive = (
            head.keep_alive and self._served < listener.patience.keepalive_requests and not listener.draining
        )
        self.bodyless = head.method == "HEAD"
        size = head.size
        if head.length or head.chunked:
            self._buffer = b""
            self._begin_body(head, data[size:])
        else:
            self.body = None
            self._buffer = data[size:] if len(data) > size else b""
        listener.handler.request(self, head)
        return True

    def _refuse(self, data: bytes, status: int) -> None:
        if data.startswith(PREFACE[:16]) and self._listener.http2 is not None:
            if len(data) >= len(PREFACE):
                self._become_http2(data)
            return
        self.refuse(status)

    def refuse(self, status: int) -> None:
        """Answer what can't be read with nginx's page, and end the connection."""
        self.head = Head("", "", "", "", (1, 1), Headers())
        self.busy = True
        self.keep_alive = False
        self._buffer = b""
        self._listener.handler.refused(self, status)

    def _become_http2(self, data: bytes) -> None:
        assert self._listener.http2 is not None
        self.busy = False
        protocol = self._listener.http2(self, data)
        self._listener.gone(self)
        self.transport.set_protocol(protocol)

    # -- the request's body

    def _begin_body(self, head: Head, first: bytes) -> None:
        self.body = RequestBody(head, self.transport)
        self.deadline = self._listener.now + self._listener.patience.client_body_timeout
        if first and self.body.feed(first):
            self._buffer = self.body.rest

    def _body_complete(self, body: RequestBody) -> None:
        self._buffer = body.rest
        self.deadline = float("inf")
        if not self.busy:
            # it was being thrown away after its answer
            self.body = None
            self._end_of_request()

    def want_body(self, done: Callable[[RequestBody], None]) -> None:
        """Call `done` when the body is whole or known to be bad; at once when it is already."""
        assert self.body is not None
        if self.head.expects:
            self.head.expects = False
            self.transport.write(CONTINUE)
        self.body.when_complete(done)

    async def read_body(self, limit: int) -> bytes:
        """The whole body; raises ExitNow (413 when longer than `limit`, 400 for bad chunks)."""
        body = self.body
        if body is None:
            return b""
        if limit and self.head.length is not None and self.head.length > limit:
            raise ExitNow(Exit(413))
        body.limit = limit
        if not body.complete:
            here = asyncio.Event()
            self.want_body(lambda _: here.set())
            await here.wait()
        if body.failed:
            raise ExitNow(Exit(body.failed))
        return body.content()

    # -- the answer

    def send_head(self, status: int, line: str, fields: list[Field], body: bytes, last: bool) -> None:
        """Begin the answer; `line` is its status line or empty; the framing follows from `fields` and the request."""
        head = self.head
        first = []
        rest = []
        framed = False
        for field in fields:
            if field[0] in _FIRST:
                if field[0] == "content-length":
                    framed = True
                    if status == 204:
                        continue
                first.append(f"{field[1]}: {field[2]}\r\n")
            else:
                rest.append(f"{field[1]}: {field[2]}\r\n")
        self._chunked = False
        if head.version < (1, 0):
            self.keep_alive = False
            self._write(body, last)
            return
        if self.bodyless or status in (204, 304) or status < 200:
            self.bodyless = True
        elif not framed:
            if head.version >= (1, 1):
                self._chunked = True
                first.append("Transfer-Encoding: chunked\r\n")
            else:
                self.keep_alive = False
        first.append("Connection: keep-alive\r\n" if self.keep_alive else "Connection: close\r\n")
        text = (line or status_line(status)) + "".join(first) + "".join(rest) + "\r\n"
        data = text.encode("latin-1", "replace")
        if self.bodyless:
            body = b""
        if self._chunked:
            if body:
                data += chunk(body)
            if last:
                data += LAST
        elif body:
            data += body
        self.transport.write(data)
        if last:
            self._end_of_answer()

    def send_body(self, data: bytes, last: bool) -> None:
        """More of the answer's body; `last` ends it."""
        if self._chunked:
            data = chunk(data) if data else b""
            if last:
                data += LAST
        elif self.bodyless:
            data = b""
        self._write(data, last)

    def _write(self, data: bytes, last: bool) -> None:
        if data:
            self.transport.write(data)
        if last:
            self._end_of_answer()

    def _end_of_answer(self) -> None:
        self.busy = False
        self.state = None
        self.unblocked = None
        body = self.body
        if body is not None:
            if not body.complete and self.keep_alive:
                body.discard()
                return
            self.body = None
        self._end_of_request()

    def _end_of_request(self) -> None:
        if not self.keep_alive or self._listener.draining:
            self.closing = True
            self.transport.close()
            return
        self.deadline = self._listener.now + self._listener.patience.keepalive_timeout
        if self._buffer:
            if len(self._buffer) > HELD:
                self.transport.resume_reading()
            self._advance()

    # -- the rest of a connection's life

    def send_switch(self, upgrade: str, fields: list[Field]) -> None:
        """The head of a 101; what follows goes through `tunnel`."""
        lines = [f"{name}: {value}\r\n" for _, name, value in fields]
        text = f"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: {upgrade}\r\n{''.join(lines)}\r\n"
        self.transport.write(text.encode("latin-1", "replace"))

    def tunnel(self, receive: Callable[[bytes], None]) -> None:
        """Hand everything that comes from now on to `receive` (after a 101)."""
        self._tunnel = receive
        self.deadline = float("inf")
        early, self._buffer = self._buffer, b""
        if early:
            receive(early)

    def timed_out(self) -> None:
        """A deadline passed: nginx closes without a word."""
        self.abort()

    def drain(self) -> None:
        """Close when nothing is under way, else after the answer."""
        self.keep_alive = False
        if not self.busy and not self._buffer and (self.body is None or self.body.complete):
            self.closing = True
            self.transport.close()

    def abort(self) -> None:
        """Cut the connection (an answer that can't be completed ends so)."""
        self.closing = True
        self.transport.abort()

    def close(self) -> None:
        """Close once everything written is out."""
        self.closing = True
        self.keep_alive = False
        self.transport.close()
