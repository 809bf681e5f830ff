"""What of OpenResty's `ngx` the sandboxed Lua may use, as plain functions of the request at hand."""

from __future__ import annotations

import base64
import hashlib
import json
import logging
import re
import time
import zlib
from collections.abc import Callable
from typing import Any

from harness.emulators.apisix import pcre, uri_args
from harness.emulators.apisix.context import Context
from harness.emulators.apisix.match.lua_values import to_text
from harness.emulators.apisix.variables import getter

log = logging.getLogger(__name__)

Now = Callable[[], Context]


def functions(runtime: Any, now: Now) -> Any:
    """The table that the sandbox's set-up takes: `now` gives the request at hand."""
    lua = _ToLua(runtime)
    null = runtime.eval("newproxy(false)")
    groups = {
        "ngx": _plain_functions(),
        "re": _pattern_functions(lua),
        "req": _request_functions(lua, now),
    }
    table = {name: runtime.table_from(group) for name, group in groups.items()}
    return runtime.table_from(
        {
            **table,
            "null": null,
            "variable": lambda name: lua(getter(to_text(name))(now())),
            "set_variable": lambda name, value: _set_variable(now(), to_text(name), value),
            "substitute": _substitute(runtime),
            "json_encode": lambda value: _latin(json.dumps(_from_lua(value, null), separators=(",", ":"))),
            "json_decode": lambda text: lua(_read_json(text), null),
        }
    )


class _ToLua:
    """Python values as Lua's own: lists and dicts become tables."""

    def __init__(self, runtime: Any) -> None:
        self._runtime = runtime

    def __call__(self, value: Any, null: Any = None) -> Any:
        if isinstance(value, (list, tuple)):
            return self._runtime.table_from([self(member, null) for member in value])
        if isinstance(value, dict):
            return self._runtime.table_from({name: self(member, null) for name, member in value.items()})
        return null if value is None else value


def _from_lua(value: Any, null: Any) -> Any:
    """A Lua table as a list (when its keys are 1 … n) or dict."""
    if value is None or (not isinstance(value, (str, int, float, bool)) and value == null):
        return None
    if not hasattr(value, "items"):
        return value.encode("latin-1").decode("utf-8", "replace") if isinstance(value, str) else value
    pairs = {name: _from_lua(member, null) for name, member in value.items()}
    if pairs and list(pairs) == list(range(1, len(pairs) + 1)):
        return list(pairs.values())
    return {to_text(name): member for name, member in pairs.items()}


def _latin(text: str) -> str:
    return text.encode().decode("latin-1")


def _read_json(text: Any) -> Any:
    try:
        return _in_latin(json.loads(str(text).encode("latin-1")))
    except ValueError:
        return None


def _in_latin(value: Any) -> Any:
    if isinstance(value, str):
        return _latin(value)
    if isinstance(value, list):
        return [_in_latin(member) for member in value]
    if isinstance(value, dict):
        return {_latin(name): _in_latin(member) for name, member in value.items()}
    return value


def _set_variable(ctx: Context, name: str, value: Any) -> None:
    if value is None:
        ctx.variables.pop(name, None)
    else:
        ctx.variables[name] = to_text(value)


def _bytes(text: Any) -> bytes:
    return to_text(text).encode("latin-1")


def _decode_base64(text: Any) -> str | None:
    try:
        return base64.b64decode(_bytes(text), validate=True).decode("latin-1")
    except ValueError:
        return None


def _log(level: Any, *parts: Any) -> None:
    log.info("[lua] %s: %s", to_text(level), "".join(to_text(part) for part in parts))


def _plain_functions() -> dict[str, Callable[..., Any]]:
    """ngx.* that needs no request."""
    return {
        "log": _log,
        "time": lambda: int(time.time()),
        "now": lambda: round(time.time(), 3),
        "md5": lambda text: hashlib.md5(_bytes(text)).hexdigest(),
        "md5_bin": lambda text: hashlib.md5(_bytes(text)).digest().decode("latin-1"),
        "sha1_bin": lambda text: hashlib.sha1(_bytes(text)).digest().decode("latin-1"),
        "crc32_short": lambda text: zlib.crc32(_bytes(text)),
        "crc32_long": lambda text: zlib.crc32(_bytes(text)),
        "encode_base64": lambda text: base64.b64encode(_bytes(text)).decode(),
        "decode_base64": _decode_base64,
        "escape_uri": lambda text: uri_args.escape(to_text(text)),
        "unescape_uri": lambda text: uri_args.unescape(to_text(text)),
    }


def _request_functions(lua: _ToLua, now: Now) -> dict[str, Callable[..., Any]]:
    """ngx.req.*, for reading."""
    return {
        "get_method": lambda: now().method,
        "get_headers": lambda *_: lua(_headers(now())),
        "get_uri_args": lambda *_: lua(uri_args.parse(now().query) if now().query else {}),
        "get_post_args": lambda *_: lua(uri_args.parse((now().body or b"").decode("latin-1"))),
        "get_body_data": lambda: (now().body or b"").decode("latin-1") or None,
        "read_body": lambda: None,
        "http_version": lambda: float(f"{now().version[0]}.{now().version[1]}"),
        "start_time": lambda: now().started,
    }


def _headers(ctx: Context) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, _, value in ctx.headers.items:
        held = found.get(name)
        found[name] = value if held is None else [*(held if isinstance(held, list) else [held]), value]
    return found


def _search(text: Any, pattern: Any, options: Any) -> re.Match[str] | None:
    source = to_text(pattern).encode("latin-1").decode("utf-8", "replace")
    return pcre.compile(source, str(options or "")).search(to_text(text))


def _pattern_functions(lua: _ToLua) -> dict[str, Callable[..., Any]]:
    """ngx.re.find and match; a pattern that can't be compiled is no match, as there."""

    def find(text: Any, pattern: Any, options: Any = None, *_: Any) -> Any:
        try:
            match = _search(text, pattern, options)
        except ValueError:
            return None
        return None if match is None else match.start() + 1

    def matched(text: Any, pattern: Any, options: Any = None, *_: Any) -> Any:
        try:
            match = _search(text, pattern, options)
        except ValueError:
            return None
        if match is None:
            return None
        numbered = {index: value if value is not None else False for index, value in enumerate(match.groups(), 1)}
        return lua({0: match[0], **numbered, **match.groupdict(default=False)})

    return {"find": find, "match": matched}


_REFERENCE = re.compile(r"\$(?:\{(\d+)\}|(\d+)|(\$))")


def _substitute(runtime: Any) -> Callable[..., Any]:
    """ngx.re.sub and gsub with a text to put in, where $1 stands for a group."""

    def substitute(text: Any, pattern: Any, replacement: Any, options: Any, every: bool) -> Any:
        source = to_text(pattern).encode("latin-1").decode("utf-8", "replace")
        template = to_text(replacement)

        def filled(match: re.Match[str]) -> str:
            return _REFERENCE.sub(lambda found: _group(match, found), template)

        return pcre.compile(source, str(options or "")).sub(filled, to_text(text), count=0 if every else 1)

    return substitute


def _group(match: re.Match[str], reference: re.Match[str]) -> str:
    if reference[3]:
        return "$"
    number = int(reference[1] or reference[2])
    return (match[number] or "") if number <= (match.re.groups) else ""
