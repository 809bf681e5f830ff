"""degraphql: GraphQL requests made of plain ones."""

from __future__ import annotations

import json
from urllib.parse import parse_qs

import pytest

from harness.emulators.apisix.plugins.degraphql import Degraphql

QUERY = "query($name: String!) { user(name: $name) { id } }"


def test_variables_from_the_body(build, request_of, run):
    plugin = build(Degraphql, {"query": QUERY, "variables": ["name"]})
    ctx = request_of("/g", method="POST", body=b'{"name":"bob","other":1}')
    assert run(plugin.access(ctx)) is None
    assert json.loads(ctx.body) == {"query": QUERY, "variables": {"name": "bob"}}
    assert ctx.headers.get("content-type") == "application/json"


def test_variables_from_the_query(build, request_of, run):
    ctx = request_of("/g?name=ann&other=1")
    run(build(Degraphql, {"query": QUERY, "variables": ["name"]}).access(ctx))
    args = parse_qs(ctx.query)
    assert (args["query"], json.loads(args["variables"][0])) == ([QUERY], {"name": "ann"})
    assert ctx.upstream_uri.startswith("/g?")


def test_one_of_several_operations(build, request_of, run):
    ctx = request_of("/o", method="POST")
    run(build(Degraphql, {"query": "query A {a} query B {b}", "operation_name": "B"}).access(ctx))
    assert json.loads(ctx.body)["operationName"] == "B"


@pytest.mark.parametrize(
    ("method", "body", "status"), [("PUT", b"{}", 405), ("POST", b"nope", 400), ("POST", b"", 400), ("POST", b"1", 400)]
)
def test_requests_that_are_refused(build, request_of, run, method, body, status):
    plugin = build(Degraphql, {"query": QUERY, "variables": ["name"]})
    assert run(plugin.access(request_of("/g", method=method, body=body))).status == status


@pytest.mark.parametrize(
    ("conf", "message"),
    [
        ({}, 'property "query" is required'),
        ({"query": "query {"}, "failed to parse query: Syntax error near line 1"),
        (
            {"query": "query A {a} query B {b}"},
            "operation_name is required if multiple operations are present in the query",
        ),
    ],
)
def test_refused_configurations(refusal, conf, message):
    assert refusal(Degraphql, conf) == message
