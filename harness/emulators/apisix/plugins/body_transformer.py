"""body-transformer: request and response bodies made anew from templates over what was in them."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from harness.emulators.apisix import uri_args
from harness.emulators.apisix.context import Context, Exit
from harness.emulators.apisix.lua import LuaFailure
from harness.emulators.apisix.lua_effects import RequestLua
from harness.emulators.apisix.lua_template import to_lua
from harness.emulators.apisix.plugins.base import Conf, Plugin, Schema, Scope
from harness.emulators.apisix.plugins.body_decoders import (
    boundary_of,
    from_form,
    from_json,
    from_multipart,
    from_xml,
    readable,
    values_of,
)
from harness.emulators.apisix.plugins.gathering import body_changes, hold

_TRANSFORM: Schema = {
    "type": "object",
    "properties": {
        "input_format": {"type": "string", "enum": ["xml", "json", "encoded", "args", "plain", "multipart"]},
        "template": {"type": "string"},
        "template_is_base64": {"type": "boolean"},
    },
    "required": ["template"],
}
_BASE64 = re.compile(r"[A-Za-z0-9+/]*={0,2}\Z")
_DECODERS: Mapping[str, Callable[[bytes], Any]] = {"xml": from_xml, "json": from_json, "encoded": from_form}
_FORMAT = "body-transformer.format"


class _Failed(Exception):
    """Why a body could not be transformed: the status and text of APISIX's refusal."""

    def __init__(self, status: int, message: str) -> None:
        self.status = status
        self.message = message
        super().__init__(message)


class BodyTransformer(Plugin):
    name = "body-transformer"
    priority = 1080
    schema: ClassVar[Schema] = {
        "type": "object",
        "properties": {
            "request": _TRANSFORM,
            "response": _TRANSFORM,
            "max_req_body_size": {
                "type": "integer",
                "minimum": 1,
                "default": 67108864,
                "description": "maximum request body size in bytes buffered into memory; larger request bodies are "
                "rejected",
            },
            "max_resp_body_size": {
                "type": "integer",
                "minimum": 1,
                "default": 67108864,
                "description": "maximum response body size in bytes buffered into memory; larger responses are "
                "truncated",
            },
        },
        "anyOf": [{"required": ["request"]}, {"required": ["response"]}, {"required": ["request", "response"]}],
    }

    def __init__(self, conf: Conf, scope: Scope) -> None:
        super().__init__(conf, scope)
        self._lua: RequestLua = scope.keep("lua", lambda: RequestLua(scope))
        self._renderers: dict[tuple[str, bool], Any] = {}
        if "request" not in conf:
            self.rewrite = None  # type: ignore[method-assign, assignment]
        if "response" not in conf:
            self.header_filter = None  # type: ignore[method-assign, assignment]
            self.body_filter = None  # type: ignore[method-assign, assignment]

    async def rewrite(self, ctx: Context) -> Exit | None:
        """The request's new body."""
        body: bytes | None = await ctx.read_body() or None
        if body is not None and len(body) > self.conf["max_req_body_size"]:
            return Exit(413)
        kind = "args" if ctx.method == "GET" else self._format("request", ctx.headers.get("content-type"))
        try:
            ctx.body = self._transform("request", ctx, kind, body)
        except _Failed as failed:
            self.scope.log("error", failed.message)
            return Exit(failed.status, {"message": failed.message})
        return None

    def header_filter(self, ctx: Context) -> None:
        """Settle the response's format while its type is known."""
        ctx.notes[_FORMAT] = self._format("response", ctx.response.get("content-type"))
        body_changes(ctx.response)

    def body_filter(self, ctx: Context, chunk: bytes, last: bool) -> bytes:
        """The response's new body; empty when there is no making it."""
        body = hold(ctx, self.name, chunk, last, self.conf["max_resp_body_size"])
        if body is None:
            return b""
        try:
            return self._transform("response", ctx, ctx.notes.get(_FORMAT), body or None)
        except _Failed as failed:
            self.scope.log("error", failed.message)
            return b""

    def _format(self, side: str, content_type: str | None) -> str | None:
        """The configured input format, or the one that the Content-Type tells."""
        named: str | None = self.conf[side].get("input_format")
        if named or not content_type:
            return named
        if "text/xml" in content_type:
            return "xml"
        if "application/json" in content_type:
            return "json"
        lower = content_type.lower()
        if "application/x-www-form-urlencoded" in lower:
            return "encoded"
        return "multipart" if "multipart/" in lower else None

    def _transform(self, side: str, ctx: Context, kind: str | None, body: bytes | None) -> bytes:
        form = None
        if kind == "multipart" and body is not None:
            headers = ctx.headers if side == "request" else ctx.response
            content_type = headers.get("content-type") or ""
            form = (boundary_of(content_type), from_multipart(body, content_type))
            table = values_of(form[1])
        else:
            table = self._decoded(side, ctx, kind, body)
        render = self._renderer(side, kind)
        try:
            text = self._lua.render(render, ctx, table, body, form)
        except LuaFailure as failure:
            raise _Failed(503, f"{side} template rendering: {failure}") from failure
        return text.encode("latin-1")

    def _decoded(self, side: str, ctx: Context, kind: str | None, body: bytes | None) -> Any:
        if kind == "args":
            return readable(uri_args.parse(ctx.query)) if ctx.query else {}
        if kind in (None, "plain", "multipart") or body is None:
            return {}
        try:
            return _DECODERS[kind](body)
        except ValueError as error:
            raise _Failed(400, f"{side} body decode: {error}") from error

    def _renderer(self, side: str, kind: str | None) -> Any:
        """The compiled template; whether it is read as base64 depends on the format (body-transformer.lua)."""
        conf = self.conf[side]
        packed = bool(conf.get("template_is_base64")) or kind not in (None, "encoded", "args")
        held = self._renderers.get((side, packed))
        if held is None:
            template = _unpacked(conf["template"]) if packed else conf["template"]
            try:
                held = self._lua.renderer(to_lua(template), template)
            except ValueError as error:
                raise _Failed(503, f"{side} template compile: {error}") from error
            self._renderers[side, packed] = held
        return held


def _unpacked(template: str) -> str:
    """The text in base64, or the template itself when it is none."""
    bare = template.rstrip("=")
    if not _BASE64.match(template) or len(bare) % 4 == 1:
        return template
    return base64.b64decode(bare + "=" * (-len(bare) % 4)).decode("utf-8", "surrogateescape")
