"""What gzip and brotli share: which answers are worth it, and which codings a client takes."""

from __future__ import annotations

import re

from harness.emulators.apisix.context import Context
from harness.emulators.apisix.headers import Headers
from harness.emulators.apisix.plugins.base import Conf, Schema

TYPES: Schema = {
    "anyOf": [
        {"type": "array", "minItems": 1, "items": {"type": "string", "minLength": 1}},
        {"enum": ["*"]},
    ],
    "default": ["text/html"],
}
MIN_LENGTH: Schema = {"type": "integer", "minimum": 1, "default": 20}
HTTP_VERSION: Schema = {"enum": [1.1, 1.0], "default": 1.1}

_QUALITY = re.compile(r"\s*;\s*q\s*=\s*([0-9.]+)", re.ASCII | re.IGNORECASE)


def worth_it(conf: Conf, ctx: Context) -> bool:
    """Whether type, length and protocol of the answer are what the configuration wants compressed."""
    kind = ctx.response.get("content-type")
    if kind is None or (conf["types"] != "*" and kind.partition(";")[0] not in conf["types"]):
        return False
    length = ctx.response.get("content-length")
    if length is not None and length.isdigit() and int(length) < conf["min_length"]:
        return False
    return bool(ctx.version[0] + ctx.version[1] / 10 >= conf["http_version"])


def accepts(ctx: Context, coding: str) -> bool:
    """Whether Accept-Encoding names the coding without q=0."""
    for part in (ctx.headers.get("accept-encoding") or "").split(","):
        name, _, parameters = part.partition(";")
        if name.strip().lower() == coding:
            quality = _QUALITY.match(";" + parameters)
            return quality is None or float(quality[1] or 0) > 0
    return False


def encoded_as(response: Headers, coding: str) -> None:
    """The headers of a body that is encoded on the way: no length, a weak ETag, no ranges."""
    for name in ("content-length", "accept-ranges"):
        response.remove(name)
    tag = response.get("etag")
    if tag is not None and not tag.startswith("W/"):
        response.set("ETag", f"W/{tag}")
    response.add("Content-Encoding", coding)
