"""proxy-rewrite: another path, host, method and other headers towards the upstream."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from harness.emulators.apisix import pcre
from harness.emulators.apisix.context import Context
from harness.emulators.apisix.match.lua_values import to_text
from harness.emulators.apisix.plugins.base import Conf, Plugin, Schema, Scope
from harness.emulators.apisix.plugins.substitution import substitution
from harness.emulators.apisix.plugins.templates import escaped
from harness.emulators.apisix.schema.validate import is_secret_reference
from harness.emulators.apisix.uri_args import escape_path
from harness.emulators.apisix.variables import resolve

_METHODS = ["GET", "POST", "PUT", "HEAD", "DELETE", "OPTIONS", "MKCOL", "COPY", "MOVE", "PROPFIND", "LOCK", "UNLOCK"]
_SCALAR: Schema = {"oneOf": [{"type": "string"}, {"type": "number"}]}
_VALUES: Schema = {
    "type": "object",
    "minProperties": 1,
    "patternProperties": {
        "^[^:]+$": {
            "oneOf": [*_SCALAR["oneOf"], {"type": "array", "minItems": 1, "items": _SCALAR}],
        }
    },
}
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_CAPTURE = re.compile(r"((?<!\\)\$\{?\d+\}?)", re.ASCII)
_CAPTURES = "proxy-rewrite.captures"

Value = Callable[[Context], str]


class ProxyRewrite(Plugin):
    name = "proxy-rewrite"
    priority = 1008
    schema: ClassVar[Schema] = {
        "type": "object",
        "properties": {
            "uri": {
                "description": "new uri for upstream",
                "type": "string",
                "minLength": 1,
                "maxLength": 4096,
                "pattern": "^\\/.*",
            },
            "method": {"description": "proxy route method", "type": "string", "enum": [*_METHODS, "PATCH", "TRACE"]},
            "regex_uri": {
                "description": "new uri that substitute from client uri for upstream, lower priority than uri property",
                "type": "array",
                "minItems": 2,
                "items": {"description": "regex uri", "type": "string"},
            },
            "host": {
                "description": "new host for upstream",
                "type": "string",
                "pattern": "^[0-9a-zA-Z-.]+(:\\d{1,5})?$",
            },
            "headers": {
                "description": "new headers for request",
                "oneOf": [
                    {
                        "type": "object",
                        "minProperties": 1,
                        "additionalProperties": False,
                        "properties": {
                            "add": _VALUES,
                            "set": _VALUES,
                            "remove": {
                                "type": "array",
                                "minItems": 1,
                                "items": {"type": "string", "pattern": "^[^:]+$"},
                            },
                        },
                    },
                    {"type": "object", "minProperties": 1, "patternProperties": {"^[^:]+$": _SCALAR}},
                ],
            },
            "use_real_request_uri_unsafe": {
                "description": "use real_request_uri instead, THIS IS VERY UNSAFE.",
                "type": "boolean",
                "default": False,
            },
        },
        "minProperties": 1,
    }

    def __init__(self, conf: Conf, scope: Scope) -> None:
        super().__init__(conf, scope)
        pairs = conf.get("regex_uri", [])
        self._uri = escaped(conf["uri"], lambda value: value.replace("?", "%3F", 1)) if "uri" in conf else None
        self._regexes = [
            (pcre.compile(pattern), substitution(replacement))
            for pattern, replacement in zip(pairs[::2], pairs[1::2], strict=True)
        ]
        self._unsafe: bool = conf["use_real_request_uri_unsafe"]
        self._host: str = conf.get("host", "")
        self._method: str = conf.get("method", "")
        self._add, self._set, self._remove = _operations(conf.get("headers"))

    @classmethod
    def check(cls, conf: dict[str, Any]) -> str | None:
        """Patterns that compile and come in pairs; a flat list of headers holds what a header may."""
        pairs = conf.get("regex_uri", [])
        if len(pairs) % 2:
            return "The length of regex_uri should be an even number"
        for pattern, replacement in zip(pairs[::2], pairs[1::2], strict=True):
            if problem := _check_regex(pattern, replacement):
                return f"invalid regex_uri({pattern}, {replacement}): {problem}"
        headers = conf.get("headers")
        return _check_headers(headers) if headers and not _is_new(headers) else None

    def rewrite(self, ctx: Context) -> None:
        """Rewrite the path, then the headers (which may hold captures of the path), then the method."""
        if self._host:
            ctx.upstream_host = self._host
        if self._unsafe:
            ctx.upstream_uri = self._raw(ctx)
        else:
            self._safe(ctx)
        if self._add or self._set or self._remove:
            self._change_headers(ctx)
        if self._method:
            ctx.upstream_method = self._method

    def _safe(self, ctx: Context) -> None:
        """The new path escaped; a "?" counts as one only when the configuration wrote it."""
        if self._uri is not None:
            path, mark, query = self._uri(ctx).partition("?")
        elif self._regexes and "?" not in ctx.uri:
            path, mark, query = self._substituted(ctx, ctx.uri).partition("?")
        else:
            path, mark, query = self._substituted(ctx, ctx.uri), "", ""
        uri = escape_path(path)
        if mark:
            uri += "?" + _CONTROL.sub(lambda match: f"%{ord(match[0]):02X}", query)
        ctx.upstream_uri = f"{uri}{'&' if mark else '?'}{ctx.query}" if ctx.query else uri

    def _raw(self, ctx: Context) -> str:
        target = str(ctx.variables.get("real_request_uri", ctx.target))
        if self._uri is None:
            return self._substituted(ctx, target)
        uri = self._uri(ctx)
        _, mark, query = target.partition("?")
        return f"{uri}{'&' if '?' in uri else '?'}{query}" if mark else uri

    def _substituted(self, ctx: Context, uri: str) -> str:
        for pattern, replace in self._regexes:
            match = pattern.search(uri)
            if match:
                ctx.notes[_CAPTURES] = match
                return uri[: match.start()] + replace(match) + uri[match.end() :]
        return uri

    def _change_headers(self, ctx: Context) -> None:
        headers = ctx.headers
        for name, values in self._add:
            for value in values:
                headers.add(name, value(ctx))
        for name, values in self._set:
            first, *rest = [value(ctx) for value in values]
            if first or rest:
                headers.set(name, first)
                for one in rest:
                    headers.add(name, one)
            else:
                headers.remove(name)
        for name in self._remove:
            headers.remove(name)


def _operations(
    headers: Mapping[str, Any] | None,
) -> tuple[list[tuple[str, list[Value]]], list[tuple[str, list[Value]]], list[str]]:
    if not headers:
        return [], [], []
    if not _is_new(headers):
        return [], _values(headers), []
    return _values(headers.get("add", {})), _values(headers.get("set", {})), list(headers.get("remove", ()))


def _values(fields: Mapping[str, Any]) -> list[tuple[str, list[Value]]]:
    return [
        (name, [_value(to_text(one)) for one in (value if isinstance(value, list) else [value])])
        for name, value in fields.items()
    ]


def _value(text: str) -> Value:
    """A header's value: captures of regex_uri first, then variables (also those that a capture spells)."""
    pieces = _CAPTURE.split(text)
    if len(pieces) == 1:
        return resolve(text)

    def fill(ctx: Context) -> str:
        match = ctx.notes.get(_CAPTURES)
        filled = [_captured(match, piece) if index % 2 else piece for index, piece in enumerate(pieces)]
        return resolve("".join(filled))(ctx)

    return fill


def _captured(match: re.Match[str] | None, reference: str) -> str:
    number = int(reference.strip("${}"))
    if match is None or number > len(match.groups()):
        return ""
    return match[number] or ""


def _is_new(headers: Mapping[str, Any]) -> bool:
    return any(isinstance(headers.get(operation), dict | list) for operation in ("add", "set", "remove"))


def _check_headers(headers: Mapping[str, Any]) -> str | None:
    for name, value in headers.items():
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            return "invalid type as header value"
        if not name:
            return "invalid field length in header"
        if not all("!" <= letter <= "~" and letter != ":" for letter in name):
            return "invalid field character in header"
        if isinstance(value, str) and not all(" " <= letter <= "~" for letter in value):
            return "invalid value character in header"
    return None


def _check_regex(pattern: str, replacement: str) -> str | None:
    if is_secret_reference(pattern):
        return None
    try:
        pcre.compile(pattern)
        substitution("" if is_secret_reference(replacement) else replacement)
    except ValueError as problem:
        return str(problem)
    return None
