"""request-validation: headers, JSON bodies and forms against schemas."""

from __future__ import annotations

import json
from typing import Any

import pytest

from harness.emulators.apisix.context import Exit
from harness.emulators.apisix.plugins.request_validation import RequestValidation

BODY = {
    "body_schema": {
        "type": "object",
        "required": ["name"],
        "properties": {"name": {"type": "string", "minLength": 2}, "role": {"type": "string", "default": "a"}},
    }
}
JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({}, 'property "X-Need" is required'),
        ({"x-need": "ab"}, 'property "X-Need" validation failed: failed to match pattern "^[0-9]+$" with "ab"'),
    ],
)
def test_headers(build: Any, request_of: Any, run: Any, headers: dict[str, str], body: str) -> None:
    schema = {"type": "object", "required": ["X-Need"], "properties": {"X-Need": {"pattern": "^[0-9]+$"}}}
    plugin = build(RequestValidation, {"header_schema": schema})
    assert run(plugin.rewrite(request_of("/", headers=headers))) == Exit(400, body.encode())
    assert run(plugin.rewrite(request_of("/", headers={"X-NEED": "12"}))) is None


def test_a_json_body_goes_on_with_defaults(build: Any, request_of: Any, run: Any) -> None:
    ctx = request_of("/", method="POST", headers=JSON, body=b'{ "name": "ann" }')
    assert run(build(RequestValidation, BODY).rewrite(ctx)) is None
    assert json.loads(ctx.body) == {"name": "ann", "role": "a"}


@pytest.mark.parametrize(
    ("body", "answer"),
    [
        (b"{}", 'property "name" is required'),
        (b'{"name":"a"}', 'property "name" validation failed: string too short, expected at least 2, got 1'),
        (b"not json", "Expected value but found invalid token at character 1"),
        (b"[1]", "wrong type: expected object, got table"),
        (b'{"name":"\xff"}', 'property "name" validation failed: string too short, expected at least 2, got 1'),
        (b"", None),
    ],
)
def test_refused_bodies(build: Any, request_of: Any, run: Any, body: bytes, answer: str | None) -> None:
    plugin = build(RequestValidation, BODY)
    assert run(plugin.rewrite(request_of("/", method="POST", headers=JSON, body=body))) == Exit(
        400, answer.encode() if answer else None
    )


def test_forms_stay_as_they_came(build: Any, request_of: Any, run: Any) -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
    ctx = request_of("/", method="POST", headers=form, body=b"name=ann%20b")
    assert run(build(RequestValidation, BODY).rewrite(ctx)) is None
    assert ctx.body == b"name=ann%20b"


def test_options(build: Any, request_of: Any, run: Any) -> None:
    plugin = build(RequestValidation, {**BODY, "rejected_code": 422, "rejected_msg": "bad", "max_req_body_size": 20})
    assert run(plugin.rewrite(request_of("/", method="POST", body=b"x"))) == Exit(422, b"bad")
    assert run(plugin.rewrite(request_of("/", method="POST", body=b'{"name":"' + b"a" * 20 + b'"}'))) == Exit(
        422, b"bad"
    )


def test_schema(refusal: Any) -> None:
    odd = {"body_schema": {"properties": {"a": {"enum": "x"}}}}
    assert refusal(RequestValidation, odd) == "bad argument #1 to 'ipairs' (table expected, got string)"
    assert refusal(RequestValidation, {"body_schema": {"type": "nope"}}) == "invalid JSON type: nope"
    assert "matches none of the required" in (refusal(RequestValidation, {}) or "")
