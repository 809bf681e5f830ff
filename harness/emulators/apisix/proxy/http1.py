"""HTTP/1 on the client's side: one connection, its requests one after the other, and the framing of their answers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from harness.emulators.apisix.context import Exit, ExitNow
from harness.emulators.apisix.pages import status_line
from harness.emulators.apisix.proxy.answer import Answer
from harness.emulators.apisix.proxy.body import RequestBody
from harness.emulators.apisix.proxy.chunks import LAST, chunk
from harness.emulators.apisix.proxy.head import Field, Head, Refused, parse
from harness.emulators.apisix.proxy.listener import Listener

#: Pipelined bytes that are held while a request is being answered; more than that waits in the socket.
HELD = 65536
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
#: lingering_timeout, in seconds
LINGER = 5.0
#: Heads are kept up to this length, and so many of them on each listener.
LONGEST_KEPT = 1024
MOST_KEPT = 1024
FOREVER = float("inf")
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
        "_continued",
        "_free",
        "_listener",
        "_put",
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
        "version",
        "write_blocked",
    )

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._buffer = b""
        self._served = 0
        self._advancing = False
        self._chunked = False
        self._continued = False
        #: the next bytes are a request's first: nothing is under way, held or ending
        self._free = False
        self.version = (1, 1)
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
        self._put = self.transport.write
        peer = transport.get_extra_info("peername") or ("127.0.0.1", 0)
        self.remote_addr, self.remote_port = peer[0], peer[1]
        here = transport.get_extra_info("sockname") or ("127.0.0.1", self._listener.port)
        self.server_addr, self.server_port = here[0], here[1]
        listener = self._listener
        if listener.scheme == "https":
            self.tls = transport.get_extra_info("ssl_object")
            if self.certificate is not None and self.certificate.rejects(self.tls):
                self.abort()
                return
        listener.accepted += 1
        listener.connections.add(self)
        self.deadline = listener.now + listener.patience.client_header_timeout
        if self.tls is not None and self.tls.selected_alpn_protocol() == "h2":
            self._become_http2(b"")
        else:
            self._free = True

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
        if self._free:
            self._free = False
            head = self._listener.heads.get(data)
            if head is not None:
                # by far the most requests: a head seen before, and nothing else
                self._begin(head, b"")
                return
        if self._tunnel is not None:
            self._tunnel(data)
            return
        if self.closing:
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
        """A client that half-closes while the upstream is asked is gone (proxy_ignore_client_abort off)."""
        if self._tunnel is not None or not self.busy:
            return False
        self.keep_alive = False
        unfinished = self.body is not None and not self.body.complete
        return not unfinished and not (self.state is not None and self.state.forwarded)

    def pause_writing(self) -> None:
        self.write_blocked = True
        self.deadline = self._listener.now + self._listener.patience.send_timeout

    def resume_writing(self) -> None:
        self.write_blocked = False
        if not self.closing:
            self.deadline = FOREVER
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
        listener = self._listener
        heads = listener.heads
        end = data.find(b"\r\n\r\n") + 4
        head = heads.get(data[:end])
        if head is None:
            try:
                head = parse(data)
            except Refused as refusal:
                self._refuse(data, refusal)
                return False
            if head is None:
                self.deadline = listener.now + listener.patience.client_header_timeout
                return False
            if head.size == end and end < LONGEST_KEPT:
                if len(heads) >= MOST_KEPT:
                    heads.clear()
                heads[data[:end]] = head
        self._begin(head, data[head.size :])
        return True

    def _begin(self, head: Head, rest: bytes) -> None:
        """Begin a request; `rest` is what came behind its head."""
        listener = self._listener
        self.head = head
        self.version = head.version
        self.busy = True
        self.deadline = FOREVER
        served = self._served = self._served + 1
        self.keep_alive = head.keep_alive and served < listener.most_requests and not listener.draining
        self.bodyless = head.bodyless
        if head.bodied:
            self._buffer = b""
            self._begin_body(head, rest)
        else:
            self.body = None
            self._buffer = rest
        listener.handler.request(self, head)

    def _refuse(self, data: bytes, refusal: Refused) -> None:
        if not self._served and self._listener.http2 is not None and PREFACE.startswith(data[: len(PREFACE)]):
            if len(data) >= len(PREFACE):
                self._become_http2(data)
            return
        self.refuse(refusal.status, bare=refusal.bare, bodyless=data.lstrip(b"\r\n").startswith(b"HEAD "))

    def refuse(self, status: int, *, bare: bool = False, bodyless: bool = False) -> None:
        """Answer what can't be read with nginx's page, and end the connection; `bare` leaves its head away."""
        self.version = (0, 9) if bare else (1, 1)
        self.bodyless = bodyless
        self.head = Head("", "", "", "", self.version, [])
        self.busy = True
        self.keep_alive = False
        self._listener.handler.refused(self, status)

    def _become_http2(self, data: bytes) -> None:
        assert self._listener.http2 is not None
        self._listener.outbox.flush()
        protocol = self._listener.http2(self)
        self._listener.gone(self)
        self.transport.set_protocol(protocol)
        protocol.begin(self.transport, data)

    # -- the request's body

    def _begin_body(self, head: Head, first: bytes) -> None:
        self._continued = False
        self.body = RequestBody(head, self.transport)
        if self.body.complete:
            self._buffer = first
            return
        self.deadline = self._listener.now + self._listener.patience.client_body_timeout
        if first and self.body.feed(first):
            self._buffer = self.body.rest

    def _body_complete(self, body: RequestBody) -> None:
        self._buffer = body.rest
        self.deadline = FOREVER
        if not self.busy:
            # it was being thrown away after its answer
            self.body = None
            self._end_of_request()

    def want_body(self, done: Callable[[RequestBody], None]) -> None:
        """Call `done` when the body is whole or known to be bad; at once when it is already."""
        assert self.body is not None
        self.go_ahead()
        self.body.when_complete(done)

    def go_ahead(self) -> None:
        """Somebody wants the body: a client that waits for it is told so."""
        if self.head.expects and not self._continued:
            self._continued = True
            self._write_now(CONTINUE)

    async def read_body(self, limit: int) -> bytes:
        """The whole body; raises ExitNow (413 when longer than `limit`, 400 for bad chunks)."""
        body = self.body
        if body is None:
            return b""
        if limit and max(self.head.length or 0, body.size) > limit:
            raise ExitNow(Exit(413))
        body.limit = limit
        self.go_ahead()
        if not body.complete:
            here = asyncio.Event()
            self.want_body(lambda _: here.set())
            await here.wait()
        if body.failed:
            raise ExitNow(Exit(body.failed))
        return body.content()

    # -- the answer

    def send_head(self, status: int, line: str, fields: list[Field], body: bytes, last: bool) -> int:
        """Begin the answer and tell its size so far; `line` is its status line or empty.

        The framing follows from `fields` and the request.
        """
        version = self.version
        if version < (1, 0):
            self.keep_alive = False
            self.bodyless = False
            self._chunked = False
            self._write(body, last)
            return len(body)
        if status in (204, 304) or 99 < status < 200:
            self.bodyless = True
        framed = self.bodyless
        for field in fields:
            if field[0] == "content-length":
                framed = True
                if status == 204:
                    fields = [other for other in fields if other[0] != "content-length"]
                break
        self._chunked = not framed and version >= (1, 1)
        if not framed and not self._chunked:
            self.keep_alive = False
        data = head_bytes(line or status_line(status), fields, self._chunked, self.keep_alive)
        if not self.bodyless:
            data = self._joined(data, body, last)
        self._write(data, last)
        return len(data)

    def send_unchanged(self, answer: Answer, own: list[Field], body: bytes, last: bool) -> int:
        """As `send_head` for an upstream's answer to which plugins only added `own` fields: its bytes are made once."""
        if self.bodyless or self.version != (1, 1) or answer.status in (204, 304):
            return self.send_head(answer.status, answer.line, own + answer.shown, body, last)
        chunked = self._chunked = answer.length is None
        made = answer.sent.get(self.keep_alive)
        if made is None:
            made = answer.sent[self.keep_alive] = head_parts(answer.line, answer.shown, chunked, self.keep_alive)
        first, rest = made
        if own:
            parts: list[str] = []
            for _, name, value in own:
                parts += (name, ": ", value, "\r\n")
            first += "".join(parts).encode("latin-1", "replace")
        data = self._joined(first + rest, body, last) if chunked else first + rest + body
        if last:
            self._listener.outbox.put(self._put, data)
            self._end_of_answer()
        else:
            self._write_now(data)
        return len(data)

    def _joined(self, head: bytes, body: bytes, last: bool) -> bytes:
        if not self._chunked:
            return head + body
        if body:
            head += chunk(body)
        return head + LAST if last else head

    def send_body(self, data: bytes, last: bool) -> int:
        """More of the answer's body; `last` ends it. Tells how many bytes that took."""
        if self._chunked:
            data = chunk(data) if data else b""
            if last:
                data += LAST
        elif self.bodyless:
            data = b""
        self._write(data, last)
        return len(data)

    def _write(self, data: bytes, last: bool) -> None:
        if not last:
            self._write_now(data)
            return
        if data:
            # nothing follows in this turn, unless it is put behind it
            self._listener.outbox.put(self._put, data)
        self._end_of_answer()

    def _write_now(self, data: bytes) -> None:
        """Write behind what may still be held."""
        self._listener.outbox.flush()
        if data:
            self.transport.write(data)

    def _end_of_answer(self) -> None:
        self.busy = False
        self.state = None
        self.unblocked = None
        body = self.body
        if body is not None:
            if not body.complete and self.keep_alive:
                body.discard()
                return
            if body.complete:
                self.body = None
        self._end_of_request()

    def _end_of_request(self) -> None:
        listener = self._listener
        if not self.keep_alive or listener.draining:
            self._close_after_answer()
            return
        self.deadline = listener.idle_until
        if not self._buffer:
            self._free = True
        else:
            if len(self._buffer) > HELD:
                self.transport.resume_reading()
            if not self._advancing:
                # the request that ended is logged before the next begins: it gives back what it held (limit-conn)
                asyncio.get_running_loop().call_soon(self._advance)

    # -- the rest of a connection's life

    def _close_after_answer(self) -> None:
        """To close on what the client still sends would be a reset, and cost it the answer (lingering_close)."""
        self._listener.outbox.flush()
        self.closing = True
        body = self.body
        self.body = None
        if ((body is None or body.complete) and not self._buffer) or not self.transport.can_write_eof():
            self.transport.close()
            return
        if body is not None:
            body.discard()
        self._buffer = b""
        self.deadline = self._listener.now + LINGER
        self.transport.write_eof()

    def trail(self, fields: list[tuple[str, str]]) -> None:
        """Trailers of an upstream don't reach a client of HTTP/1."""

    def send_switch(self, line: str, fields: list[Field]) -> None:
        """The head of a 101 with the upstream's status line; what follows goes through `tunnel`."""
        lines = [f"{name}: {value}\r\n" for _, name, value in fields]
        self._write_now(f"{line}Connection: upgrade\r\n{''.join(lines)}\r\n".encode("latin-1", "replace"))

    def tunnel(self, receive: Callable[[bytes], None]) -> None:
        """Hand everything that comes from now on to `receive` (after a 101)."""
        self._tunnel = receive
        self.deadline = FOREVER
        early, self._buffer = self._buffer, b""
        if early:
            receive(early)

    def timed_out(self) -> None:
        """A deadline passed: nginx closes without a word, and logs a 408 when a body was awaited."""
        if self.busy and self.body is not None and not self.body.complete and self.state is not None:
            self.state.timed_out()
        self.abort()

    def drain(self) -> None:
        """Close when nothing is under way, else after the answer."""
        self._listener.outbox.flush()
        self.keep_alive = self._free = False
        if not self.busy and not self._buffer and (self.body is None or self.body.complete):
            self.closing = True
            self.transport.close()

    def abort(self) -> None:
        """Cut the connection (an answer that can't be completed ends so)."""
        self._listener.outbox.flush()
        self.closing = True
        self.transport.abort()

    def close(self) -> None:
        """Close once everything written is out."""
        self._listener.outbox.flush()
        self.closing = True
        self.keep_alive = False
        self.transport.close()


def head_bytes(line: str, fields: list[Field], chunked: bool, keep_alive: bool) -> bytes:
    """A head in nginx's order: Date, Content-Type and -Length, the connection's own, then the rest as it came."""
    first, rest = head_parts(line, fields, chunked, keep_alive)
    return first + rest


def head_parts(line: str, fields: list[Field], chunked: bool, keep_alive: bool) -> tuple[bytes, bytes]:
    """A head as `head_bytes`, parted where plugins' own fields stand."""
    first: list[str] = []
    rest: list[str] = []
    for lower, name, value in fields:
        (first if lower in _FIRST else rest).append(f"{name}: {value}\r\n")
    if chunked:
        first.append("Transfer-Encoding: chunked\r\n")
    first.append("Connection: keep-alive\r\n" if keep_alive else "Connection: close\r\n")
    begin = line + "".join(first)
    end = "".join(rest) + "\r\n"
    return begin.encode("latin-1", "replace"), end.encode("latin-1", "replace")
