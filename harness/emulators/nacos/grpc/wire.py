"""The Payload message of the protocol, by hand: no descriptor is registered, so SDKs in this process keep theirs.

message Metadata { string type = 3; map<string,string> headers = 7; string clientIp = 8; }
message Any      { string type_url = 1; bytes value = 2; }
message Payload  { Metadata metadata = 2; Any body = 3; }
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


@dataclass(frozen=True, slots=True)
class Payload:
    """One message: `body` is JSON in UTF-8, `headers` ride beside it."""

    type: str
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)
    client_ip: str = ""


def encode(type_name: str, body: bytes) -> bytes:
    """A payload as the server sends it: a type and a body."""
    return encode_head(type_name, len(body)) + body


def encode_head(type_name: str, size: int) -> bytes:
    """All of a payload but the last `size` bytes, which are the body: many receivers share one."""
    inner = b"\x12" + _varint(size)
    return _metadata(type_name) + b"\x1a" + _varint(len(inner) + size) + inner


@lru_cache(maxsize=256)
def _metadata(type_name: str) -> bytes:
    name = type_name.encode()
    inner = b"\x1a" + _varint(len(name)) + name
    return b"\x12" + _varint(len(inner)) + inner


def decode(data: bytes) -> Payload:
    """Read a payload; raises ValueError for what is no such message."""
    metadata = value = b""
    for number, content in _fields(data):
        if number == 2:
            metadata = content
        elif number == 3:
            value = content
    type_name, headers, client_ip = _read_metadata(metadata)
    body = b""
    for number, content in _fields(value):
        if number == 2:
            body = content
    return Payload(type_name, body, headers, client_ip)


def _read_metadata(data: bytes) -> tuple[str, dict[str, str], str]:
    type_name = client_ip = ""
    headers: dict[str, str] = {}
    for number, content in _fields(data):
        if number == 3:
            type_name = content.decode()
        elif number == 7:
            pair = dict(_fields(content))
            headers[pair.get(1, b"").decode()] = pair.get(2, b"").decode()
        elif number == 8:
            client_ip = content.decode()
    return type_name, headers, client_ip


def _fields(data: bytes) -> Iterator[tuple[int, bytes]]:
    """(field number, content) of each length-delimited field; others are skipped, as unknown ones are."""
    at, end = 0, len(data)
    while at < end:
        tag, at = _read_varint(data, at)
        number, kind = tag >> 3, tag & 7
        if number == 0:
            raise ValueError("field number 0")
        if kind == _BYTES:
            length, at = _read_varint(data, at)
            if at + length > end:
                raise ValueError("a field ends beyond its message")
            yield number, data[at : at + length]
            at += length
        else:
            at = _skip(data, at, kind)


def _skip(data: bytes, at: int, kind: int) -> int:
    if kind == _VARINT:
        return _read_varint(data, at)[1]
    after = at + {_FIXED64: 8, _FIXED32: 4}.get(kind, len(data) + 1)
    if after > len(data):
        raise ValueError(f"bad wire type {kind} or a field ends beyond its message")
    return after


def _read_varint(data: bytes, at: int) -> tuple[int, int]:
    result = shift = 0
    while True:
        if at >= len(data) or shift > 63:
            raise ValueError("a varint that does not end")
        byte = data[at]
        at += 1
        result |= (byte & 0x7F) << shift
        if byte < 0x80:
            return result, at
        shift += 7


def _varint(value: int) -> bytes:
    if value < 0x80:
        return bytes((value,))
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
