"""gzip: switches nginx's own gzip filter on for the answers that fit."""

from __future__ import annotations

import zlib
from typing import ClassVar

from harness.emulators.apisix.context import Context, Encoder
from harness.emulators.apisix.plugins.base import Plugin, Schema
from harness.emulators.apisix.plugins.compression import (
    HTTP_VERSION,
    MIN_LENGTH,
    TYPES,
    accepts,
    encoded_as,
    worth_it,
)

#: ngx_http_gzip_header_filter takes these alone
_STATUSES = (200, 403, 404)


class Gzip(Plugin):
    name = "gzip"
    priority = 995
    schema: ClassVar[Schema] = {
        "type": "object",
        "properties": {
            "types": TYPES,
            "min_length": MIN_LENGTH,
            "comp_level": {"type": "integer", "minimum": 1, "maximum": 9, "default": 1},
            "http_version": HTTP_VERSION,
            "buffers": {
                "type": "object",
                "properties": {
                    "number": {"type": "integer", "minimum": 1, "default": 32},
                    "size": {"type": "integer", "minimum": 1, "default": 4096},
                },
                "default": {"number": 32, "size": 4096},
            },
            "vary": {"type": "boolean"},
        },
    }

    def header_filter(self, ctx: Context) -> None:
        """Judge the answer; what the client takes is nginx's business, after all header filters."""
        if worth_it(self.conf, ctx):
            ctx.compress = self._compress
            if self.conf.get("vary"):
                ctx.response.add("Vary", "Accept-Encoding")

    def _compress(self, ctx: Context) -> Encoder | None:
        response = ctx.response
        if ctx.status not in _STATUSES or response.get("content-encoding") or not accepts(ctx, "gzip"):
            return None
        encoded_as(response, "gzip")
        stream = zlib.compressobj(self.conf["comp_level"], zlib.DEFLATED, 31)

        def encode(chunk: bytes, last: bool) -> bytes:
            # nginx flushes what it got so far when the upstream pauses: a stream stays a stream
            out = stream.compress(chunk) if chunk else b""
            return out + stream.flush(zlib.Z_FINISH if last else zlib.Z_SYNC_FLUSH)

        return encode
