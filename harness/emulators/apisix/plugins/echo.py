"""echo: text before, after or in place of the upstream's body."""

from __future__ import annotations

from typing import ClassVar

from harness.emulators.apisix.context import Context
from harness.emulators.apisix.match.expression import latin
from harness.emulators.apisix.match.lua_values import to_text
from harness.emulators.apisix.plugins.base import Conf, Plugin, Schema, Scope
from harness.emulators.apisix.plugins.gathering import body_changes

_BEGUN = "echo"


class Echo(Plugin):
    name = "echo"
    priority = 412
    schema: ClassVar[Schema] = {
        "type": "object",
        "properties": {
            "before_body": {"description": "body before the filter phase.", "type": "string"},
            "body": {"description": "body to replace upstream response.", "type": "string"},
            "after_body": {"description": "body after the modification of filter phase.", "type": "string"},
            "headers": {"description": "new headers for response", "type": "object", "minProperties": 1},
        },
        "anyOf": [{"required": ["before_body"]}, {"required": ["body"]}, {"required": ["after_body"]}],
        "minProperties": 1,
    }

    def __init__(self, conf: Conf, scope: Scope) -> None:
        super().__init__(conf, scope)
        self._body = conf["body"].encode() if conf.get("body") is not None else None
        self._before = conf.get("before_body", "").encode()
        self._after = conf.get("after_body", "").encode()
        self._headers = [(name, to_text(latin(value))) for name, value in conf.get("headers", {}).items()]

    def header_filter(self, ctx: Context) -> None:
        """The body's length isn't known any more; the configured headers replace those of the same name."""
        body_changes(ctx.response)
        for name, value in self._headers:
            ctx.response.set(name, value)

    def body_filter(self, ctx: Context, chunk: bytes, last: bool) -> bytes:
        """The first piece gets what comes before (and stands for all when the body is replaced), the last the rest."""
        begun = _BEGUN in ctx.notes
        ctx.notes[_BEGUN] = True
        if self._body is not None:
            return b"" if begun else self._before + self._body + self._after
        return (b"" if begun else self._before) + chunk + (self._after if last else b"")
