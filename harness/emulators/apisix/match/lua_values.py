"""How Lua sees values that came from JSON or from a request: numbers in text, truth, equality."""

from __future__ import annotations

import re
from typing import Any

_DECIMAL = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?\Z")
_HEX = re.compile(r"[+-]?0[xX](?:[0-9a-fA-F]+\.?[0-9a-fA-F]*|\.[0-9a-fA-F]+)(?:[pP][+-]?\d+)?\Z")
_WORD = re.compile(r"[+-]?(?:inf|infinity|nan)\Z", re.I)


def to_number(value: Any) -> float | int | None:
    """Lua's tonumber: numbers, and text that LuaJIT would read as one ("05", " 1e2 ", "0x1F"); else None."""
    if isinstance(value, bool):
        return None
    if isinstance(value, (int, float)):
        return value
    if not isinstance(value, str):
        return None
    text = value.strip(" \t\n\r\v\f")
    if _DECIMAL.match(text) or _WORD.match(text):
        return float(text)
    return float.fromhex(text) if _HEX.match(text) else None


def same(left: Any, right: Any) -> bool:
    """Lua's ==: values of different types differ (True is not 1), tables are equal to themselves alone."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, (list, dict)) or isinstance(right, (list, dict)):
        return left is right
    return bool(left == right)


def to_text(value: Any) -> str:
    """Lua's tostring for what a variable may hold: numbers without a trailing .0, booleans in lower case."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return f"{value:.14g}"
    return "nil" if value is None else str(value)
