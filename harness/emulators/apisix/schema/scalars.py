"""The keywords of strings and numbers: lengths, patterns, ranges, multiples; and enum."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any

from harness.emulators.apisix.schema.formats import searcher
from harness.emulators.apisix.schema.wording import equal, number, quoted

Check = Callable[[Any], str | None]

_RANGES = (
    ("minimum", operator.lt, "at least"),
    ("exclusiveMinimum", operator.le, "greater than"),
    ("maximum", operator.gt, "at most"),
    ("exclusiveMaximum", operator.ge, "smaller than"),
)


def build(schema: Mapping[str, Any], compile_: Callable[[Any], Check]) -> list[Check]:
    """A check for strings, one for numbers and one for enum, where asked for."""
    return [*_text(schema), *_number(schema), *_enum(schema)]


def _text(schema: Mapping[str, Any]) -> list[Check]:
    least, most, pattern = schema.get("minLength"), schema.get("maxLength"), schema.get("pattern")
    if least is None and most is None and pattern is None:
        return []
    matches = searcher(pattern) if pattern is not None else None

    def check(value: Any) -> str | None:
        if not isinstance(value, str):
            return None
        if least is not None and len(value) < least:
            return f"string too short, expected at least {least}, got {len(value)}"
        if most is not None and len(value) > most:
            return f"string too long, expected at most {most}, got {len(value)}"
        if matches is not None and pattern is not None and not matches(value):
            return f"failed to match pattern {quoted(pattern)} with {quoted(value)}"
        return None

    return [check]


def _number(schema: Mapping[str, Any]) -> list[Check]:
    ranges = [(schema[name], broken, words) for name, broken, words in _RANGES if schema.get(name) is not None]
    multiple = schema.get("multipleOf")
    if not ranges and multiple is None:
        return []

    def check(value: Any) -> str | None:
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            return None
        for limit, broken, words in ranges:
            if broken(value, limit):
                return f"expected {number(value)} to be {words} {number(limit)}"
        if multiple is not None and not _is_multiple(value, multiple):
            return f"expected {number(value)} to be a multiple of {number(multiple)}"
        return None

    return [check]


def _is_multiple(value: float, unit: float) -> bool:
    if float(unit).is_integer():
        return value % unit == 0
    quotient = value / unit
    nearest = (quotient + 0.5) // 1
    return abs(quotient - nearest) <= 1e-12 * (abs(nearest) or 1)


def _enum(schema: Mapping[str, Any]) -> list[Check]:
    values = schema.get("enum")
    if values is None:
        return []
    if any(value is None for value in values):
        raise ValueError("unsupported enum type: userdata")

    def check(value: Any) -> str | None:
        return None if any(equal(value, allowed) for allowed in values) else "matches none of the enum values"

    return [check]
