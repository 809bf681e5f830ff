"""mocking: examples and made-up values."""

from __future__ import annotations

import inspect
import json

import pytest

from harness.emulators.apisix.plugins.mocking import Mocking

MEMBERS = {
    "n": {"type": "integer", "example": 7},
    "s": {"type": "string", "example": "x"},
    "list": {"type": "array", "items": {"type": "string", "example": "i"}},
    "o": {"type": "object", "properties": {"b": {"type": "boolean", "example": True}}},
}


def test_an_example_with_variables(build, request_of):
    conf = {
        "response_example": "hi $arg_n",
        "content_type": "text/plain",
        "response_status": 201,
        "response_headers": {"X-M": "$remote_addr", "X-I": 3},
    }
    verdict = build(Mocking, conf).access(request_of("/a?n=bob"))
    assert (verdict.status, verdict.body) == (201, b"hi bob")
    assert verdict.headers == (
        ("Content-Type", "text/plain"),
        ("x-mock-by", "APISIX/3.18.0"),
        ("X-M", "127.0.0.1"),
        ("X-I", "3"),
    )


def test_values_from_a_schema(build, request_of):
    plugin = build(Mocking, {"response_schema": {"type": "object", "properties": MEMBERS}, "with_mock_header": False})
    verdict = plugin.access(request_of("/"))
    value = json.loads(verdict.body)
    assert (value["n"], value["s"], value["o"], set(value["list"])) == (7, "x", {"b": True}, {"i"})
    assert verdict.headers == (("Content-Type", "application/json;charset=utf8"),)


def test_xml_from_a_schema(build, request_of):
    members = {"n": MEMBERS["n"], "o": MEMBERS["o"]}
    conf = {"response_schema": {"type": "object", "properties": members}, "content_type": "text/xml"}
    assert build(Mocking, conf).access(request_of("/")).body == (
        b"<data>\n  <n>7</n>\n  <o>\n    <b>true</b>\n  </o>\n</data>\n"
    )


def test_a_delay(build, request_of, run, monkeypatch):
    waited = []

    async def sleep(seconds):
        waited.append(seconds)

    monkeypatch.setattr("harness.emulators.apisix.plugins.mocking.sleep", sleep)
    waiting = build(Mocking, {"response_example": "a", "delay": 2}).access(request_of("/"))
    assert inspect.isawaitable(waiting)
    assert run(waiting).body == b"a"
    assert waited == [2]


@pytest.mark.parametrize(
    ("conf", "message"),
    [
        ({}, 'object matches none of the required: ["response_example"] or ["response_schema"]'),
        ({"response_example": "a", "content_type": "image/png"}, "unsupported content type!"),
        (
            {"response_example": "a", "response_status": 99},
            'property "response_status" validation failed: expected 99 to be at least 100',
        ),
    ],
)
def test_refused_configurations(refusal, conf, message):
    assert refusal(Mocking, conf) == message
