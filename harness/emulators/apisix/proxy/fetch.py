"""The gateway's own requests (plugins calling out), over the same pools as proxied ones."""

from __future__ import annotations

import asyncio
import re
import ssl
from urllib.parse import urlsplit

from harness.emulators.apisix.exchange import Response
from harness.emulators.apisix.proxy.answer import MAX_HEAD, Answer
from harness.emulators.apisix.proxy.upstream import Keepalive, Pools, Target

#: what the gateway's own client calls itself
_AGENT = "User-Agent: lua-resty-http/0.17.2 (Lua) ngx_lua/10030"
_BREAK = re.compile(r"[\r\n]")
_KEEPALIVE = Keepalive(size=32)


class _Gathering:
    """A user of an upstream connection that waits for the whole answer."""

    longest_head = MAX_HEAD

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.done: asyncio.Future[Response] = loop.create_future()
        self._answer: Answer | None = None
        self._pieces: list[bytes] = []

    def answered(self, answer: Answer, piece: bytes, last: bool) -> None:
        self._answer = answer
        self.more(piece, last)

    def more(self, piece: bytes, last: bool) -> None:
        self._pieces.append(piece)
        if last and not self.done.done() and self._answer is not None:
            headers = [(name, value) for _, name, value in self._answer.fields]
            self.done.set_result(Response(self._answer.status, b"".join(self._pieces), headers))

    def broken(self, status: int, reason: str) -> None:
        if not self.done.done():
            self.done.set_exception(TimeoutError(reason) if status == 504 else ConnectionError(reason))

    def writable(self) -> None:
        pass


def _context(url_scheme: str, verify: bool, trusted: tuple[str, ...]) -> ssl.SSLContext | None:
    if url_scheme != "https":
        return None
    context = _contexts.get((verify, trusted))
    if context is None:
        context = ssl.create_default_context() if "system" in trusted else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        for path in trusted:
            if path != "system":
                context.load_verify_locations(path)
        if not verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        _contexts[verify, trusted] = context
    return context


_contexts: dict[tuple[bool, tuple[str, ...]], ssl.SSLContext] = {}


async def fetch(
    pools: Pools,
    method: str,
    url: str,
    *,
    headers: list[tuple[str, str]] | None = None,
    body: bytes = b"",
    within: float = 3.0,
    ssl_verify: bool = True,
    keepalive: bool = True,
) -> Response:
    """One request and its whole answer; raises OSError, or TimeoutError when it takes longer than `within` seconds.

    Without a User-Agent it says lua-resty-http's; one of "" sends none.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    tls = _context(parts.scheme, ssl_verify, pools.trusted)
    target = Target(host, parts.port or (443 if tls else 80), tls, host)
    pool = pools.get(target, _KEEPALIVE)
    head = _head(
        method, parts.path or "/", parts.query, parts.netloc.rpartition("@")[2], headers or [], body, keepalive
    )
    async with asyncio.timeout(within):
        connection = (pool.take() if keepalive else None) or await pool.open(within)
        user = _Gathering(pools.loop)
        connection.request(user, head + body, method == "HEAD", within, pools.loop.time(), whole=False)
        try:
            return await user.done
        except asyncio.CancelledError:
            connection.leave()
            raise


def _head(
    method: str,
    path: str,
    query: str,
    host: str,
    headers: list[tuple[str, str]],
    body: bytes,
    keepalive: bool,
) -> bytes:
    if any(_BREAK.search(text) for field in headers for text in field):
        raise ConnectionError("invalid characters found in header value")
    named = {name.lower() for name, _ in headers}
    lines = [f"{method} {path}{'?' + query if query else ''} HTTP/1.1"]
    if "host" not in named:
        lines.append(f"Host: {host}")
    lines += [f"{name}: {value}" for name, value in headers if value or name.lower() != "user-agent"]
    if "user-agent" not in named:
        lines.append(_AGENT)
    if "content-length" not in named and (body or method in ("POST", "PUT", "PATCH")):
        lines.append(f"Content-Length: {len(body)}")
    if not keepalive and "connection" not in named:
        lines.append("Connection: close")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")
