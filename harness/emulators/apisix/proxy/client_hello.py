"""The names in a TLS ClientHello, read before the handshake begins: which certificate and rules apply hangs on them."""

from __future__ import annotations

from dataclasses import dataclass

_HANDSHAKE, _CLIENT_HELLO = 22, 1
_SERVER_NAME = 0


@dataclass(frozen=True, slots=True)
class ClientHello:
    """What was read: `server_name` lower-cased, "" when the client sent none."""

    server_name: str


class NotTls(Exception):
    """The first bytes are not TLS."""


def parse(data: bytes) -> ClientHello | None:
    """The ClientHello that `data` begins with; None when more must come. Raises NotTls."""
    if data[:1] != bytes([_HANDSHAKE]) or (len(data) > 1 and data[1] != 3):
        raise NotTls
    handshake = _records(data)
    if len(handshake) < 4:
        return None
    if handshake[0] != _CLIENT_HELLO:
        raise NotTls
    length = int.from_bytes(handshake[1:4], "big")
    if len(handshake) < 4 + length:
        return None
    try:
        return ClientHello(_server_name(handshake[4 : 4 + length]))
    except IndexError as error:
        raise NotTls from error


def _records(data: bytes) -> bytes:
    """The handshake bytes of the records that are here, joined."""
    joined = b""
    position = 0
    while position + 5 <= len(data) and data[position] == _HANDSHAKE:
        length = int.from_bytes(data[position + 3 : position + 5], "big")
        joined += data[position + 5 : position + 5 + length]
        position += 5 + length
    return joined


def _server_name(hello: bytes) -> str:
    position = 34  # version and random
    position += 1 + hello[position]  # session id
    position += 2 + _number(hello, position)  # cipher suites
    position += 1 + hello[position]  # compression methods
    if position + 2 > len(hello):
        return ""
    end = min(position + 2 + _number(hello, position), len(hello))
    position += 2
    while position + 4 <= end:
        kind, length = _number(hello, position), _number(hello, position + 2)
        if kind == _SERVER_NAME:
            return _first_name(hello[position + 4 : position + 4 + length])
        position += 4 + length
    return ""


def _first_name(extension: bytes) -> str:
    length = _number(extension, 3) if len(extension) > 5 else 0
    return extension[5 : 5 + length].decode("latin-1").lower()


def _number(data: bytes, position: int) -> int:
    return data[position] << 8 | data[position + 1]
