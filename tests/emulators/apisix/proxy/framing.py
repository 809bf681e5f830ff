"""The same raw bytes to two proxies: what each says to the client, and what each asks of its upstream."""

from __future__ import annotations

import contextlib
import re
import socket
from typing import Any, NamedTuple

#: Sent right behind the bytes under test: whoever counts those otherwise sees another request here, or none.
PROBE = b"GET /probe HTTP/1.1\r\nHost: p.test\r\nConnection: close\r\n\r\n"
_STATUS = re.compile(rb"HTTP/1\.1 (\d\d\d) ")
#: What the proxies add or name differently by their configuration
_OWN = re.compile(rb"(?i)(x-real-ip|x-forwarded-[a-z]+|user-agent|connection):.*")


class Seen(NamedTuple):
    """What came of some bytes: statuses in order (0: a bare answer), error pages, a reset or not, upstream requests."""

    statuses: tuple[int, ...]
    pages: int
    reset: bool
    asked: tuple[bytes, ...]


def exchange(address: tuple[str, int], data: bytes, *, probe: bytes = PROBE) -> tuple[bytes, bool]:
    """Send `data` and a probe behind it, and read until the other side closes; tells whether it did so by a reset."""
    received = b""
    with socket.create_connection(address, timeout=5) as connection:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            connection.sendall(data + probe)
        try:
            while piece := connection.recv(65536):
                received += piece
        except ConnectionResetError:
            return received, True
    return received, False


def see(address: tuple[str, int], node: Any, data: bytes, *, probe: bytes = PROBE) -> Seen:
    """What a proxy before `node` (an Upstream whose `seen` is emptied) makes of these bytes."""
    node.seen.clear()
    received, reset = exchange(address, data, probe=probe)
    statuses = tuple(int(status) for status in _STATUS.findall(received))
    if not received.startswith(b"HTTP/1.1 ") and received:
        statuses = (0, *statuses)
    return Seen(statuses, received.count(b"<html>"), reset, tuple(_plain(request) for request in node.seen))


def _plain(request: bytes) -> bytes:
    """A request without what is the proxy's own; the fields in order of their names."""
    head, _, body = request.partition(b"\r\n\r\n")
    line, *fields = head.split(b"\r\n")
    kept = sorted(field for field in fields if not _OWN.fullmatch(field))
    return b"\r\n".join([line, *kept, b"", body])
