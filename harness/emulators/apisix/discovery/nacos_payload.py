"""The one message of Nacos' gRPC protocol: a type's name, headers, and a body in JSON.

message Metadata { string type = 3; map<string,string> headers = 7; }
message Payload  { Metadata metadata = 2; google.protobuf.Any body = 3; }
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

_BYTES = 2


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes((*out, number))


def _member(number: int, data: bytes) -> bytes:
    return _varint(number << 3 | _BYTES) + _varint(len(data)) + data


def _read_varint(data: bytes, at: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        byte = data[at]
        at += 1
        number |= (byte & 127) << shift
        if byte < 128:
            return number, at
        shift += 7


def _members(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The members that are strings or messages; others are passed over."""
    at = 0
    while at < len(data):
        key, at = _read_varint(data, at)
        if key & 7 == _BYTES:
            size, at = _read_varint(data, at)
            yield key >> 3, data[at : at + size]
            at += size
        elif key & 7 == 0:
            _, at = _read_varint(data, at)
        else:
            at += 8 if key & 7 == 1 else 4


def encode(type_name: str, body: Mapping[str, Any], headers: Mapping[str, str]) -> bytes:
    """A payload as a client sends it."""
    entries = (_member(7, _member(1, name.encode()) + _member(2, value.encode())) for name, value in headers.items())
    metadata = _member(3, type_name.encode()) + b"".join(entries)
    value = json.dumps({**body, "headers": dict(headers)}, separators=(",", ":")).encode()
    return _member(2, metadata) + _member(3, _member(2, value))


def decode(data: bytes) -> tuple[str, dict[str, Any]]:
    """(type, body); raises ValueError for what can't be read."""
    try:
        parts = dict(_members(data))
        type_name = dict(_members(parts.get(2, b""))).get(3, b"").decode()
        body = json.loads(dict(_members(parts.get(3, b""))).get(2, b"") or b"{}")
    except IndexError as error:
        raise ValueError("a payload broke off") from error
    if not isinstance(body, dict):
        raise ValueError("a payload's body is no object")
    return type_name, body
