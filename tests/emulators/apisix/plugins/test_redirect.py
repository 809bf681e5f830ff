"""redirect: where to, with which status."""

from __future__ import annotations

import pytest

from harness.emulators.apisix.plugins.redirect import Redirect


@pytest.mark.parametrize(
    ("conf", "target", "code", "location"),
    [
        ({"uri": "/b"}, "/a?x=1", 302, "/b"),
        ({"uri": "https://$host/x$request_uri", "ret_code": 301}, "/c?x=1", 301, "https://golden.test/x/c?x=1"),
        ({"uri": "${uri}/end", "ret_code": 308}, "/d", 308, "/d/end"),
        ({"uri": "/\\$host/$none"}, "/d", 302, "/\\$host/"),
        ({"uri": "/n", "append_query_string": True}, "/d?a=1", 302, "/n?a=1"),
        ({"uri": "/n?b=2", "append_query_string": True}, "/d?a=1", 302, "/n?b=2&a=1"),
        ({"uri": "$uri?a b", "encode_uri": True}, "/d%20e", 302, "/d%20e?a b"),
        ({"regex_uri": ["^/a/(.*)", "/b/$1"]}, "/a/c", 302, "/b/c"),
    ],
)
def test_locations(build, request_of, conf, target, code, location):
    verdict = build(Redirect, conf).rewrite(request_of(target))
    assert (verdict.status, verdict.body, verdict.headers) == (code, None, (("Location", location),))


def test_no_match_of_the_pattern_goes_on(build, request_of):
    assert build(Redirect, {"regex_uri": ["^/a", "/b"]}).rewrite(request_of("/c")) is None


@pytest.mark.parametrize(
    ("port", "authority"), [(None, "golden.test"), (443, "golden.test"), (9443, "golden.test:9443")]
)
def test_http_to_https(build, request_of, scope, port, authority):
    scope.attr = {"https_port": port} if port else {}
    plugin = build(Redirect, {"http_to_https": True})
    get, post = plugin.rewrite(request_of("/a?x=1")), plugin.rewrite(request_of("/a", method="POST"))
    assert (get.status, get.headers) == (301, (("Location", f"https://{authority}/a?x=1"),))
    assert (post.status, post.headers) == (308, (("Location", f"https://{authority}/a"),))
    assert plugin.rewrite(request_of("/a", scheme="https")) is None


@pytest.mark.parametrize(
    ("conf", "message"),
    [
        ({}, "value should match only one schema, but matches none"),
        ({"uri": "/a", "http_to_https": True}, "value should match only one schema, but matches both schemas 1 and 3"),
        (
            {"regex_uri": ["(", " "]},
            'invalid regex_uri ((,  ), err:pcre2_compile() failed: missing closing parenthesis in "("',
        ),
        (
            {"http_to_https": True, "append_query_string": True},
            "only one of `http_to_https` and `append_query_string` can be configured.",
        ),
    ],
)
def test_refused_configurations(refusal, conf, message):
    assert refusal(Redirect, conf) == message
