"""example-plugin: its own upstream, its greeting on the Control API, its schema."""

from __future__ import annotations

from typing import Any

from harness.emulators.apisix.exchange import Request
from harness.emulators.apisix.headers import Headers
from harness.emulators.apisix.plugins.example_plugin import ExamplePlugin


def test_the_upstream_is_replaced(build: Any, request_of: Any) -> None:
    ctx = request_of("/")
    assert build(ExamplePlugin, {"i": 1, "ip": "127.0.0.1", "port": 1981}).access(ctx) is None
    assert ctx.upstream.conf == {"type": "roundrobin", "nodes": [{"host": "127.0.0.1", "port": 1981, "weight": 1}]}
    plain = request_of("/")
    assert build(ExamplePlugin, {"i": 1}).access(plain) is None
    assert plain.upstream is None
    assert build(ExamplePlugin, {"i": 1, "ip": "127.0.0.1"}).access(request_of("/")).status == 500


def test_the_greeting(scope: Any) -> None:
    handler = ExamplePlugin.control_api(scope)["GET", "/v1/plugin/example-plugin/hello"]
    path = "/v1/plugin/example-plugin/hello"
    plain, as_json = (handler(Request("GET", path, path, query, Headers())) for query in ("", "json"))
    assert (plain.body, as_json.body) == (b"world\n", b'{"msg":"world"}\n')


def test_schema(refusal: Any) -> None:
    assert refusal(ExamplePlugin, {}) == 'property "i" is required'
    assert refusal(ExamplePlugin, {"i": -1}) == 'property "i" validation failed: expected -1 to be at least 0'
