"""response-rewrite: what the client gets instead."""

from __future__ import annotations

import gzip

import pytest

from harness.emulators.apisix.headers import Headers
from harness.emulators.apisix.plugins.response_rewrite import ResponseRewrite


@pytest.fixture
def answered(build, request_of):
    """answered(conf, pieces, headers…) → the context and the body after the filters."""

    def make(conf, *pieces, headers=(), status=200):
        plugin, ctx = build(ResponseRewrite, conf), request_of("/r")
        ctx.status, ctx.response = status, Headers.of(headers)
        plugin.header_filter(ctx)
        last = len(pieces) - 1
        return ctx, b"".join(plugin.body_filter(ctx, piece, index == last) for index, piece in enumerate(pieces))

    return make


def test_status_body_and_headers(answered):
    conf = {"status_code": 201, "body": "né", "headers": {"set": {"X-S": "$uri", "Content-Type": "text/plain"}}}
    ctx, body = answered(conf, b"a", b"b", headers=[("Content-Length", "2"), ("ETag", "x"), ("X-S", "old")])
    assert (ctx.status, body) == (201, "né".encode())
    assert list(ctx.response) == [("X-S", "/r"), ("Content-Type", "text/plain")]


def test_header_operations(answered):
    conf = {"headers": {"add": ["X-A: 1", "X-A: 2"], "set": {"X-B": "set", "X-N": 5}, "remove": ["X-C"]}}
    ctx, body = answered(conf, b"kept", headers=[("X-A", "0"), ("X-B", "0"), ("X-C", "0")])
    assert list(ctx.response) == [("X-A", "0"), ("X-B", "set"), ("X-A", "1"), ("X-A", "2"), ("X-N", "5")]
    assert body == b"kept"


def test_the_flat_form_removes_by_an_empty_value(answered):
    ctx, _ = answered({"headers": {"X-New": "1", "X-Old": ""}}, b"", headers=[("X-Old", "1")])
    assert list(ctx.response) == [("X-New", "1")]


def test_filters_once_and_everywhere_over_the_whole_body(answered):
    filters = [{"regex": "fox", "replace": "cat", "scope": "global"}, {"regex": "(d)og", "replace": "$1uck"}]
    _, body = answered({"filters": filters}, b"fo", b"x dog fox", b" dog")
    assert body == b"cat duck cat dog"


def test_filters_see_through_gzip(answered):
    filters = [{"regex": "fox", "replace": "cat"}]
    ctx, body = answered({"filters": filters}, gzip.compress(b"a fox"), headers=[("Content-Encoding", "gzip")])
    assert body == b"a cat"
    assert "content-encoding" not in ctx.response


def test_only_where_vars_match(answered):
    conf = {"vars": [["status", "==", 404]], "status_code": 200, "body": "found after all"}
    assert answered(conf, b"gone", status=404)[1] == b"found after all"
    assert answered(conf, b"here")[1] == b"here"


def test_a_body_in_base64(answered):
    assert answered({"body": "aGk=", "body_base64": True}, b"x")[1] == b"hi"


@pytest.mark.parametrize(
    ("conf", "message"),
    [
        ({"status_code": 199}, 'property "status_code" validation failed: expected 199 to be at least 200'),
        ({"vars": [["status", "bad", 1]]}, "failed to validate the 'vars' expression: invalid operator 'bad'"),
        ({"body": "?", "body_base64": True}, "invalid base64 content"),
        (
            {"filters": [{"regex": "(", "replace": ""}]},
            'regex "(" validation failed: pcre2_compile() failed: missing closing parenthesis in "("',
        ),
    ],
)
def test_refused_configurations(refusal, conf, message):
    assert refusal(ResponseRewrite, conf) == message
