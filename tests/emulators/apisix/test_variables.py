"""nginx's and APISIX's variables, and texts with variables in them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from harness.emulators.apisix.consumers import ConsumerEntry
from harness.emulators.apisix.context import Try
from harness.emulators.apisix.variables import getter, resolve, resolve_counted

Make = Callable[..., Any]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("uri", "/v"),
        ("request_uri", "/v?a=1&b&a=2&c=x%20y"),
        ("args", "a=1&b&a=2&c=x%20y"),
        ("arg_a", "1"),
        ("arg_b", True),
        ("arg_c", "x y"),
        ("arg_none", None),
        ("http_x_my_header", "v, w"),
        ("http_X-My-Header", "v, w"),
        ("cookie_sid", "abc"),
        ("cookie_SID", None),
        ("request_method", "GET"),
        ("server_protocol", "HTTP/1.1"),
        ("scheme", "http"),
        ("https", ""),
        ("is_args", "?"),
        ("remote_addr", "127.0.0.1"),
        ("server_port", "9080"),
        ("host", "v.test"),
        ("upstream_addr", "10.0.0.1:80, 10.0.0.2:80"),
        ("upstream_status", "502, 200"),
        ("balancer_ip", "10.0.0.2"),
        ("consumer_name", "jack"),
        ("uri_param_id", "7"),
        ("time_iso8601", "2023-11-14T22:13:20+00:00"),
        ("nonsense", None),
    ],
)
def test_variables(name: str, expected: Any, request_of: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    headers = [("X-My-Header", "v"), ("x_my_header", "w"), ("Cookie", "a=b; sid=abc")]
    ctx = request_of("/v", query="a=1&b&a=2&c=x%20y", headers=headers, host="v.test", path_params={"id": "7"})
    ctx.tries = [Try("10.0.0.1:80", 502), Try("10.0.0.2:80", 200)]
    ctx.consumer = ConsumerEntry("jack", {})
    assert getter(name)(ctx) == expected


def test_what_a_plugin_sets_wins(request_of: Make) -> None:
    ctx = request_of("/v", variables={"uri": "/other", "mine": "1"})
    assert (getter("uri")(ctx), getter("mine")(ctx)) == ("/other", "1")


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("plain", "plain"),
        ("$uri", "/v"),
        ("${uri}x $arg_a-$arg_none.", "/vx 1-"),
        ("${ arg_none ?? fallback }", "fallback"),
        ("${arg_a ?? fallback}", "1"),
        (r"\$uri", r"\$uri"),
        ("$arg_flag", "true"),
        ("cost: 5$", "cost: 5$"),
    ],
)
def test_templates(template: str, expected: str, request_of: Make) -> None:
    assert resolve(template)(request_of("/v", query="a=1&flag")) == expected


def test_how_many_variables_had_a_value(request_of: Make) -> None:
    ctx = request_of("/v", query="a=1")
    assert resolve_counted("$arg_a-$arg_b")(ctx) == ("1-", 1)
    assert resolve_counted("$arg_b")(ctx) == ("", 0)
