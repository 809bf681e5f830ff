"""Bodies held back until they are whole, and the headers that a changed body takes with it."""

from __future__ import annotations

import zlib
from importlib import import_module
from importlib.util import find_spec

from harness.emulators.apisix.context import Context
from harness.emulators.apisix.headers import Headers


def hold(ctx: Context, name: str, chunk: bytes, last: bool, limit: int = 0) -> bytes | None:
    """Keep `chunk` for the plugin `name`; the whole body with the last one or as soon as `limit` bytes are there.

    None while more is to come, and after the body was given (core.response.hold_body_chunk).
    """
    key = f"{name}.body"
    held: list[bytes] | None = ctx.notes.get(key, [])
    if held is None:
        return None
    held.append(chunk)
    ctx.notes[key] = held
    whole = bool(limit) and sum(map(len, held)) >= limit
    if not last and not whole:
        return None
    ctx.notes[key] = None
    body = b"".join(held)
    return body[:limit] if limit else body


def body_changes(response: Headers) -> None:
    """Drop what was true of the old body only (core.response.clear_header_as_body_modified)."""
    gone = ("content-length", "content-encoding", "last-modified", "etag")
    response.items = [item for item in response.items if item[0] not in gone]


def decoded(body: bytes, encoding: str) -> bytes | None:
    """A compressed body as it was; None for an encoding that isn't known, ValueError for a broken body."""
    if encoding == "gzip":
        try:
            return zlib.decompress(body, wbits=31)
        except zlib.error as error:
            raise ValueError(f"inflate gzip err: {error}") from error
    if encoding == "br" and find_spec("brotli"):
        brotli = import_module("brotli")
        try:
            return bytes(brotli.decompress(body))
        except brotli.error as error:
            raise ValueError(f"brotli decode err: {error}") from error
    return None
