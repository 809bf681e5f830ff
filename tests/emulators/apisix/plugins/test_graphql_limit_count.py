"""graphql-limit-count: costs of queries, the schema that weights need, quotas and refusals."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest
from graphql.language import parse

from harness.emulators.apisix.exchange import Response
from harness.emulators.apisix.plugins.graphql_cost import Position, TooManySelections, Walk, depth, positions
from harness.emulators.apisix.plugins.graphql_limit_count import GraphqlLimitCount
from harness.emulators.apisix.plugins.graphql_schemas import read

LIMIT = {"count": 100, "time_window": 60, "rejected_code": 429}
#: as an upstream tells it: Query.products(first = 5) → [Product!]!, Product.reviews(first) → [Review], Product.name
INTROSPECTED = {
    "__schema": {
        "queryType": {"name": "Query"},
        "mutationType": None,
        "types": [
            {
                "name": "Query",
                "fields": [
                    {
                        "name": "products",
                        "args": [{"name": "first", "defaultValue": "5"}],
                        "type": {"name": None, "ofType": {"name": None, "ofType": {"name": "Product"}}},
                    },
                    {"name": "node", "args": [], "type": {"name": "Node"}},
                ],
            },
            {
                "name": "Product",
                "fields": [
                    {"name": "reviews", "args": [], "type": {"name": None, "ofType": {"name": "Review"}}},
                    {"name": "name", "args": [], "type": {"name": "String"}},
                ],
            },
            {"name": "Node", "fields": [{"name": "id", "args": [], "type": {"name": "ID"}}]},
            {"name": "Review", "fields": [{"name": "text", "args": None, "type": {"name": "String"}}]},
            {"name": "String", "fields": None},
        ],
    }
}
PRODUCTS = {"field_path": "Query.products", "mul_arguments": ["first"]}
REVIEWS = {"field_path": "Product.reviews", "mul_arguments": ["first"], "add_value": 3}


def split(query):
    found = parse(query, no_location=True).definitions
    fragments = {one.name.value: one for one in found if one.kind == "fragment_definition"}
    return [one for one in found if one.kind != "fragment_definition"], fragments


def cost(strategy, query, decorations=(), variables=None, *, resolves=True):
    operations, fragments = split(query)
    walk = Walk(fragments, positions(decorations), read(INTROSPECTED), variables, resolves)
    return max(walk.cost(strategy, operation) for operation in operations)


@pytest.mark.parametrize(
    ("query", "deep"),
    [
        ("{ a }", 1),
        ("query q { foo { bar, baz { boo, bee, baa { id } } } }", 4),
        ("{ a { ...f } } fragment f on T { b { c } }", 3),
        ("{ a { ... on T { b } } }", 2),
        ("{ a } mutation m { b { c } }", 2),
        ("{ ...nowhere }", 1),
    ],
)
def test_depth(query, deep):
    assert depth(*split(query)) == deep


@pytest.mark.parametrize(
    ("query", "decorations", "complexity", "quantified"),
    [
        ("{ products(first: 10) { name } }", [], 3, 0),
        ("{ products(first: 10) { name } }", [PRODUCTS], 12, 1),
        ("{ products(first: 10) { reviews(first: 4) { text } } }", [PRODUCTS, REVIEWS], 72, 31),
        # a fragment costs nothing itself; a type's condition moves to that type
        ("{ products(first: 10) { ...f ...f } } fragment f on Product { name }", [PRODUCTS], 22, 1),
        ("{ node { ... on Product { reviews(first: 2) { text } } } }", [REVIEWS], 7, 3),
        # a type of its own weight, and a chain that wins over it
        ("{ products(first: 1) { name } }", [{"field_path": "Product", "add_value": 10}], 12, 0),
        (
            "{ products(first: 1) { name } }",
            [{"field_path": "Product", "add_value": 10}, {"field_path": "Query.products", "add_value": 5}],
            7,
            0,
        ),
        # no count: as if it weren't there
        ('{ products(first: "ten") { name } }', [PRODUCTS], 3, 0),
        ("{ products(first: -3) { name } }", [PRODUCTS], 3, 0),
    ],
)
def test_weights(query, decorations, complexity, quantified):
    assert cost("complexity", query, decorations) == complexity
    assert cost("node_quantifier", query, decorations) == quantified


@pytest.mark.parametrize(
    ("query", "variables", "resolves", "charged"),
    [
        ("query q($n: Int) { products(first: $n) { name } }", {"n": 20}, True, 22),
        ("query q($n: Int = 30) { products(first: $n) { name } }", {}, True, 32),
        # neither given nor declared: the schema's own default
        ("query q($n: Int) { products(first: $n) { name } }", None, True, 7),
        ("{ products { name } }", None, True, 7),
        ("query q($n: Int = 30) { products(first: $n) { name } }", None, False, 3),
    ],
)
def test_variables_and_defaults(query, variables, resolves, charged):
    assert cost("complexity", query, [PRODUCTS], variables, resolves=resolves) == charged


def test_a_document_that_expands_without_end_is_given_up():
    links = [f"fragment f{n} on T {{ ...f{n + 1} ...f{n + 1} }}" for n in range(20)]
    operations, fragments = split("{ ...f0 } " + " ".join(links) + " fragment f20 on T { a }")
    with pytest.raises(TooManySelections):
        Walk(fragments, Position(), None, None, True).cost("complexity", operations[0])


# -- the plugin


def asked(request_of, query, **more):
    body = json.dumps({"query": query, **more}).encode()
    return request_of("/graphql", method="POST", headers={"Content-Type": "application/json"}, body=body)


def test_a_query_is_charged_its_cost(build, request_of, run):
    plugin = build(GraphqlLimitCount, {**LIMIT, "count": 5})
    told = []
    for query in ("{ a { b { c } } }", "{ a { b } }", "{ a }"):
        ctx = asked(request_of, query)
        verdict = run(plugin.access(ctx))
        names = ("x-graphql-query-cost", "x-ratelimit-limit", "x-ratelimit-remaining")
        told.append((verdict and verdict.status, *(ctx.response.get(name) for name in names)))
    assert told == [(None, "3", "5", "2"), (None, "2", "5", "0"), (429, "1", "5", "0")]


def test_too_dear_a_query_is_charged_and_refused(build, request_of, run, scope):
    plugin = build(GraphqlLimitCount, {**LIMIT, "max_cost": 2, "score_factor": 1.5})
    ctx = asked(request_of, "{ a { b } }")
    verdict = run(plugin.access(ctx))
    assert (verdict.status, verdict.body) == (
        403,
        {"message": "Invalid graphql request: query cost 3 exceeds max_cost 2"},
    )
    assert ctx.response.get("x-ratelimit-remaining") == "97"


def test_the_operation_that_is_named_is_charged(build, request_of, run):
    plugin = build(GraphqlLimitCount, LIMIT)
    query = "query small { a } query large { a { b { c } } }"
    for name, charged in (("small", "1"), ("large", "3"), (None, "3")):
        ctx = asked(request_of, query, operationName=name)
        run(plugin.access(ctx))
        assert ctx.response.get("x-graphql-query-cost") == charged


@pytest.mark.parametrize(
    ("given", "status", "message"),
    [
        ({"method": "GET"}, 405, None),
        ({"body": b""}, 400, "Invalid graphql request: can't get graphql request body"),
        ({"body": b"{}", "headers": {}}, 400, "invalid graphql request, error content-type: "),
        ({"body": b"{"}, 400, "invalid graphql request, Expected object key string but found T_END at character 2"),
        ({"body": b'{"a":1}'}, 400, "invalid graphql request, json body[query] is nil"),
        ({"body": b'{"query":"{ a "}'}, 400, "Invalid graphql request: failed to parse graphql query"),
        ({"body": b'{"query":""}'}, 400, "Invalid graphql request: empty graphql query"),
        (
            {"body": b'{"query":"{ ...f } fragment f on T { ...f }"}'},
            400,
            "Invalid graphql request: fragment spreads must not form cycles",
        ),
    ],
)
def test_what_is_no_question(given, status, message, build, request_of, run):
    with_type = {"method": "POST", "headers": {"Content-Type": "application/json"}, **given}
    verdict = run(build(GraphqlLimitCount, LIMIT).access(request_of("/graphql", **with_type)))
    assert verdict.status == status
    assert verdict.body == ({"message": message} if message else None)


# -- the schema


@pytest.fixture
def shop(scope):
    """A service with a decoration, and the route that is bound to it."""
    upstream = {"nodes": {"127.0.0.1:2": 1, "127.0.0.1:10": 1}}
    scope.resources[("services", "shop")] = {"upstream": upstream}
    scope.resources[("services", "shop/graphql_cost_decorations/1")] = PRODUCTS
    scope.resources[("services", "shopping/graphql_cost_decorations/1")] = REVIEWS
    return SimpleNamespace(id="1", value={"service_id": "shop"})


def test_the_schema_is_asked_once_with_the_operators_credentials(build, request_of, run, scope, shop):
    scope.answer = Response(200, json.dumps({"data": INTROSPECTED}).encode(), [])
    headers = {"Authorization": "operator"}
    plugin = build(GraphqlLimitCount, {**LIMIT, "cost_strategy": "complexity", "introspection_headers": headers})
    for _ in range(2):
        ctx = asked(request_of, "{ products(first: 10) { name } }")
        ctx.route = shop
        assert run(plugin.access(ctx)) is None
        assert ctx.response.get("x-graphql-query-cost") == "13"
    (question,) = scope.fetched
    assert (question.method, question.url) == ("POST", "http://127.0.0.1:10/graphql")
    assert dict(question.headers) == {"Content-Type": "application/json", "Host": "golden.test", **headers}
    assert "__schema" in json.loads(question.body)["query"]


def test_a_schema_that_can_not_be_had_is_not_asked_for_again_at_once(build, request_of, run, scope, shop):
    plugin = build(GraphqlLimitCount, {**LIMIT, "cost_strategy": "node_quantifier"})
    statuses = []
    for wait in (0, 1, 10):
        scope.clock.advance(wait)
        ctx = asked(request_of, "{ products { name } }")
        ctx.route = shop
        statuses.append(run(plugin.access(ctx)).body["message"])
    assert statuses == ["Invalid graphql request: failed to introspect the upstream graphql schema"] * 3
    assert len(scope.fetched) == 2


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"score_factor": 0}, 'property "score_factor" validation failed: expected 0 to be greater than 0'),
        ({"cost_strategy": "size"}, 'property "cost_strategy" validation failed: matches none of the enum values'),
        ({"introspection_endpoint": "shop"}, 'property "introspection_endpoint" validation failed: '),
    ],
)
def test_refused_configurations(refusal, more, message):
    assert refusal(GraphqlLimitCount, {**LIMIT, **more}).startswith(message)
