"""data-mask: takes secrets out of what loggers will see of a request; the upstream has got them already."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

from harness.emulators.apisix import lua_json, pcre, uri_args
from harness.emulators.apisix.context import Context
from harness.emulators.apisix.plugins.base import Conf, Plugin, Schema, Scope
from harness.emulators.apisix.plugins.substitution import substitution

#: from a value to what is logged in its place: _GONE for nothing, the value itself when it isn't touched
Mask = Callable[[Any], Any]

_ITEM: Schema = {
    "type": "object",
    "properties": {
        "type": {"type": "string", "enum": ["query", "header", "body"]},
        "body_format": {"type": "string", "enum": ["json", "urlencoded"]},
        "name": {"type": "string"},
        "action": {"type": "string", "enum": ["regex", "replace", "remove"]},
        "regex": {"type": "string"},
        "value": {"type": "string"},
    },
    "required": ["type", "name", "action"],
    "allOf": [
        {"if": {"properties": {"type": {"const": "body"}}}, "then": {"required": ["body_format"]}},
        {"if": {"properties": {"action": {"const": "regex"}}}, "then": {"required": ["regex", "value"]}},
        {"if": {"properties": {"action": {"const": "replace"}}}, "then": {"required": ["value"]}},
    ],
}
_GONE: Any = object()
#: a step of a JSON path: descent, then a bracket, a star or a name
_STEP = re.compile(r"(\.\.)?\.?(?:\[([^\[\]]*)\]|(\*)|([^.\[\]*]+))")


class DataMask(Plugin):
    """Works when the request is logged, ahead of the loggers."""

    name = "data-mask"
    priority = 1500
    schema: ClassVar[Schema] = {
        "type": "object",
        "properties": {
            "request": {"type": "array", "items": _ITEM},
            "max_body_size": {"type": "integer", "exclusiveMinimum": 0, "default": 1024 * 1024},
            "max_req_post_args": {"type": "integer", "default": 100, "minimum": 0},
        },
    }

    def __init__(self, conf: Conf, scope: Scope) -> None:
        super().__init__(conf, scope)
        rules = [(item, _mask(item)) for item in conf.get("request") or ()]
        self._query = [(item["name"], mask) for item, mask in rules if item["type"] == "query"]
        self._headers = [(item["name"], mask) for item, mask in rules if item["type"] == "header"]
        bodies = [(item.get("body_format"), item["name"], mask) for item, mask in rules if item["type"] == "body"]
        self._form = [(name, mask) for form, name, mask in bodies if form == "urlencoded"]
        self._json = [(name, mask) for form, name, mask in bodies if form == "json"]

    def log(self, ctx: Context) -> None:
        """Mask query, headers and body."""
        if self._query and ctx.query:
            self._mask_query(ctx)
        for name, mask in self._headers:
            _mask_header(ctx, name, mask)
        if ctx.body and self._form:
            self._mask_form(ctx, ctx.body)
        if ctx.body and self._json:
            self._mask_json(ctx, ctx.body)

    def _mask_query(self, ctx: Context) -> None:
        args = uri_args.parse(ctx.query)
        if not _mask_args(args, self._query):
            return
        ctx.query = uri_args.encode(args)
        ctx.target = f"{ctx.uri}?{ctx.query}" if args else ctx.uri
        major, minor = ctx.version
        ctx.variables["request_line"] = f"{ctx.method} {ctx.target} HTTP/{major}.{minor}"

    def _mask_form(self, ctx: Context, body: bytes) -> None:
        most = self.conf["max_req_post_args"]
        pairs = body.decode("latin-1").split("&")
        args = uri_args.parse("&".join(pairs[:most] if most else pairs))
        if _mask_args(args, self._form):
            ctx.body = uri_args.encode(args).encode("latin-1")

    def _mask_json(self, ctx: Context, body: bytes) -> None:
        if len(body) > self.conf["max_body_size"]:
            self.scope.log("warn", f"data-mask: body size ({len(body)}) exceeds max_body_size")
            return
        try:
            document = lua_json.decode(body)
        except ValueError as error:
            self.scope.log("warn", f"failed to decode json body: {error}")
            return
        changed = [
            _mask_member(holder, key, mask)
            for path, mask in self._json
            for holder, key in reversed(nodes(document, path))
        ]
        if any(changed):
            ctx.body = lua_json.encode(document)


def _mask(item: Conf) -> Mask:
    if item["action"] == "remove":
        return lambda value: _GONE
    if item["action"] == "replace":
        return lambda value: item["value"]
    try:
        pattern, replacement = pcre.compile(item["regex"]), substitution(item["value"])
    except ValueError:  # data-mask.lua doesn't look at them before they are used, and then leaves the value
        return lambda value: value
    return lambda value: pattern.sub(replacement, value, count=1) if isinstance(value, str) else value


def _mask_args(args: dict[str, uri_args.Arg], rules: list[tuple[str, Mask]]) -> bool:
    changed = False
    for name, mask in rules:
        if name not in args:
            continue
        held = args[name]
        each = isinstance(held, list) and mask(held) is held
        value = [mask(one) for one in held] if each and isinstance(held, list) else mask(held)
        changed = changed or value != held
        if value is _GONE:
            del args[name]
        else:
            args[name] = value
    return changed


def _mask_header(ctx: Context, name: str, mask: Mask) -> None:
    value = ctx.headers.get(name.lower())
    if value is None:
        return
    masked = mask(value)
    if masked is _GONE:
        ctx.headers.remove(name)
    elif masked != value:
        ctx.headers.set(name, masked)


def _mask_member(holder: Any, key: Any, mask: Mask) -> bool:
    value = holder[key]
    masked = mask(value)
    if masked is _GONE:
        del holder[key]
    elif masked is value:
        return False
    else:
        holder[key] = masked
    return True


def nodes(document: Any, path: str) -> list[tuple[Any, Any]]:
    """(container, key) of every value at a JSON path ("$.users[*].card", "$..x", "$.items[0,2]"), in document order."""
    found: list[tuple[Any, Any]] = [({"$": document}, "$")]
    at = path.startswith("$")
    position = int(at)
    while position < len(path):
        match = _STEP.match(path, position)
        if not match:
            return []
        values = [holder[key] for holder, key in found]
        if match[1]:
            values = [inner for value in values for inner in _descend(value)]
        wanted = match[2] if match[2] is not None else match[3] or match[4]
        found = [(value, key) for value in values for key in _keys(value, wanted)]
        position = match.end()
    return [] if found and found[0][1] == "$" else found


def _keys(value: Any, wanted: str) -> Iterator[Any]:
    if wanted == "*":
        yield from (value if isinstance(value, dict) else range(len(value) if isinstance(value, list) else 0))
        return
    for part in wanted.split(","):
        name = part.strip().strip("'\"")
        if isinstance(value, dict) and name in value:
            yield name
        elif isinstance(value, list) and name.isdecimal() and int(name) < len(value):
            yield int(name)


def _descend(value: Any) -> Iterator[Any]:
    yield value
    members = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for member in members:
        yield from _descend(member)
