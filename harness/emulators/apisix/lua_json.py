"""JSON as lua-cjson reads and writes it: its numbers, its error texts, its raw bytes."""

from __future__ import annotations

import json
import math
import re
from typing import Any

#: lua-cjson's limit is 1000; ours is lower, as nothing real comes near it and Python's stack is shorter
DEEPEST = 200

_TOO_DEEP = "Found too many nested data structures (1001)"


def decode(raw: bytes | str) -> Any:
    """A value from JSON text; whole numbers come as int, bytes that aren't UTF-8 as surrogates.

    Raises ValueError with lua-cjson's own words.
    """
    text = raw.decode("utf-8", "surrogateescape") if isinstance(raw, bytes) else raw
    try:
        value = _DECODER.decode(text)
    except RecursionError:
        raise ValueError(_TOO_DEEP) from None
    except ValueError:
        value = _Reader(text).whole()
    if text.count("[") + text.count("{") > DEEPEST and _depth(value) > DEEPEST:
        raise ValueError(_TOO_DEEP)
    return value


def encode(value: Any) -> bytes:
    """JSON text without blanks, slashes bare."""
    return _ENCODER.encode(value).encode("utf-8", "surrogateescape")


def _depth(value: Any) -> int:
    depth, level = 0, [value]
    while level := [item for item in level if isinstance(item, (dict, list))]:
        depth += 1
        level = [member for item in level for member in (item.values() if isinstance(item, dict) else item)]
    return depth


def _float(text: str) -> float:
    """Lua has one kind of number: 1.0 and 1e3 are whole."""
    value = float(text)
    if math.isinf(value):
        raise ValueError(text)  # the slow reader words it
    return int(value) if value.is_integer() and abs(value) < 2**53 else value


def _int(text: str) -> float:
    return int(text) if len(text) < 16 else _float(text)


def _no_constant(text: str) -> float:
    raise ValueError(text)


_DECODER = json.JSONDecoder(parse_float=_float, parse_int=_int, parse_constant=_no_constant)
_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), check_circular=False)

_NUMBER = re.compile(r"[-+]?(0[xX][0-9a-fA-F]+|(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?|inf(inity)?|nan)", re.IGNORECASE)
_STRING = re.compile(r'"((?:[^"\\\x00]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*)"', re.DOTALL)
_TOKENS = {
    "{": "T_OBJ_BEGIN",
    "}": "T_OBJ_END",
    "[": "T_ARR_BEGIN",
    "]": "T_ARR_END",
    ",": "T_COMMA",
    ":": "T_COLON",
    "": "T_END",
}
_WORDS = {"true": True, "false": False, "null": None}
_ESCAPES = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_ESCAPE = re.compile(r"\\(u([0-9a-fA-F]{4})|.)")


class _Reader:
    """A second, slow reading for text that Python's parser refuses: lua-cjson takes more (hexadecimal numbers, raw
    control characters in strings), and words its refusals by token and place."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.start = 0
        self.kind = ""
        self.value: Any = None
        self.depth = 0

    def whole(self) -> Any:
        self._next()
        value = self._read()
        self._next()
        if self.kind != "T_END":
            raise self._expected("the end")
        return value

    def _next(self) -> None:
        while self.at < len(self.text) and self.text[self.at] in " \t\n\r":
            self.at += 1
        self.start = self.at
        char = self.text[self.at : self.at + 1]
        if char in _TOKENS:
            self.kind = _TOKENS[char]
            self.at += len(char)
        elif char == '"':
            self._string()
        else:
            self._scalar()

    def _string(self) -> None:
        found = _STRING.match(self.text, self.at)
        if not found:
            self._bad_string()
            return
        self.kind, self.at = "T_STRING", found.end()
        self.value = _unescape(found[1])

    def _bad_string(self) -> None:
        """Find the first thing wrong: a bad escape, or the end of the text."""
        at = self.at + 1
        while at < len(self.text) and self.text[at] != '"':
            if self.text[at] == "\\":
                valid = re.compile(r'\\(["\\/bfnrt]|u[0-9a-fA-F]{4})').match(self.text, at)
                if not valid:
                    unicode = self.text[at + 1 : at + 2] == "u"
                    self.start = at
                    self.kind = "invalid unicode escape code" if unicode else "invalid escape code"
                    return
                at = valid.end()
            else:
                at += 1
        self.start, self.kind = len(self.text), "unexpected end of string"

    def _scalar(self) -> None:
        for word, value in _WORDS.items():
            if self.text.startswith(word, self.at):
                self.kind = "T_NULL" if value is None else "T_BOOLEAN"
                self.value, self.at = value, self.at + len(word)
                return
        found = _NUMBER.match(self.text, self.at)
        if not found:
            self.kind = "invalid token"
            return
        self.kind, self.at = "T_NUMBER", found.end()
        self.value = _lua_number(found[0])

    def _read(self) -> Any:
        if self.kind in ("T_STRING", "T_NUMBER", "T_BOOLEAN", "T_NULL"):
            return self.value
        if self.kind not in ("T_OBJ_BEGIN", "T_ARR_BEGIN"):
            raise self._expected("value")
        self.depth += 1
        if self.depth > DEEPEST:
            raise ValueError(_TOO_DEEP)
        value = self._object() if self.kind == "T_OBJ_BEGIN" else self._array()
        self.depth -= 1
        return value

    def _object(self) -> dict[str, Any]:
        members: dict[str, Any] = {}
        self._next()
        if self.kind == "T_OBJ_END":
            return members
        while True:
            if self.kind != "T_STRING":
                raise self._expected("object key string")
            name = self.value
            self._next()
            if self.kind != "T_COLON":
                raise self._expected("colon")
            self._next()
            members[name] = self._read()
            self._next()
            if self.kind == "T_OBJ_END":
                return members
            if self.kind != "T_COMMA":
                raise self._expected("comma or object end")
            self._next()

    def _array(self) -> list[Any]:
        items: list[Any] = []
        self._next()
        if self.kind == "T_ARR_END":
            return items
        while True:
            items.append(self._read())
            self._next()
            if self.kind == "T_ARR_END":
                return items
            if self.kind != "T_COMMA":
                raise self._expected("comma or array end")
            self._next()

    def _expected(self, what: str) -> ValueError:
        # counted in bytes, as C does
        place = len(self.text[: self.start].encode("utf-8", "surrogateescape")) + 1
        return ValueError(f"Expected {what} but found {self.kind} at character {place}")


def _lua_number(text: str) -> float:
    """Hexadecimal is taken; NaN and infinity are refused here, since nothing could store them."""
    if "x" in text.lower():
        return _int(str(int(text, 16)))
    value = float(text)
    if math.isinf(value) or math.isnan(value):
        raise ValueError("Cannot serialise number: must not be NaN or Inf")
    return _float(text)


def _unescape(text: str) -> str:
    plain = _ESCAPE.sub(lambda m: chr(int(m[2], 16)) if m[2] else _ESCAPES.get(m[1], m[1]), text)
    return plain.encode("utf-16", "surrogatepass").decode("utf-16", "replace") if "\\u" in text else plain
