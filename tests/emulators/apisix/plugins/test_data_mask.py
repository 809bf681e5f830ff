"""data-mask: what loggers will see of query, headers and body."""

from __future__ import annotations

import json
from typing import Any

import pytest

from harness.emulators.apisix.plugins.data_mask import DataMask


def rule(kind: str, name: str, action: str, **more: str) -> dict[str, str]:
    return {"type": kind, "name": name, "action": action, **more}


def test_query_and_headers(build: Any, request_of: Any) -> None:
    rules = [
        rule("query", "password", "remove"),
        rule("query", "card", "regex", regex=r"(\d+)-\d+-(\d+)", value="$1-***-$2"),
        rule("query", "tok", "replace", value="xxx"),
        rule("header", "X-Token", "replace", value="***"),
        rule("header", "X-Gone", "remove"),
    ]
    ctx = request_of("/d?password=p&card=11-22-33&tok=a&tok=b&x=1", headers={"X-Token": "secret", "X-Gone": "1"})
    build(DataMask, {"request": rules}).log(ctx)
    assert ctx.query == "card=11-%2A%2A%2A-33&tok=xxx&x=1"
    assert ctx.target == f"/d?{ctx.query}"
    assert ctx.variables["request_line"] == f"GET {ctx.target} HTTP/1.1"
    assert list(ctx.headers) == [("Host", "golden.test"), ("X-Token", "***")]


def test_nothing_to_mask_leaves_the_request_alone(build: Any, request_of: Any) -> None:
    ctx = request_of("/d?b=%31")
    build(DataMask, {"request": [rule("query", "a", "remove")]}).log(ctx)
    assert (ctx.query, ctx.target, ctx.variables) == ("b=%31", "/d?b=%31", {})


def test_forms(build: Any, request_of: Any) -> None:
    ctx = request_of("/d", method="POST")
    ctx.body = b"a=1&b=2&c=3"
    rules = [rule("body", name, "remove", body_format="urlencoded") for name in ("a", "c")]
    build(DataMask, {"request": rules, "max_req_post_args": 2}).log(ctx)
    assert ctx.body == b"b=2"


@pytest.mark.parametrize(
    ("path", "action", "expected"),
    [
        ("$.password", {"action": "remove"}, {"users": [{"card": "1-2"}, {"card": "3-4"}], "items": [1, 2, 3]}),
        (
            "users[*].card",
            {"action": "regex", "regex": r"-(\d)", "value": "-*"},
            {"password": "p", "users": [{"card": "1-*"}, {"card": "3-*"}], "items": [1, 2, 3]},
        ),
        (
            "$..card",
            {"action": "replace", "value": "x"},
            {"password": "p", "users": [{"card": "x"}, {"card": "x"}], "items": [1, 2, 3]},
        ),
        (
            "$.items[0,2]",
            {"action": "remove"},
            {"password": "p", "users": [{"card": "1-2"}, {"card": "3-4"}], "items": [2]},
        ),
        (
            "$.items[*]",
            {"action": "remove"},
            {"password": "p", "users": [{"card": "1-2"}, {"card": "3-4"}], "items": []},
        ),
    ],
)
def test_json(build: Any, request_of: Any, path: str, action: dict[str, str], expected: Any) -> None:
    ctx = request_of("/d", method="POST")
    ctx.body = json.dumps({"password": "p", "users": [{"card": "1-2"}, {"card": "3-4"}], "items": [1, 2, 3]}).encode()
    item = {"type": "body", "body_format": "json", "name": path, **action}
    build(DataMask, {"request": [item]}).log(ctx)
    assert json.loads(ctx.body) == expected


def test_a_long_body_is_left_alone(build: Any, request_of: Any) -> None:
    ctx = request_of("/d", method="POST")
    ctx.body = b'{"a":"123456789"}'
    build(DataMask, {"request": [rule("body", "a", "remove", body_format="json")], "max_body_size": 5}).log(ctx)
    assert ctx.body == b'{"a":"123456789"}'


def test_schema(refusal: Any) -> None:
    for item in (rule("query", "a", "replace"), rule("body", "a", "remove"), rule("cookie", "a", "remove")):
        assert refusal(DataMask, {"request": [item]}) is not None
