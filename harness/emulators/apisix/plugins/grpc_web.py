"""grpc-web: browsers' gRPC over plain HTTP, with the trailers as the last frame of the body."""

from __future__ import annotations

import base64
import binascii
from typing import ClassVar

from harness.emulators.apisix.context import Context, Exit
from harness.emulators.apisix.plugins.base import Plugin, Schema
from harness.emulators.apisix.uri_args import escape_path

_MIME = "grpc-web.mime"
_SKIPPED = "grpc-web.skipped"
_TOLD = "grpc-web.metadata_sent"
#: whether the body is in base64
_CODED = {
    "application/grpc-web": False,
    "application/grpc-web-text": True,
    "application/grpc-web+proto": False,
    "application/grpc-web-text+proto": True,
}


class GrpcWeb(Plugin):
    name = "grpc-web"
    priority = 505
    schema: ClassVar[Schema] = {
        "type": "object",
        "properties": {
            "max_req_body_size": {
                "type": "integer",
                "minimum": 1,
                "default": 67108864,
                "description": "maximum request body size in bytes buffered into memory; larger request bodies are "
                "rejected",
            },
            "cors_allow_headers": {
                "description": "multiple header use ',' to split. default: content-type,x-grpc-web,x-user-agent.",
                "type": "string",
                "default": "content-type,x-grpc-web,x-user-agent",
            },
        },
    }

    async def access(self, ctx: Context) -> Exit | None:
        """The gRPC request: POST, the path behind the route's prefix, the body decoded."""
        mime = ctx.headers.get("content-type")
        ctx.notes[_MIME] = mime
        if ctx.method != "POST":
            return self._exit(ctx, 204 if ctx.method == "OPTIONS" else 405)
        coded = _CODED.get(mime or "")
        if coded is None:
            return self._exit(ctx, 400)
        self._rewrite_path(ctx)
        body = await ctx.read_body()
        if not body or len(body) > self.conf["max_req_body_size"]:
            return self._exit(ctx, 400)
        try:
            ctx.body = base64.b64decode(body, validate=True) if coded else body
        except binascii.Error:
            return self._exit(ctx, 400)
        ctx.headers.set("Content-Type", "application/grpc")
        return None

    def _exit(self, ctx: Context, status: int) -> Exit:
        ctx.notes[_SKIPPED] = True
        return Exit(status)

    def _rewrite_path(self, ctx: Context) -> None:
        pattern = (ctx.path_params or {}).get("_path", "")
        if pattern.endswith("*") and len(ctx.uri) >= len(pattern):
            rest = ctx.uri[len(pattern) - 1 :]
            path = escape_path(rest if rest.startswith("/") else f"/{rest}")
            ctx.upstream_uri = f"{path}?{ctx.query}" if ctx.query else path

    def header_filter(self, ctx: Context) -> None:
        """CORS for browsers, and the client's own content type."""
        response = ctx.response
        if ctx.method == "OPTIONS":
            response.set("Access-Control-Allow-Methods", "POST")
            response.set("Access-Control-Allow-Headers", self.conf["cors_allow_headers"])
        if "access-control-allow-origin" not in response:
            response.set("Access-Control-Allow-Origin", "*")
        response.set("Access-Control-Expose-Headers", "grpc-message,grpc-status")
        if _SKIPPED not in ctx.notes:
            mime = ctx.notes.get(_MIME)
            if mime:
                response.set("Content-Type", mime)
            else:
                response.remove("content-type")
            response.remove("content-length")
        ctx.notes[_TOLD] = "grpc-status" in response

    def body_filter(self, ctx: Context, chunk: bytes, last: bool) -> bytes:
        """Encode each piece; the last carries the trailers, unless they went out as headers."""
        mime = ctx.notes.get(_MIME)
        if _SKIPPED in ctx.notes or not mime:
            return chunk
        coded = _CODED.get(mime, False)
        out = base64.b64encode(chunk) if coded else chunk
        if last and not ctx.notes.get(_TOLD):
            trailer = _trailer(ctx)
            out += base64.b64encode(trailer) if coded else trailer
        return out


def _trailer(ctx: Context) -> bytes:
    """The frame that stands for HTTP/2's trailers: 0x80, the length, the fields."""
    told = dict(ctx.trailers or ())
    status, message = told.get("grpc-status"), told.get("grpc-message")
    if not status:
        status, message = "2", "upstream grpc status not received"
    fields = f"grpc-status:{status}\r\ngrpc-message:{message or ''}\r\n".encode("latin-1")
    return b"\x80" + len(fields).to_bytes(4, "big") + fields
