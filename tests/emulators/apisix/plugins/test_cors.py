"""cors: preflights, origin lists, patterns, metadata, timing."""

from __future__ import annotations

from typing import Any

import pytest

from harness.emulators.apisix.context import Exit
from harness.emulators.apisix.plugins.cors import Cors


def answer(plugin: Any, ctx: Any) -> dict[str, str]:
    plugin.rewrite(ctx)
    plugin.header_filter(ctx)
    return dict(ctx.response)


def from_origin(request_of: Any, origin: str | None, **more: Any) -> Any:
    return request_of("/c", headers={"Origin": origin} if origin else {}, **more)


@pytest.mark.parametrize("origin", [None, "http://a.test"])
def test_defaults_allow_everybody(build: Any, request_of: Any, origin: str | None) -> None:
    assert answer(build(Cors), from_origin(request_of, origin)) == {
        "Access-Control-Allow-Origin": "*",
        "Access-Control-Allow-Methods": "*",
        "Access-Control-Max-Age": "5",
        "Access-Control-Allow-Headers": "*",
    }


def test_options_are_answered_here(build: Any, request_of: Any) -> None:
    assert build(Cors).rewrite(request_of("/c", method="OPTIONS")) == Exit(200)
    assert build(Cors).rewrite(request_of("/c")) is None


def test_listed_origins_are_echoed_and_others_told_nothing(build: Any, request_of: Any) -> None:
    conf = {
        "allow_origins": "http://a.test,https://b.test:8443",
        "allow_methods": "GET,POST",
        "allow_headers": "X-A,X-B",
        "expose_headers": "X-E",
        "max_age": 60,
        "allow_credential": True,
    }
    plugin = build(Cors, conf)
    assert answer(plugin, from_origin(request_of, "https://b.test:8443")) == {
        "Vary": "Origin",
        "Access-Control-Allow-Origin": "https://b.test:8443",
        "Access-Control-Allow-Methods": "GET,POST",
        "Access-Control-Max-Age": "60",
        "Access-Control-Expose-Headers": "X-E",
        "Access-Control-Allow-Headers": "X-A,X-B",
        "Access-Control-Allow-Credentials": "true",
    }
    assert answer(plugin, from_origin(request_of, "http://evil.test")) == {"Vary": "Origin"}


def test_two_stars_echo_what_is_asked_for(build: Any, request_of: Any) -> None:
    conf = {"allow_origins": "**", "allow_methods": "**", "allow_headers": "**", "allow_credential": True}
    ctx = request_of("/c", headers={"Origin": "http://x.test", "Access-Control-Request-Headers": "X-1"})
    got = answer(build(Cors, conf), ctx)
    assert got["Access-Control-Allow-Origin"] == "http://x.test"
    assert got["Access-Control-Allow-Methods"] == "GET,POST,PUT,DELETE,PATCH,HEAD,OPTIONS,CONNECT,TRACE"
    assert got["Access-Control-Allow-Headers"] == "X-1"
    assert "Access-Control-Allow-Headers" not in answer(build(Cors, conf), request_of("/c"))


def test_a_single_origin_replaces_the_upstreams_own(build: Any, request_of: Any) -> None:
    plugin = build(Cors, {"allow_origins": "http://a.test"})
    for origin, expected in (("http://a.test", "http://a.test"), ("http://b.test", "http://up.test")):
        ctx = from_origin(request_of, origin)
        ctx.response.add("Access-Control-Allow-Origin", "http://up.test")
        assert answer(plugin, ctx)["Access-Control-Allow-Origin"] == expected


def test_patterns(build: Any, request_of: Any) -> None:
    plugin = build(Cors, {"allow_origins_by_regex": [r".*\.test\.com$", "^http://other"]})
    for origin, allowed in (
        ("http://a.test.com", True),
        ("http://other.x", True),
        ("http://b.example", False),
        (None, False),
    ):
        assert ("Access-Control-Allow-Origin" in answer(plugin, from_origin(request_of, origin))) is allowed


def test_metadata(build: Any, request_of: Any, scope: Any) -> None:
    scope.plugin_metadata["cors"] = {"allow_origins": {"a": "http://a.test,http://aa.test"}}
    only = build(Cors, {"allow_origins_by_metadata": ["a", "missing"]})
    both = build(Cors, {"allow_origins_by_metadata": ["a"], "allow_origins": "http://own.test"})
    assert answer(only, from_origin(request_of, "http://aa.test"))["Access-Control-Allow-Origin"] == "http://aa.test"
    assert answer(only, from_origin(request_of, "http://own.test")) == {}
    assert answer(both, from_origin(request_of, "http://own.test"))["Access-Control-Allow-Origin"] == "http://own.test"


def test_timing(build: Any, request_of: Any) -> None:
    plugin = build(Cors, {"timing_allow_origins": "http://a.test"})
    assert answer(plugin, from_origin(request_of, "http://a.test"))["Timing-Allow-Origin"] == "http://a.test"
    assert "Timing-Allow-Origin" not in answer(plugin, from_origin(request_of, "http://b.test"))


def test_schema(refusal: Any) -> None:
    assert (
        refusal(Cors, {"allow_credential": True})
        == "you can not set '*' for other option when 'allow_credential' is true"
    )
    assert "missing closing parenthesis" in (refusal(Cors, {"allow_origins_by_regex": ["("]}) or "")
    assert "validation failed" in (refusal(Cors, {"allow_origins": "nope"}) or "")
