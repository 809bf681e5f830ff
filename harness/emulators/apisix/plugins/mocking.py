"""mocking: an example, or values made up from a schema, in place of the upstream's answer."""

from __future__ import annotations

import re
from asyncio import sleep
from collections.abc import Mapping
from random import Random
from typing import Any, ClassVar

from harness.emulators.apisix import lua_json
from harness.emulators.apisix.context import Context, Exit, MaybeVerdict
from harness.emulators.apisix.match.expression import latin
from harness.emulators.apisix.match.lua_values import to_text
from harness.emulators.apisix.plugins.base import Conf, Plugin, Schema, Scope
from harness.emulators.apisix.settings import VERSION
from harness.emulators.apisix.variables import resolve

_TYPES = frozenset(("application/xml", "application/json", "text/plain", "text/html", "text/xml"))
_PARAMETERS = re.compile(r"([ -~]*);([ -~]*)")


class Mocking(Plugin):
    name = "mocking"
    priority = 10900
    schema: ClassVar[Schema] = {
        "type": "object",
        "properties": {
            "delay": {"type": "integer", "default": 0},
            "response_status": {"type": "integer", "default": 200, "minimum": 100},
            "content_type": {"type": "string", "default": "application/json;charset=utf8"},
            "response_example": {"type": "string"},
            "response_schema": {"type": "object"},
            "with_mock_header": {"type": "boolean", "default": True},
            "response_headers": {
                "type": "object",
                "minProperties": 1,
                "patternProperties": {"^[^:]+$": {"oneOf": [{"type": "string"}, {"type": "number"}]}},
            },
        },
        "anyOf": [{"required": ["response_example"]}, {"required": ["response_schema"]}],
    }

    def __init__(self, conf: Conf, scope: Scope) -> None:
        super().__init__(conf, scope)
        self._example = resolve(conf["response_example"]) if "response_example" in conf else None
        self._headers = [(name, resolve(to_text(value))) for name, value in conf.get("response_headers", {}).items()]
        mark = ("x-mock-by", f"APISIX/{VERSION}")
        self._fixed = (("Content-Type", latin(conf["content_type"])), *([mark] if conf["with_mock_header"] else []))

    @classmethod
    def check(cls, conf: dict[str, Any]) -> str | None:
        """Five content types are known."""
        return None if _bare(conf["content_type"]) in _TYPES else "unsupported content type!"

    def access(self, ctx: Context) -> MaybeVerdict:
        """The answer, after `delay` seconds."""
        verdict = self._verdict(ctx)
        return self._later(verdict) if self.conf["delay"] > 0 else verdict

    async def _later(self, verdict: Exit) -> Exit:
        await sleep(self.conf["delay"])
        return verdict

    def _verdict(self, ctx: Context) -> Exit:
        body = self._example(ctx).encode("latin-1") if self._example else self._made_up(ctx)
        added = tuple((name, value(ctx)) for name, value in self._headers)
        return Exit(self.conf["response_status"], body, self._fixed + added)

    def _made_up(self, ctx: Context) -> bytes:
        value = _object(self.conf["response_schema"], self.scope.random)
        kind = _bare(self.conf["content_type"])
        if kind in ("application/xml", "text/xml"):
            return "".join(_xml("data", value, 0)).encode()
        if kind in ("application/json", "text/plain"):
            text = lua_json.encode(value).decode("utf-8", "surrogateescape")
            return resolve(text)(ctx).encode("latin-1") if "$" in text else text.encode("utf-8", "surrogateescape")
        self.scope.log("error", "json schema body only support xml and json content type")
        return b""


def _bare(content_type: str) -> str:
    match = _PARAMETERS.search(content_type)
    return match[1] if match else content_type


def _object(schema: Mapping[str, Any], random: Random) -> dict[str, Any]:
    made = {name: _value(member, random) for name, member in (schema.get("properties") or {}).items()}
    return {name: value for name, value in made.items() if value is not None}


def _value(schema: Mapping[str, Any], random: Random) -> Any:
    """A value of the schema's type: its example where that fits, else something random."""
    kind, example = str(schema["type"]).lower(), schema.get("example")
    number = example if isinstance(example, int | float) and not isinstance(example, bool) else None
    if kind == "array":
        items = schema.get("items")
        return None if items is None else [_value(items, random) for _ in range(random.randint(1, 3))]
    if kind == "object":
        return _object(schema, random)
    if kind == "string":
        letters = "abcdefghijklmnopqrstuvwxyz"
        return example if isinstance(example, str) else "".join(random.choices(letters, k=random.randint(1, 10)))
    if kind == "number":
        return random.random() * 10000 if number is None else number
    if kind == "integer":
        return random.randint(1, 10000) if number is None else int(number // 1)
    if kind == "boolean":
        return True if example is True else random.random() < 0.5
    return None


def _xml(name: str, value: Any, depth: int) -> list[str]:
    """As xml2lua.toXml writes it: one element a line, two blanks a level, an array's items under the array's name."""
    indent = "  " * depth
    if isinstance(value, list):
        return [line for item in value for line in _xml(name, item, depth)]
    if isinstance(value, dict):
        inner = [line for member, held in value.items() for line in _xml(member, held, depth + 1)]
        return [f"{indent}<{name}>\n", *inner, f"{indent}</{name}>\n"]
    return [f"{indent}<{name}>{to_text(value)}</{name}>\n"]
