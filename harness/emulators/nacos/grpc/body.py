"""Reading a request's JSON as the server's Jackson does: scalars become text, unknown fields are ignored."""

from __future__ import annotations

import json
from typing import Any

from harness.emulators.nacos.errors import NacosError

#: `NacosException.SERVER_ERROR` family: a body that is no such request.
BAD_BODY = 502


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
        raise self._wrong(name, "String")

    def optional(self, name: str) -> str | None:
        """A string, or None where null or absent."""
        return None if self._fields.get(name) is None else self.text(name)

    def flag(self, name: str, default: bool) -> bool:
        """A boolean."""
        value = self._fields.get(name)
        if value is None:
            return default
        if isinstance(value, bool):
            return value
        if isinstance(value, str) and value.lower() in {"true", "false", ""}:
            return value.lower() == "true"
        raise self._wrong(name, "boolean")

    def number(self, name: str, default: float) -> float:
        """A number; text of digits counts."""
        value = self._fields.get(name)
        if value is None or value == "":
            return default
        try:
            number = float(value)
        except (TypeError, ValueError):
            raise self._wrong(name, "number") from None
        if not abs(number) < 1e15:
            raise self._wrong(name, "number")
        return number

    def part(self, name: str) -> Body:
        """A nested object; null and absent give an empty one."""
        return Body(self._of(name, dict, {}))

    def mapping(self, name: str) -> dict[str, Any]:
        """A nested object as it is."""
        return dict(self._of(name, dict, {}))

    def parts(self, name: str) -> list[Body]:
        """A list of objects; null and absent give an empty one."""
        items = self._of(name, list, [])
        if not all(isinstance(item, dict) for item in items):
            raise self._wrong(name, "list of objects")
        return [Body(item) for item in items]

    def texts(self, name: str) -> list[str]:
        """A list of strings."""
        return [str(item) for item in self._of(name, list, [])]

    def has(self, name: str) -> bool:
        """Whether the field is there and not null."""
        return self._fields.get(name) is not None

    def _of(self, name: str, kind: type, default: Any) -> Any:
        value = self._fields.get(name)
        if value is None:
            return default
        if not isinstance(value, kind):
            raise self._wrong(name, kind.__name__)
        return value

    def _wrong(self, name: str, kind: str) -> NacosError:
        return NacosError(BAD_BODY, f"Cannot deserialize value of type `{kind}` for field '{name}'", BAD_BODY)


def read(data: bytes) -> Body:
    """Parse a request's JSON; raises NacosError (502) for what is no JSON object in UTF-8."""
    try:
        fields = json.loads(data or b"{}")
    except (ValueError, UnicodeDecodeError, RecursionError) as error:
        raise NacosError(BAD_BODY, f"Deserialize for request body failed: {error}", BAD_BODY) from None
    if not isinstance(fields, dict):
        raise NacosError(BAD_BODY, "Deserialize for request body failed: not a JSON object", BAD_BODY)
    return Body(fields)
