"""What all loggers are: bodies gathered where they are asked for, an entry per request, a queue to a server."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from json import dumps
from typing import Any, ClassVar

from harness.emulators.apisix import lua_json
from harness.emulators.apisix.context import Context
from harness.emulators.apisix.match.expression import check
from harness.emulators.apisix.plugins.base import Conf, Plugin, Schema, Scope
from harness.emulators.apisix.plugins.batch_queue import MAX_PENDING_ENTRIES, BatchQueue
from harness.emulators.apisix.plugins.gathering import decoded, hold
from harness.emulators.apisix.plugins.log_entry import (
    RESPONSE_BODY,
    Entry,
    conditions,
    custom,
    extra,
    full,
    request_body,
)

_EXPRESSION: Schema = {"type": "array", "minItems": 1, "items": {"type": "array"}}
#: core.schema.uri_def
URI: Schema = {"type": "string", "pattern": r"^[^\/]+:\/\/([\da-zA-Z.-]+|\[[\da-fA-F:]+\])(:\d+)?"}
FORMATS: Schema = {"log_format": {"type": "object"}, "log_format_extra": {"type": "object"}}
_MOST: Schema = {"type": "integer", "minimum": 1, "default": 524288}
#: the members that every logger's configuration has
LOG_PROPERTIES: Schema = {
    "log_format": {"type": "object"},
    "log_format_extra": {"type": "object"},
    "include_req_body": {"type": "boolean", "default": False},
    "include_req_body_expr": _EXPRESSION,
    "include_resp_body": {"type": "boolean", "default": False},
    "include_resp_body_expr": _EXPRESSION,
    "max_req_body_bytes": _MOST,
    "max_resp_body_bytes": _MOST,
}
#: what stands for the members that some loggers' configurations don't have
NO_BODIES: Conf = {
    "include_req_body": False,
    "include_resp_body": False,
    "max_req_body_bytes": 524288,
    "max_resp_body_bytes": 524288,
}
_WANTED = "log.resp_body.wanted"


def check_expressions(conf: Mapping[str, Any]) -> str | None:
    """What is wrong with the expressions that say whose bodies are logged (log-util.lua, check_log_schema)."""
    for name in ("include_req_body_expr", "include_resp_body_expr"):
        if name in conf and (problem := check(conf[name])):
            return f"failed to validate the '{name}' expression: {problem}"
    return None


class Logger(Plugin):
    """The base of loggers; a subclass says in `write` what becomes of an entry."""

    metadata_schema: ClassVar[Schema] = {"type": "object", "properties": FORMATS}

    def __init__(self, conf: Conf, scope: Scope) -> None:
        super().__init__(conf, scope)
        self._custom = custom(conf["log_format"], conf["max_req_body_bytes"]) if "log_format" in conf else None
        self._extra = extra(conf["log_format_extra"]) if conf.get("log_format_extra") else None
        self._request_condition = conditions(conf.get("include_req_body_expr"))
        self._response_condition = conditions(conf.get("include_resp_body_expr"))
        self._metadata: Any = None
        self._of_metadata: tuple[Any, Any] = (None, None)
        if not conf["include_req_body"]:
            self.access = None  # type: ignore[method-assign, assignment]
        if not conf["include_resp_body"]:
            self.body_filter = None  # type: ignore[method-assign, assignment]

    # -- phases

    async def access(self, ctx: Context) -> None:
        """Gather the request's body, if it shall be in the entry."""
        if self._request_condition is None or self._request_condition(ctx):
            await ctx.read_body()

    def body_filter(self, ctx: Context, chunk: bytes, last: bool) -> bytes:
        """Gather a copy of the answer's body."""
        wanted = ctx.notes.get(_WANTED)
        if wanted is None:
            wanted = self._response_condition is None or self._response_condition(ctx)
            ctx.notes[_WANTED] = wanted
        if wanted:
            body = hold(ctx, f"{self.name}#{id(self)}", chunk, last, self.conf["max_resp_body_bytes"])
            if body is not None:
                ctx.notes[RESPONSE_BODY] = self._plain(ctx, body).decode("utf-8", "surrogateescape")
        return chunk

    def _plain(self, ctx: Context, body: bytes) -> bytes:
        """The body without its content coding, where that is known."""
        encoding = ctx.response.get("content-encoding")
        if not encoding or ctx.compress is not None:
            return body
        try:
            plain = decoded(body, encoding)
        except ValueError as error:
            self.scope.log("warn", f"try decode compressed data err: {error}")
            return body
        return body if plain is None else plain

    def log(self, ctx: Context) -> None:
        """Make the entry and hand it on."""
        self.write(ctx, self.entry(ctx))

    def write(self, ctx: Context, entry: Entry) -> None:
        """What a subclass does with an entry."""
        raise NotImplementedError

    # -- the entry

    def entry(self, ctx: Context) -> Entry:
        """The entry of a request: the configuration's format, else the metadata's, else the full one."""
        return self.entry_parts(ctx)[0]

    def entry_parts(self, ctx: Context) -> tuple[Entry, bool, Entry]:
        """(the entry, whether it is in a format that the user gave, the members of log_format_extra in it)."""
        metadata = self.scope.metadata(self.name)
        if metadata is not self._metadata:
            self._read_metadata(metadata)
        build = self._custom or self._of_metadata[0]
        if build is not None:
            return build(ctx), True, {}
        entry = full(ctx, self.conf, self.scope.clock)
        self._add_bodies(ctx, entry)
        find = self._extra if "log_format_extra" in self.conf else self._of_metadata[1]
        more: Entry = find(ctx) if find else {}
        return {**more, **entry}, False, more

    def _read_metadata(self, metadata: Mapping[str, Any] | None) -> None:
        self._metadata = metadata
        held = metadata or {}
        most = self.conf["max_req_body_bytes"]
        self._of_metadata = (
            custom(held["log_format"], most) if held.get("log_format") else None,
            extra(held["log_format_extra"], most) if held.get("log_format_extra") else None,
        )

    def _add_bodies(self, ctx: Context, entry: Entry) -> None:
        conf = self.conf
        if conf["include_resp_body"] and RESPONSE_BODY in ctx.notes:
            entry["response"]["body"] = ctx.notes[RESPONSE_BODY]
        if conf["include_req_body"] and (self._request_condition is None or self._request_condition(ctx)):
            body = request_body(ctx, conf["max_req_body_bytes"])
            if body is not None:
                entry["request"]["body"] = body


class BatchLogger(Logger):
    """A logger with a queue; a subclass says in `send` how entries reach their server."""

    metadata_schema: ClassVar[Schema] = {
        "type": "object",
        "properties": {**FORMATS, "max_pending_entries": MAX_PENDING_ENTRIES},
    }

    def __init__(self, conf: Conf, scope: Scope) -> None:
        super().__init__(conf, scope)
        digest = zlib.crc32(dumps(conf, sort_keys=True, default=dict).encode())
        self._queue = scope.keep(f"{self.name}:{digest}", lambda: BatchQueue(conf, scope, self.name))

    def write(self, ctx: Context, entry: Entry) -> None:
        """Put the entry into the queue."""
        self._queue.push(entry, self.send, ctx)

    async def send(self, entries: list[Any]) -> None:
        """Deliver; raises SendFailed, OSError or TimeoutError."""
        raise NotImplementedError

    def encoded(self, entries: list[Any]) -> bytes:
        """The entries as JSON: bare when batches are of one, else a list."""
        return lua_json.encode(entries[0] if self.conf["batch_max_size"] == 1 else entries)
