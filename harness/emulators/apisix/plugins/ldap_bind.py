"""An LDAP simple bind: does the directory take this name with this password?"""

from __future__ import annotations

import asyncio
import re
import ssl

_SEQUENCE, _INTEGER, _OCTETS, _BIND, _SIMPLE, _ANSWER = 0x30, 0x02, 0x04, 0x60, 0x80, 0x61
_SPECIAL = re.compile(r'[\\,+"<>;=]')
_INVALID_CREDENTIALS = 49


async def bind(
    host: str, port: int, name: str, password: bytes, tls: ssl.SSLContext | None = None, within: float = 10.0
) -> int:
    """The directory's result code (0: taken); raises OSError, TimeoutError or ValueError without an answer.

    An empty password is refused here: to a directory it means "nobody", which it would take.
    """
    if not password:
        return _INVALID_CREDENTIALS
    async with asyncio.timeout(within):
        reader, writer = await asyncio.open_connection(host, port, ssl=tls)
        try:
            writer.write(_question(name.encode("utf-8", "surrogateescape"), password))
            return _result(await _message(reader))
        except asyncio.IncompleteReadError as error:
            raise ConnectionError("the directory closed the connection") from error
        finally:
            writer.close()


def escaped(text: str) -> str:
    """A value of a distinguished name, RFC 4514."""
    text = _SPECIAL.sub(lambda match: "\\" + match[0], text).replace("\0", "\\00")
    if text.startswith(("#", " ")):
        text = "\\" + text
    return text[:-1] + "\\ " if text.endswith(" ") and not text.endswith("\\ ") else text


def _field(tag: int, data: bytes) -> bytes:
    size = len(data)
    length = bytes([size]) if size < 128 else b"\x84" + size.to_bytes(4, "big")
    return bytes([tag]) + length + data


def _question(name: bytes, password: bytes) -> bytes:
    request = _field(_INTEGER, b"\x03") + _field(_OCTETS, name) + _field(_SIMPLE, password)
    return _field(_SEQUENCE, _field(_INTEGER, b"\x01") + _field(_BIND, request))


async def _message(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readexactly(2)
    size = head[1]
    if size >= 128:
        size = int.from_bytes(await reader.readexactly(size - 128), "big")
    return await reader.readexactly(size)


def _take(data: bytes) -> tuple[int, bytes, bytes]:
    """(tag, contents, the rest)."""
    size, at = data[1], 2
    if size >= 128:
        at = 2 + size - 128
        size = int.from_bytes(data[2:at], "big")
    return data[0], data[at : at + size], data[at + size :]


def _result(message: bytes) -> int:
    try:
        _, _, rest = _take(message)
        tag, answer, _ = _take(rest)
        _, code, _ = _take(answer)
    except IndexError as error:
        raise ValueError("the directory's answer can't be read") from error
    if tag != _ANSWER or not code:
        raise ValueError("the directory's answer is none to a bind")
    return int.from_bytes(code, "big")
