"""echo: texts around the body, or in its place."""

from __future__ import annotations

from harness.emulators.apisix.headers import Headers
from harness.emulators.apisix.plugins.echo import Echo


def body(plugin, ctx, *pieces):
    last = len(pieces) - 1
    return b"".join(plugin.body_filter(ctx, piece, index == last) for index, piece in enumerate(pieces))


def test_before_and_after(build, request_of):
    plugin = build(Echo, {"before_body": "<", "after_body": ">"})
    assert body(plugin, request_of("/"), b"chunk 0\n", b"chunk 1\n", b"") == b"<chunk 0\nchunk 1\n>"


def test_another_body_and_headers(build, request_of):
    plugin, ctx = (
        build(Echo, {"before_body": "[", "body": "ö", "after_body": "]", "headers": {"X-E": 1}}),
        request_of("/"),
    )
    ctx.response = Headers.of([("Content-Length", "9"), ("X-E", "0"), ("A", "b")])
    plugin.header_filter(ctx)
    assert list(ctx.response) == [("X-E", "1"), ("A", "b")]
    assert body(plugin, ctx, b"old", b"er") == "[ö]".encode()


def test_refused_configurations(refusal):
    assert refusal(Echo, {"headers": {"a": "b"}}).startswith("object matches none of the required")
