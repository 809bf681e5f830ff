"""One request over a connection of its own, and the answer with every field as it came: a client's view of a server."""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass, field

import httptools


@dataclass(slots=True)
class Asked:
    """A whole answer; text is Latin-1, the body without its transfer coding."""

    status: int = 0
    reason: str = ""
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""
    whole: bool = False


class _Reading:
    """httptools' call-backs."""

    def __init__(self) -> None:
        self.answer = Asked()
        self.pieces: list[bytes] = []
        self.headed = False

    def on_status(self, status: bytes) -> None:
        self.answer.reason += status.decode("latin-1")

    def on_header(self, name: bytes, value: bytes) -> None:
        self.answer.headers.append((name.decode("latin-1"), value.decode("latin-1")))

    def on_headers_complete(self) -> None:
        self.headed = True

    def on_body(self, body: bytes) -> None:
        self.pieces.append(body)

    def on_message_complete(self) -> None:
        self.answer.whole = True


async def ask(
    address: tuple[str, int],
    method: str,
    target: str,
    fields: list[tuple[str, str]],
    body: bytes,
    within: float,
    tls: ssl.SSLContext | None = None,
) -> Asked:
    """Send the request to (host, port), over TLS with a context; raises OSError, or TimeoutError after `within` s."""
    async with asyncio.timeout(within):
        reader, writer = await asyncio.open_connection(*address, ssl=tls)
        try:
            writer.write(_head(method, target, fields, body) + body)
            return await _read(reader, method)
        finally:
            writer.close()


def _head(method: str, target: str, fields: list[tuple[str, str]], body: bytes) -> bytes:
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in fields)]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")


async def _read(reader: asyncio.StreamReader, method: str) -> Asked:
    reading = _Reading()
    parser = httptools.HttpResponseParser(reading)
    answer = reading.answer
    ended = False
    while not answer.whole and not ended:
        data = await reader.read(65536)
        ended = not data
        try:
            parser.feed_data(data)
        except httptools.HttpParserError as error:
            raise ConnectionError(str(error)) from error
        if method == "HEAD" and reading.headed:
            break
    answer.status = parser.get_status_code()
    if not answer.status:
        raise ConnectionError("closed")
    answer.body = b"".join(reading.pieces)
    return answer
