"""proxy-rewrite: what reaches the upstream."""

from __future__ import annotations

import pytest

from harness.emulators.apisix.plugins.proxy_rewrite import ProxyRewrite

REGEXES = ["^/r/user/(\\d+)/(.*)", "/u/$2/$1", "^/r/(.*)/old$", "/$1/new"]


@pytest.mark.parametrize(
    ("conf", "target", "sent"),
    [
        ({"uri": "/b"}, "/a?x=1", "/b?x=1"),
        ({"uri": "/b"}, "/a", "/b"),
        ({"uri": "/x$uri/$arg_id"}, "/v/1?id=7", "/x/v/1/7?id=7"),
        ({"uri": "/x$uri"}, "/v%3Fa", "/x/v%253Fa"),
        ({"uri": "/z?own=1"}, "/q", "/z?own=1"),
        ({"uri": "/z?own=1"}, "/q?x=1", "/z?own=1&x=1"),
        ({"regex_uri": REGEXES}, "/r/user/12/name?x=1", "/u/name/12?x=1"),
        ({"regex_uri": REGEXES}, "/r/a/b/old", "/a/b/new"),
        ({"regex_uri": REGEXES}, "/r/none", "/r/none"),
        ({"regex_uri": REGEXES}, "/r/user/12/a%20b", "/u/a%20b/12"),
        ({"headers": {"X": "1"}}, "/e/a%2Fb", "/e/a/b"),
        ({"use_real_request_uri_unsafe": True}, "/e/a%2Fb?x=%20", "/e/a%2Fb?x=%20"),
        ({"use_real_request_uri_unsafe": True, "uri": "/n?a=1"}, "/e?x=%20", "/n?a=1&x=%20"),
    ],
)
def test_paths(build, request_of, conf, target, sent):
    ctx = request_of(target)
    build(ProxyRewrite, conf).rewrite(ctx)
    assert ctx.upstream_uri == sent


def test_headers_are_added_set_and_removed(build, request_of):
    headers = {
        "set": {"X-Set": "v-$remote_addr", "X-Over": "new", "X-Two": ["a", "b"]},
        "add": {"X-Add": 2},
        "remove": ["X-Gone", "User-Agent"],
    }
    ctx = request_of("/h", headers={"X-Over": "old", "X-Add": "1", "X-Gone": "g", "User-Agent": "u"})
    build(ProxyRewrite, {"headers": headers}).rewrite(ctx)
    fields = [("X-Over", "new"), ("X-Add", "1"), ("X-Add", "2"), ("X-Set", "v-127.0.0.1"), ("X-Two", "a")]
    assert list(ctx.headers)[1:] == [*fields, ("X-Two", "b")]


def test_the_flat_form_sets_and_empty_values_remove(build, request_of):
    ctx = request_of("/f", headers={"X-Gone": "g"})
    build(ProxyRewrite, {"headers": {"X-Flat": "1", "X-Gone": ""}}).rewrite(ctx)
    assert list(ctx.headers)[1:] == [("X-Flat", "1")]


def test_headers_hold_captures_of_the_path(build, request_of):
    conf = {"regex_uri": ["^/c/(\\w+)/(\\w+)", "/$1"], "headers": {"set": {"X-Id": "$1-$2", "X-All": "${0}!"}}}
    plugin = build(ProxyRewrite, conf)
    hit, miss = request_of("/c/a/b"), request_of("/d")
    plugin.rewrite(hit)
    plugin.rewrite(miss)
    assert (hit.headers.get("x-id"), hit.headers.get("x-all")) == ("a-b", "/c/a/b!")
    assert (miss.headers.get("x-id"), miss.headers.get("x-all")) == ("-", "!")


def test_method_and_host(build, request_of):
    ctx = request_of("/m")
    build(ProxyRewrite, {"method": "POST", "host": "inner.test:99"}).rewrite(ctx)
    assert (ctx.upstream_method, ctx.upstream_host) == ("POST", "inner.test:99")


@pytest.mark.parametrize(
    ("conf", "message"),
    [
        ({"uri": "nope"}, 'property "uri" validation failed: failed to match pattern "^\\\\/.*" with "nope"'),
        ({"regex_uri": ["a"]}, 'property "regex_uri" validation failed: expect array to have at least 2 items'),
        ({"regex_uri": ["a", "b", "c"]}, "The length of regex_uri should be an even number"),
        (
            {"regex_uri": ["(", "b"]},
            'invalid regex_uri((, b): pcre2_compile() failed: missing closing parenthesis in "("',
        ),
        ({"method": "FLY"}, 'property "method" validation failed: matches none of the enum values'),
        (
            {"headers": {"set": {}}},
            'property "headers" validation failed: value should match only one schema, but matches none',
        ),
        ({"headers": {"a:b": "c"}}, "invalid field character in header"),
        ({"headers": {"a": "b\r\n"}}, "invalid value character in header"),
    ],
)
def test_refused_configurations(refusal, conf, message):
    assert refusal(ProxyRewrite, conf) == message
