"""brotli: compresses the answers that fit for clients that take `br`; needs the Python package of that name."""

from __future__ import annotations

import re
from importlib import import_module
from importlib.util import find_spec
from typing import Any, ClassVar

from harness.emulators.apisix.context import Context
from harness.emulators.apisix.headers import Headers
from harness.emulators.apisix.plugins.base import Plugin, Schema
from harness.emulators.apisix.plugins.compression import HTTP_VERSION, MIN_LENGTH, TYPES, worth_it

_CODING = re.compile(r"([a-z*]+)(;q=)?([0-9.]*)?", re.ASCII)
_TAG = re.compile(r'^(W/)?"([^"]*)"$')
_STREAM = "brotli"


class Brotli(Plugin):
    name = "brotli"
    priority = 996
    schema: ClassVar[Schema] = {
        "type": "object",
        "properties": {
            "types": TYPES,
            "min_length": MIN_LENGTH,
            "mode": {"type": "integer", "minimum": 0, "maximum": 2, "default": 0},
            "comp_level": {"type": "integer", "minimum": 0, "maximum": 11, "default": 6},
            "lgwin": {"type": "integer", "default": 19, "enum": [0, *range(10, 25)]},
            "lgblock": {"type": "integer", "default": 0, "enum": [0, *range(16, 25)]},
            "http_version": HTTP_VERSION,
            "vary": {"type": "boolean"},
        },
    }

    @classmethod
    def check(cls, conf: dict[str, Any]) -> str | None:
        """Without the library there is nothing to compress with."""
        return None if find_spec("brotli") else "the Python package brotli is not installed"

    def header_filter(self, ctx: Context) -> None:
        """Open a stream for an answer that isn't encoded yet."""
        response = ctx.response
        if not _accepts(ctx) or response.get("content-encoding") or not worth_it(self.conf, ctx):
            return
        if self.conf.get("vary"):
            response.add("Vary", "Accept-Encoding")
        conf = self.conf
        ctx.notes[_STREAM] = import_module("brotli").Compressor(
            mode=conf["mode"], quality=conf["comp_level"], lgwin=conf["lgwin"] or 22, lgblock=conf["lgblock"]
        )
        response.remove("content-length")
        response.set("Content-Encoding", "br")
        _weaken_tag(response)

    def body_filter(self, ctx: Context, chunk: bytes, last: bool) -> bytes:
        """Compress, each piece flushed so that a stream stays a stream."""
        stream = ctx.notes.get(_STREAM)
        if stream is None:
            return chunk
        out: bytes = stream.process(chunk) + stream.flush() if chunk else b""
        return out + stream.finish() if last else out


def _accepts(ctx: Context) -> bool:
    wanted = ctx.headers.get("accept-encoding")
    if wanted is None:
        return False
    return any(
        coding in ("br", "*") and not (quality and value == "0") for coding, quality, value in _CODING.findall(wanted)
    )


def _weaken_tag(response: Headers) -> None:
    tag = response.get("etag")
    if tag is None:
        return
    match = _TAG.match(tag)
    if match is None:
        response.remove("etag")
    elif not match[1]:
        response.set("ETag", f"W/{tag}")
