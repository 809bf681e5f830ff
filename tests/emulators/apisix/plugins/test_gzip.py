"""gzip: which answers are compressed."""

from __future__ import annotations

import gzip

import pytest

from harness.emulators.apisix.headers import Headers
from harness.emulators.apisix.plugins.gzip import Gzip


@pytest.fixture
def answered(build, request_of):
    """answered(conf, headers of the answer, Accept-Encoding) → (context, encoder or None)."""

    def make(conf, fields, accept="gzip", status=200, version=(1, 1)):
        ctx = request_of("/", headers={"Accept-Encoding": accept})
        ctx.status, ctx.version, ctx.response = status, version, Headers.of(fields)
        build(Gzip, conf).header_filter(ctx)
        return ctx, ctx.compress(ctx) if ctx.compress else None

    return make


HTML = [("Content-Type", "text/html; charset=utf-8"), ("Content-Length", "200"), ("ETag", '"x"')]


def test_a_body_is_compressed_piece_by_piece(answered):
    ctx, encode = answered({"vary": True}, HTML)
    first = encode(b"one ", False)
    assert first
    assert gzip.decompress(first + encode(b"two", False) + encode(b"", True)) == b"one two"
    assert list(ctx.response) == [
        ("Content-Type", "text/html; charset=utf-8"),
        ("ETag", 'W/"x"'),
        ("Vary", "Accept-Encoding"),
        ("Content-Encoding", "gzip"),
    ]


@pytest.mark.parametrize(
    ("conf", "fields", "more"),
    [
        ({}, [("Content-Type", "text/plain")], {}),
        ({}, [], {}),
        ({"min_length": 201}, HTML, {}),
        ({}, [*HTML, ("Content-Encoding", "br")], {}),
        ({}, HTML, {"accept": "gzip;q=0"}),
        ({}, HTML, {"accept": "deflate"}),
        ({}, HTML, {"status": 500}),
        ({}, HTML, {"version": (1, 0)}),
    ],
)
def test_what_stays_as_it_is(answered, conf, fields, more):
    assert answered(conf, fields, **more)[1] is None


def test_all_types_and_old_clients_when_asked_for(answered):
    fields = [("Content-Type", "application/octet-stream")]
    assert answered({"types": "*", "http_version": 1.0}, fields, "deflate, gzip;q=0.5", version=(1, 0))[1]


def test_refused_configurations(refusal):
    assert refusal(Gzip, {"types": []}) == 'property "types" validation failed: object matches none of the required'
    assert refusal(Gzip, {"http_version": 2}) == (
        'property "http_version" validation failed: matches none of the enum values'
    )
