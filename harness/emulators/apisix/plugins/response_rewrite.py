"""response-rewrite: another status, other headers, another or an edited body for the client."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from harness.emulators.apisix import pcre
from harness.emulators.apisix.context import Context
from harness.emulators.apisix.match.expression import check, compile_expression
from harness.emulators.apisix.match.lua_values import to_text
from harness.emulators.apisix.plugins.base import Conf, Plugin, Schema, Scope
from harness.emulators.apisix.plugins.gathering import body_changes, decoded, hold
from harness.emulators.apisix.plugins.substitution import substitution
from harness.emulators.apisix.schema.validate import is_secret_reference
from harness.emulators.apisix.variables import getter, resolve

_SCALARS: Schema = {
    "type": "object",
    "minProperties": 1,
    "patternProperties": {"^[^:]+$": {"oneOf": [{"type": "string"}, {"type": "number"}]}},
}
_FIELD = re.compile(r"^([^:\s]+)\s*:\s*([^:]+)$", re.ASCII)
#: the letters that ngx.re knows
_OPTIONS = "adDijJmosuUx"
#: the upstream's Content-Encoding, noted where `vars` hold
_MATCHED = "response-rewrite"
_SENT = "response-rewrite.sent"

Value = tuple[str, Callable[[Context], str]]


class _Filter:
    """One substitution over the body, once or everywhere."""

    def __init__(self, conf: Mapping[str, Any]) -> None:
        self._pattern = pcre.compile(conf["regex"], conf["options"])
        self._replace = substitution(conf["replace"].encode().decode("latin-1"))
        self._count = 1 if conf["scope"] == "once" else 0

    def __call__(self, body: str) -> str:
        return self._pattern.sub(self._replace, body, count=self._count)


class ResponseRewrite(Plugin):
    name = "response-rewrite"
    priority = 899
    schema: ClassVar[Schema] = {
        "type": "object",
        "properties": {
            "max_resp_body_size": {
                "type": "integer",
                "minimum": 1,
                "default": 67108864,
                "description": "maximum response body size in bytes buffered into memory when filters are applied; "
                "larger responses are truncated",
            },
            "headers": {
                "description": "new headers for response",
                "anyOf": [
                    _SCALARS,
                    {
                        "properties": {
                            "add": {
                                "type": "array",
                                "minItems": 1,
                                "items": {"type": "string", "pattern": "^[^:]+:[^:]*[^/]$"},
                            },
                            "set": _SCALARS,
                            "remove": {
                                "type": "array",
                                "minItems": 1,
                                "items": {"type": "string", "pattern": "^[^:]+$"},
                            },
                        },
                    },
                ],
            },
            "body": {"description": "new body for response", "type": "string"},
            "body_base64": {
                "description": "whether new body for response need base64 decode before return",
                "type": "boolean",
                "default": False,
            },
            "status_code": {
                "description": "new status code for response",
                "type": "integer",
                "minimum": 200,
                "maximum": 598,
            },
            "vars": {"type": "array"},
            "filters": {
                "description": "a group of filters that modify response body"
                "by replacing one specified string by another",
                "type": "array",
                "minItems": 1,
                "items": {
                    "description": "filter that modifies response body",
                    "type": "object",
                    "required": ["regex", "replace"],
                    "properties": {
                        "regex": {"description": "match pattern on response body", "type": "string", "minLength": 1},
                        "scope": {
                            "description": "regex substitution range",
                            "type": "string",
                            "enum": ["once", "global"],
                            "default": "once",
                        },
                        "replace": {"description": "regex substitution content", "type": "string"},
                        "options": {"description": "regex options", "type": "string", "default": "jo"},
                    },
                },
            },
        },
        "dependencies": {"body": {"not": {"required": ["filters"]}}, "filters": {"not": {"required": ["body"]}}},
    }

    def __init__(self, conf: Conf, scope: Scope) -> None:
        super().__init__(conf, scope)
        self._condition = compile_expression(conf.get("vars"), getter)
        self._status: int = conf.get("status_code", 0)
        self._filters = [_Filter(one) for one in conf.get("filters", ())]
        self._body = _new_body(conf)
        self._add, self._set, self._remove = _operations(conf.get("headers"))

    @classmethod
    def check(cls, conf: dict[str, Any]) -> str | None:
        """Headers of the flat form, base64, the expression, the patterns."""
        headers = conf.get("headers")
        if headers and not _is_new(headers) and (problem := _check_flat(headers)):
            return problem
        if conf["body_base64"] and not is_secret_reference(conf.get("body")) and not _is_base64(conf.get("body")):
            return "invalid base64 content"
        if "vars" in conf and (problem := check(conf["vars"])):
            return f"failed to validate the 'vars' expression: {problem}"
        for one in conf.get("filters", ()):
            unknown = next((letter for letter in one["options"] if letter not in _OPTIONS), None)
            if unknown:
                return f'regex "{one["regex"]}" validation failed: unknown flag "{unknown}" (flags "{one["options"]}")'
            try:
                pcre.compile(one["regex"], one["options"])
            except ValueError as error:
                return f'regex "{one["regex"]}" validation failed: {error}'
        return None

    def header_filter(self, ctx: Context) -> None:
        """Change status and headers where `vars` hold."""
        if self._condition is not None and not self._condition(ctx):
            return
        ctx.notes[_MATCHED] = ctx.response.get("content-encoding") or ""
        if self._status:
            ctx.status = self._status
        if self._filters or self._body is not None:
            body_changes(ctx.response)
        for name, value in self._add:
            ctx.response.add(name, value(ctx))
        for name, value in self._set:
            text = value(ctx)
            if text:
                ctx.response.set(name, text)
            else:
                ctx.response.remove(name)
        for name in self._remove:
            ctx.response.remove(name)

    def body_filter(self, ctx: Context, chunk: bytes, last: bool) -> bytes:
        """The new body in place of the first piece; filters see the body whole."""
        encoding = ctx.notes.get(_MATCHED)
        if encoding is None:
            return chunk
        if self._filters:
            body = hold(ctx, self.name, chunk, last, self.conf["max_resp_body_size"])
            return b"" if body is None else self._filtered(body, encoding)
        if self._body is None:
            return chunk
        if _SENT in ctx.notes:
            return b""
        ctx.notes[_SENT] = True
        return self._body

    def _filtered(self, body: bytes, encoding: str) -> bytes:
        if encoding:
            try:
                plain = decoded(body, encoding)
            except ValueError as error:
                self.scope.log("error", f"filters may not work as expected: {error}")
                return b""
            if plain is None:
                self.scope.log(
                    "error",
                    "filters may not work as expected due to unsupported compression encoding type: " + encoding,
                )
                return b""
            body = plain
        text = body.decode("latin-1")
        for apply in self._filters:
            text = apply(text)
        return text.encode("latin-1")


def _new_body(conf: Conf) -> bytes | None:
    if "body" not in conf:
        return None
    return base64.b64decode(conf["body"]) if conf["body_base64"] else conf["body"].encode("utf-8", "surrogateescape")


def _operations(headers: Mapping[str, Any] | None) -> tuple[list[Value], list[Value], list[str]]:
    if not headers:
        return [], [], []
    if not _is_new(headers):
        return [], _values(headers), []
    fields = [match for text in headers.get("add", ()) if (match := _FIELD.match(text))]
    # one that can't be read makes the whole list of operations void
    if len(fields) != len(headers.get("add", ())):
        return [], [], []
    added = [(match[1], resolve(match[2])) for match in fields]
    return added, _values(headers.get("set", {})), list(headers.get("remove", ()))


def _values(fields: Mapping[str, Any]) -> list[Value]:
    return [(name, resolve(to_text(value))) for name, value in fields.items()]


def _is_new(headers: Mapping[str, Any]) -> bool:
    return any(isinstance(headers.get(operation), dict | list) for operation in ("add", "set", "remove"))


def _check_flat(headers: Mapping[str, Any]) -> str | None:
    for name, value in headers.items():
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            return "invalid type as header value"
        if not name:
            return "invalid field length in header"
    return None


def _is_base64(text: Any) -> bool:
    try:
        return bool(text) and base64.b64decode(text, validate=True) is not None
    except (binascii.Error, ValueError):
        return False
