"""How LuaJIT words values: type names, numbers and quoted strings, as they show up in APISIX's error messages."""

from __future__ import annotations

from typing import Any


def type_name(value: Any) -> str:
    """What Lua's `type` says of a decoded JSON value; null is cjson's userdata."""
    if value is None:
        return "userdata"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, (int, float)):
        return "number"
    return "string" if isinstance(value, str) else "table"


def number(value: float) -> str:
    """A number as Lua's `tostring`: 14 significant digits, no ".0" on whole ones."""
    if value != value:
        return "nan"
    if value in (float("inf"), float("-inf")):
        return "inf" if value > 0 else "-inf"
    return f"{value:.14g}"


def text(value: Any) -> str:
    """A scalar as Lua's `tostring`."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return number(value)
    return "userdata: NULL" if value is None else str(value)


def quoted(value: str) -> str:
    """A string as LuaJIT's `%q`: quotes, backslashes and newlines escaped, control characters as decimals."""
    return '"' + "".join(_escape(char, value[index + 1 : index + 2]) for index, char in enumerate(value)) + '"'


def _escape(char: str, following: str) -> str:
    if char in '"\\\n':
        return "\\" + char
    if char < " " or char == "\x7f":
        return f"\\{ord(char):03d}" if following.isdigit() else f"\\{ord(char)}"
    return char


def equal(left: Any, right: Any) -> bool:
    """Lua's deep equality of decoded JSON: numbers by value, no number equals a boolean, `{}` equals `[]`."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, (list, dict)) and isinstance(right, (list, dict)):
        return _equal_tables(left, right)
    return bool(left == right)


def _equal_tables(left: list[Any] | dict[str, Any], right: list[Any] | dict[str, Any]) -> bool:
    if len(left) != len(right):
        return False
    if isinstance(left, dict) and isinstance(right, dict):
        return all(key in right and equal(value, right[key]) for key, value in left.items())
    if isinstance(left, list) and isinstance(right, list):
        return all(map(equal, left, right))
    return not left
