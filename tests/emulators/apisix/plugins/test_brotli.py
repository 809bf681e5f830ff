"""brotli: which answers are compressed, and what becomes of their headers."""

from __future__ import annotations

import pytest

from harness.emulators.apisix.headers import Headers
from harness.emulators.apisix.plugins.brotli import Brotli

brotli = pytest.importorskip("brotli")
HTML = [("Content-Type", "text/html"), ("Content-Length", "200"), ("ETag", '"x"')]


@pytest.mark.parametrize("accept", ["br", "*", "gzip, br;q=0.5"])
def test_a_body_is_compressed(build, request_of, accept):
    plugin, ctx = build(Brotli, {"vary": True}), request_of("/", headers={"Accept-Encoding": accept})
    ctx.response = Headers.of(HTML)
    plugin.header_filter(ctx)
    pieces = [plugin.body_filter(ctx, b"one ", False), plugin.body_filter(ctx, b"two", True)]
    assert brotli.decompress(b"".join(pieces)) == b"one two"
    assert list(ctx.response)[1:] == [("ETag", 'W/"x"'), ("Vary", "Accept-Encoding"), ("Content-Encoding", "br")]


@pytest.mark.parametrize("accept", ["gzip", "br;q=0", None])
def test_not_for_clients_that_do_not_take_it(build, request_of, accept):
    plugin, ctx = build(Brotli), request_of("/", headers={"Accept-Encoding": accept} if accept else {})
    ctx.response = Headers.of(HTML)
    plugin.header_filter(ctx)
    assert plugin.body_filter(ctx, b"one", True) == b"one"
    assert "content-encoding" not in ctx.response


def test_without_the_library_it_is_refused(refusal, monkeypatch):
    monkeypatch.setattr("harness.emulators.apisix.plugins.brotli.find_spec", lambda name: None)
    assert refusal(Brotli, {}) == "the Python package brotli is not installed"
