"""Reading a request's JSON as the server's Jackson does: scalars become text, unknown fields are ignored.

What of this is taken and what is refused was asked of a real server (3.0.3).
"""

from __future__ import annotations

import json
from types import NoneType
from typing import Any, NoReturn

from harness.emulators.nacos.errors import NacosError

#: `NacosException.BAD_GATEWAY`: a body that is no such request; the words are the same for all of them.
BAD_BODY = 502
WORDS = "errCode: 101, errMsg: Nacos deserialize failed.  "
_DECODER = json.JSONDecoder(parse_constant=lambda name: _refused())


class Body:
    """The JSON object of a request. Wrong types raise NacosError, as deserializing them fails on the server."""

    __slots__ = ("_fields",)

    def __init__(self, fields: dict[str, Any]) -> None:
        self._fields = fields

    def text(self, name: str, default: str = "") -> str:
        """A string; null and absent give the default."""
        value = self._fields.get(name)
        if value is None:
            return default
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, (str, int, float)):
            return str(value)
        raise wrong()

    def optional(self, name: str) -> str | None:
        """A string, or None where null or absent."""
        return None if self._fields.get(name) is None else self.text(name)

    def flag(self, name: str, default: bool) -> bool:
        """A boolean."""
        value = self._fields.get(name)
        if value is None:
            return default
        if isinstance(value, int):
            return bool(value)
        if isinstance(value, str) and value.lower() in {"true", "false", ""}:
            return value.lower() == "true"
        raise wrong()

    def number(self, name: str, default: float) -> float:
        """A number; text of digits counts."""
        value = self._fields.get(name)
        if value is None or value == "":
            return default
        try:
            number = float(value)
        except (TypeError, ValueError, OverflowError):
            raise wrong() from None
        if not abs(number) < 1e15:
            raise wrong()
        return number

    def whole(self, name: str, default: int) -> int:
        """A Java int; a fraction is cut off where it is a number, refused where it is text."""
        value = self._fields.get(name)
        number = self.number(name, default)
        if abs(number) >= 1 << 31 or (isinstance(value, str) and not number.is_integer()):
            raise wrong()
        return int(number)

    def part(self, name: str) -> Body:
        """A nested object; null and absent give an empty one."""
        return Body(self._of(name, dict, {}))

    def mapping(self, name: str) -> dict[str, Any]:
        """A nested object as it is."""
        return dict(self._of(name, dict, {}))

    def text_map(self, name: str) -> dict[str, str]:
        """A nested object whose values are text; nulls stay out."""
        part = self.part(name)
        return {key: part.text(key) for key in part._fields if part.has(key)}

    def parts(self, name: str) -> list[Body]:
        """A list of objects; null and absent give an empty one."""
        items = self._of(name, list, [])
        if not all(isinstance(item, dict) for item in items):
            raise wrong()
        return [Body(item) for item in items]

    def texts(self, name: str) -> list[str]:
        """A list of strings."""
        items = Body(dict(enumerate(self._of(name, list, []))))  # type: ignore[arg-type]
        return [items.text(at) for at in items._fields]

    def has(self, name: str) -> bool:
        """Whether the field is there and not null."""
        return self._fields.get(name) is not None

    def _of(self, name: str, kind: type, default: Any) -> Any:
        value = self._fields.get(name)
        if value is None:
            return default
        if not isinstance(value, kind):
            raise wrong()
        return value


def wrong(words: str = WORDS) -> NacosError:
    """The refusal of a body."""
    return NacosError(BAD_BODY, words, BAD_BODY)


def _refused() -> NoReturn:
    raise ValueError("NaN and Infinity are no JSON")


def read(data: bytes) -> Body:
    """Parse a request's JSON; raises NacosError (502) for what is no JSON object. What follows it is ignored."""
    try:
        text = (data or b"{}").decode(json.detect_encoding(data or b"{}"))
        fields, _ = _DECODER.raw_decode(text.lstrip())
    except (ValueError, RecursionError):
        raise wrong() from None
    if fields is None:
        raise wrong("Invalid request")
    if not isinstance(fields, dict) or not isinstance(fields.get("headers", {}), (dict, NoneType)):
        raise wrong()
    return Body(fields)
