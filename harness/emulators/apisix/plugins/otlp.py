"""Spans as OTLP's protocol buffers (opentelemetry/proto/trace/v1/trace.proto), written by hand: a dozen fields."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field

Attribute = str | bool | int | float


@dataclass(slots=True)
class OtelSpan:
    """One finished span; ids are hexadecimal, times nanoseconds since the epoch."""

    trace_id: str
    span_id: str
    parent_id: str
    name: str
    kind: int
    start: int
    end: int
    attributes: dict[str, Attribute] = field(default_factory=dict)
    error: str = ""
    trace_state: str = ""


def export_request(resource: Mapping[str, Attribute], scope: str, spans: list[OtelSpan]) -> bytes:
    """An ExportTraceServiceRequest with all spans under one resource and one scope."""
    named = _message(1, _text(1, scope))
    of_scope = _message(2, named + b"".join(_message(2, _span(span)) for span in spans))
    return _message(1, _message(1, _attributes(1, resource)) + of_scope)


def _span(span: OtelSpan) -> bytes:
    parts = [_bytes(1, bytes.fromhex(span.trace_id)), _bytes(2, bytes.fromhex(span.span_id))]
    if span.trace_state:
        parts.append(_text(3, span.trace_state))
    if span.parent_id:
        parts.append(_bytes(4, bytes.fromhex(span.parent_id)))
    parts += [_text(5, span.name), _number(6, span.kind), _fixed64(7, span.start), _fixed64(8, span.end)]
    parts.append(_attributes(9, span.attributes))
    if span.error:
        parts.append(_message(15, _text(2, span.error) + _number(3, 2)))
    return b"".join(parts)


def _attributes(number: int, attributes: Mapping[str, Attribute]) -> bytes:
    return b"".join(_message(number, _text(1, key) + _message(2, _value(value))) for key, value in attributes.items())


def _value(value: Attribute) -> bytes:
    if isinstance(value, bool):
        return _number(2, int(value))
    if isinstance(value, int):
        return _number(3, value)
    return _tag(4, 1) + struct.pack("<d", value) if isinstance(value, float) else _text(1, value)


def _tag(number: int, kind: int) -> bytes:
    return _varint(number << 3 | kind)


def _varint(value: int) -> bytes:
    value &= (1 << 64) - 1
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _number(number: int, value: int) -> bytes:
    return _tag(number, 0) + _varint(value)


def _fixed64(number: int, value: int) -> bytes:
    return _tag(number, 1) + struct.pack("<Q", value)


def _bytes(number: int, value: bytes) -> bytes:
    return _tag(number, 2) + _varint(len(value)) + value


def _text(number: int, value: str) -> bytes:
    return _bytes(number, value.encode("utf-8", "surrogateescape"))


def _message(number: int, content: bytes) -> bytes:
    return _bytes(number, content)
