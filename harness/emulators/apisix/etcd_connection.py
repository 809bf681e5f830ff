"""HTTP/1.1 to one etcd member: a request at a time on a kept connection, and answers that stream."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from typing import cast
from urllib.parse import urlsplit

import httptools


class Connection(asyncio.Protocol):
    """One connection; `on_chunk` gets the body's pieces as they come, else `ask` returns it whole."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._parser: httptools.HttpResponseParser = httptools.HttpResponseParser(self)
        self._body: list[bytes] = []
        self._answer: asyncio.Future[tuple[int, bytes]] | None = None
        self.on_chunk: Callable[[bytes], None] | None = None
        self.closed = False
        self.host = ""

    @classmethod
    async def open(cls, url: str, within: float, tls: ssl.SSLContext | None, sni: str = "") -> Connection:
        """Connect to http(s)://host:port. Raises OSError or TimeoutError."""
        parts = urlsplit(url)
        secure = parts.scheme == "https"
        port = parts.port or (443 if secure else 2379)
        async with asyncio.timeout(within):
            _, connection = await asyncio.get_running_loop().create_connection(
                cls,
                parts.hostname or "",
                port,
                ssl=(tls or ssl.create_default_context()) if secure else None,
                server_hostname=(sni or None) if secure else None,
            )
        connection.host = f"{parts.hostname}:{port}"
        return connection

    async def ask(
        self, path: str, body: bytes, headers: bytes, within: float, method: str = "POST"
    ) -> tuple[int, bytes]:
        """Send and read the answer: status and body. Raises OSError when cut, TimeoutError when late."""
        if self.closed or self._transport is None:
            raise ConnectionResetError("connection closed")
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(
            f"{method} {path} HTTP/1.1\r\nHost: {self.host}\r\nContent-Length: {len(body)}\r\n".encode()
            + headers
            + b"\r\n"
            + body
        )
        async with asyncio.timeout(within):
            return await self._answer

    def close(self) -> None:
        """Drop the connection."""
        self.closed = True
        if self._transport is not None:
            self._transport.abort()

    # asyncio's and httptools' callbacks

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are of no class of asyncio's
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self._fail(ConnectionResetError(f"not an HTTP answer: {error}"))
            self.close()

    def connection_lost(self, error: Exception | None) -> None:
        self.closed = True
        self._fail(error if isinstance(error, OSError) else ConnectionResetError("connection closed by etcd"))

    def _fail(self, error: OSError) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error)

    def on_message_begin(self) -> None:
        self._body = []

    def on_body(self, chunk: bytes) -> None:
        if self.on_chunk is not None:
            self.on_chunk(chunk)
        else:
            self._body.append(chunk)

    def on_message_complete(self) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_result((self._parser.get_status_code(), b"".join(self._body)))
        if not self._parser.should_keep_alive():
            self.close()
