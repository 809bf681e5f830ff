"""grpc-web: requests decoded, answers framed."""

from __future__ import annotations

import base64

import pytest

from harness.emulators.apisix.headers import Headers
from harness.emulators.apisix.plugins.grpc_web import GrpcWeb

TEXT = {"Content-Type": "application/grpc-web-text"}
FRAME = b"\x00\x00\x00\x00\x00"
CODED = base64.b64encode(FRAME)


@pytest.fixture
def asked(build, request_of, run):
    def play(method="POST", headers=TEXT, body=CODED):
        plugin, ctx = build(GrpcWeb), request_of("/grpc/a.B/C", method=method, headers=headers, body=body)
        ctx.path_params = {"_path": "/grpc/*"}
        return plugin, ctx, run(plugin.access(ctx))

    return play


def test_a_call_in_base64(asked):
    plugin, ctx, verdict = asked()
    assert verdict is None
    assert (ctx.body, ctx.upstream_uri, ctx.headers.get("content-type")) == (FRAME, "/a.B/C", "application/grpc")
    ctx.trailers = [("grpc-status", "0"), ("grpc-message", "ok")]
    ctx.response = Headers.of([("Content-Type", "application/grpc"), ("Content-Length", "9")])
    plugin.header_filter(ctx)
    assert list(ctx.response) == [
        ("Content-Type", "application/grpc-web-text"),
        ("Access-Control-Allow-Origin", "*"),
        ("Access-Control-Expose-Headers", "grpc-message,grpc-status"),
    ]
    first, last = plugin.body_filter(ctx, b"data", False), plugin.body_filter(ctx, b"", True)
    assert base64.b64decode(first) == b"data"
    fields = b"grpc-status:0\r\ngrpc-message:ok\r\n"
    assert base64.b64decode(last) == b"\x80" + len(fields).to_bytes(4, "big") + fields


def test_a_call_without_a_status(asked):
    plugin, ctx, _ = asked(headers={"Content-Type": "application/grpc-web+proto"}, body=FRAME)
    plugin.header_filter(ctx)
    assert plugin.body_filter(ctx, b"", True).endswith(b"grpc-message:upstream grpc status not received\r\n")


def test_metadata_that_went_out_as_headers(asked):
    plugin, ctx, _ = asked()
    ctx.response.set("grpc-status", "5")
    plugin.header_filter(ctx)
    assert plugin.body_filter(ctx, b"", True) == b""


@pytest.mark.parametrize(
    ("kwargs", "status"),
    [
        ({"method": "GET"}, 405),
        ({"method": "OPTIONS"}, 204),
        ({"headers": {"Content-Type": "application/json"}}, 400),
        ({"body": b"%%%"}, 400),
        ({"body": b""}, 400),
    ],
)
def test_what_is_answered_at_once(asked, kwargs, status):
    plugin, ctx, verdict = asked(**kwargs)
    assert verdict.status == status
    plugin.header_filter(ctx)
    assert plugin.body_filter(ctx, b"page", True) == b"page"
    assert ("access-control-allow-methods" in ctx.response) == (status == 204)
