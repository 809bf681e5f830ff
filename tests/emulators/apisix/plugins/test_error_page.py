"""error-page: whose errors get a page."""

from __future__ import annotations

import pytest

from harness.emulators.apisix.plugins.error_page import ErrorPage


@pytest.fixture
def answered(build, request_of, scope):
    scope.plugin_metadata["error-page"] = {
        "enable": True,
        "error_404": {"body": "<h1>nowhere</h1>"},
        "error_502": {"body": '{"e":502}', "content_type": "application/json"},
        "error_500": {},
    }

    def make(status, *, upstream=False):
        plugin, ctx = build(ErrorPage), request_of("/")
        ctx.status, ctx.from_upstream = status, upstream
        ctx.response.set("Content-Type", "text/plain")
        plugin.header_filter(ctx)
        return ctx, plugin.body_filter(ctx, b"old", False) + plugin.body_filter(ctx, b"er", True)

    return make


def test_the_pages_of_the_metadata(answered):
    ctx, body = answered(404)
    assert body == b"<h1>nowhere</h1>"
    assert list(ctx.response) == [("Content-Type", "text/html"), ("Content-Length", "16")]
    assert answered(502)[1] == b'{"e":502}'
    assert b"500 Internal Server Error" in answered(500)[1]


@pytest.mark.parametrize(("status", "upstream"), [(503, False), (404, True), (200, False), (401, False)])
def test_what_keeps_its_body(answered, status, upstream):
    assert answered(status, upstream=upstream)[1] == b"older"


def test_nothing_unless_enabled(answered, scope):
    scope.plugin_metadata["error-page"] = {"error_404": {"body": "x"}}
    assert answered(404)[1] == b"older"
