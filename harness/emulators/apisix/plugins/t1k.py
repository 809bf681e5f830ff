"""The T1K protocol that SafeLine's detector speaks: one question per request, tagged packets both ways."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass

HEAD, BODY, EXTRA, VERSION = 0x01, 0x02, 0x03, 0x20
EXTRA_HEADER, EXTRA_BODY = 0x23, 0x24
_FIRST, _LAST = 0x40, 0x80
_PROTOCOL = b"Proto:3\n"
_EVENT = re.compile(rb"<!-- event_id: ([A-Za-z0-9]+)(?: TYPE: [a-zA-Z])? -->")


class DetectorError(Exception):
    """The detector gave no (whole) answer."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the detector says; `status` and `event_id` are empty for a request that may pass."""

    action: str
    status: str
    event_id: str
    headers: tuple[tuple[str, str], ...]


def packets(head: bytes, body: bytes, extra: bytes) -> bytes:
    """The question about a request: its head as it came, its body, and lines about the connection."""
    parts = [(HEAD, head), *([(BODY, body)] if body else []), (EXTRA, extra), (VERSION, _PROTOCOL)]
    last = len(parts) - 1
    marks = [(_FIRST if index == 0 else 0) | (_LAST if index == last else 0) for index in range(len(parts))]
    packed = (
        bytes([tag | mark]) + len(data).to_bytes(4, "little") + data
        for (tag, data), mark in zip(parts, marks, strict=True)
    )
    return b"".join(packed)


def extra_lines(values: list[tuple[int, str]]) -> bytes:
    """The extra packet: a key byte and a text per line, after the flag of the new version."""
    return b"\x01\n" + b"".join(bytes([key]) + text.encode("latin-1") + b"\n" for key, text in values)


async def ask(host: str, port: int, question: bytes, *, connect: float, read: float) -> Verdict:
    """Put the question; raises DetectorError ("… timeout" when it took longer than `connect` or `read` seconds)."""
    server = f"{host}:{port}"
    try:
        async with asyncio.timeout(connect):
            reader, writer = await asyncio.open_connection(host, port)
    except TimeoutError as error:
        raise DetectorError(f"failed to connect to t1k server {server}: timeout") from error
    except OSError as error:
        raise DetectorError(f"failed to connect to t1k server {server}: connection refused") from error
    try:
        writer.write(question)
        async with asyncio.timeout(read):
            return _verdict(await _receive(reader))
    except TimeoutError as error:
        raise DetectorError(f"failed to receive info packet from t1k server {server}: timeout") from error
    except (OSError, asyncio.IncompleteReadError) as error:
        raise DetectorError(f"failed to receive info packet from t1k server {server}: closed") from error
    finally:
        writer.close()


async def _receive(reader: asyncio.StreamReader) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    last = False
    while not last:
        head = await reader.readexactly(5)
        last = bool(head[0] & _LAST)
        found[head[0] & 0x3F] = await reader.readexactly(int.from_bytes(head[1:], "little"))
    return found


def _verdict(found: dict[int, bytes]) -> Verdict:
    event = _EVENT.search(found.get(EXTRA_BODY, b""))
    lines = found.get(EXTRA_HEADER, b"").decode("latin-1").split("\n")
    headers = tuple((name, value) for name, colon, value in (line.partition(":") for line in lines) if colon)
    status = found.get(BODY, b"").decode("latin-1")
    return Verdict(found.get(HEAD, b"").decode("latin-1"), status, event[1].decode() if event else "", headers)
