"""Variables of the body: forms, JSON by path, GraphQL."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from harness.emulators.apisix.match.expression import compile_expression
from harness.emulators.apisix.match.json_path import select
from harness.emulators.apisix.variables import getter

Make = Callable[..., Any]
JSON = [("Content-Type", "application/json")]
DOCUMENT = {
    "model": "gpt",
    "n": 2,
    "messages": [{"role": "user", "c": {"t": "a"}}, {"role": "system", "c": {"t": "b"}}],
}


def value(name: str, ctx: Any) -> Any:
    return getter(name)(ctx)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("post_arg.model", "gpt"),
        ("post_arg.n", 2),
        ("post_arg.messages[0].role", ["user"]),
        ("post_arg.messages[*].role", ["user", "system"]),
        ("post_arg.messages[-1:].role", ["system"]),
        ("post_arg.messages..t", ["a", "b"]),
        ("post_arg.none.deeper", None),
        ("post_arg.messages[*].none", None),
        ("post_arg_model", None),
    ],
)
def test_json_by_path(name: str, expected: Any, request_of: Make) -> None:
    ctx = request_of("/", method="POST", headers=JSON, body=json.dumps(DOCUMENT).encode())
    assert value(name, ctx) == expected


def test_forms(request_of: Make) -> None:
    headers = [("Content-Type", "application/x-www-form-urlencoded")]
    ctx = request_of("/", method="POST", headers=headers, body=b"a=1&a=2&b=x%20y")
    assert [value(name, ctx) for name in ("post_arg_a", "post_arg.b", "post_arg_c")] == ["1", "x y", None]


def test_multipart(request_of: Make) -> None:
    body = b'--X\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--X--\r\n'
    ctx = request_of("/", method="POST", headers=[("Content-Type", "multipart/form-data; boundary=X")], body=body)
    assert value("post_arg.a", ctx) == "1"


def test_has_looks_into_lists_of_the_body(request_of: Make) -> None:
    condition = compile_expression([["post_arg.messages[*].role", "has", "system"]], getter)
    assert condition is not None
    assert condition(request_of("/", method="POST", headers=JSON, body=json.dumps(DOCUMENT).encode()))
    assert not condition(request_of("/", method="POST", headers=JSON, body=b"not json"))


@pytest.mark.parametrize(
    ("text", "operation", "name", "fields"),
    [
        ("mutation Save { save { id } }", "mutation", "Save", ["save"]),
        ("{ a b: c(x: {y: [1]}) @skip(if: true) { d } }", "query", "", ["a", "c"]),
        ("# first\nquery Q($a: Int! = 3, $b: [S!]) @d { owner { name } }", "query", "Q", ["owner"]),
        ("query { a } fragment F on T { b }", "query", "", ["a"]),
        ("mutation {", None, None, None),
        ("nonsense", None, None, None),
        ("query { }", None, None, None),
    ],
)
def test_graphql(text: str, operation: Any, name: Any, fields: Any, request_of: Make) -> None:
    names = ("graphql_operation", "graphql_name", "graphql_root_fields")
    posted = request_of("/", method="POST", headers=JSON, body=json.dumps({"query": text}).encode())
    assert [value(each, posted) for each in names] == [operation, name, fields]
    plain = request_of("/", method="POST", headers=[("Content-Type", "application/graphql")], body=text.encode())
    assert value("graphql_operation", plain) == operation


def test_graphql_of_a_get_is_in_the_query(request_of: Make) -> None:
    ctx = request_of("/", query="query=mutation%20Save%20%7B%20save%20%7D")
    assert value("graphql_name", ctx) == "Save"


def test_a_path_that_cannot_be_read_selects_nothing() -> None:
    assert select({"a": 1}, "a[?(@.b)]") == []
    assert select([1, 2, 3], "[0:2]") == [1, 2]
    assert select({"a": {"b": 1}}, "['a']['b']") == [1]
