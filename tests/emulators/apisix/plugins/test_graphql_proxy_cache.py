"""graphql-proxy-cache: what is kept, for whom, and how it is dropped."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

from harness.emulators.apisix.consumers import ConsumerEntry
from harness.emulators.apisix.exchange import Request
from harness.emulators.apisix.headers import Headers
from harness.emulators.apisix.plugins.graphql_proxy_cache import GraphqlProxyCache
from harness.emulators.apisix.plugins.public_api import PublicApi

MEMORY = {"cache_strategy": "memory", "cache_zone": "memory_cache"}


def ask(request_of, query, **more):
    body = json.dumps({"query": query}).encode()
    given = {"method": "POST", "headers": {"Content-Type": "application/json"}, "body": body, **more}
    return request_of("/graphql", **given)


def answered(plugin, run, ctx, body=b"{}"):
    """(cache status, body) of a request whose upstream answers `body`."""
    verdict = run(plugin.access(ctx))
    ctx.status, ctx.from_upstream = (verdict.status, False) if verdict else (200, True)
    ctx.tries = [] if verdict else [object()]
    plugin.header_filter(ctx)
    sent = plugin.body_filter(ctx, verdict.body if verdict else body, True)
    return ctx.response.get("apisix-cache-status"), sent


@pytest.mark.parametrize("conf", [MEMORY, {}])
def test_a_query_is_answered_again_and_a_mutation_never(conf, build, request_of, run):
    plugin = build(GraphqlProxyCache, conf)
    assert answered(plugin, run, ask(request_of, "{ a }"), b"1") == ("MISS", b"1")
    again = ask(request_of, "{ a }")
    assert answered(plugin, run, again, b"2") == ("HIT", b"1")
    assert len(again.response.get("apisix-cache-key")) == 32
    assert answered(plugin, run, ask(request_of, "{ b }"), b"3") == ("MISS", b"3")
    for _ in range(2):
        assert answered(plugin, run, ask(request_of, "mutation { a }"), b"4") == ("BYPASS", b"4")


def test_queries_in_the_url(build, request_of, run):
    plugin = build(GraphqlProxyCache, MEMORY)
    target = "/graphql?query=%7B%20a%20%7D"
    assert answered(plugin, run, request_of(target), b"1") == ("MISS", b"1")
    assert answered(plugin, run, request_of(target), b"2") == ("HIT", b"1")


@pytest.mark.parametrize(("isolates", "second"), [(True, ("MISS", b"2")), (False, ("HIT", b"1"))])
def test_consumers_have_their_own_answers(isolates, second, build, request_of, run):
    plugin = build(GraphqlProxyCache, {**MEMORY, "consumer_isolation": isolates})
    alice, bob = ask(request_of, "{ a }"), ask(request_of, "{ a }")
    alice.consumer, bob.consumer = ConsumerEntry("alice", {}), ConsumerEntry("bob", {})
    assert answered(plugin, run, alice, b"1") == ("MISS", b"1")
    assert answered(plugin, run, bob, b"2") == second


def test_hosts_and_routes_have_their_own_answers(build, request_of, run):
    plugin = build(GraphqlProxyCache, MEMORY)
    answered(plugin, run, ask(request_of, "{ a }"), b"1")
    assert answered(plugin, run, ask(request_of, "{ a }", host="other.test"), b"2") == ("MISS", b"2")
    routed = ask(request_of, "{ a }")
    routed.route = SimpleNamespace(id="7", value={})
    assert answered(plugin, run, routed, b"3") == ("MISS", b"3")


@pytest.mark.parametrize(
    ("given", "status", "message"),
    [
        ({"method": "PUT"}, 405, None),
        ({"method": "GET"}, 400, "Invalid graphql request: can't get graphql request body"),
        ({"body": b'{"query":"{"}'}, 400, "Invalid graphql request: failed to parse graphql query"),
    ],
)
def test_what_is_no_question(given, status, message, build, request_of, run):
    verdict = run(build(GraphqlProxyCache).access(ask(request_of, "", **given)))
    assert (verdict.status, verdict.body) == (status, {"message": message} if message else None)


@pytest.mark.parametrize("conf", [MEMORY, {"cache_strategy": "disk"}])
def test_purge(conf, build, request_of, run, scope):
    scope.plugins = {"graphql-proxy-cache": GraphqlProxyCache}
    scope.resources[("routes", "1")] = {"plugins": {"graphql-proxy-cache": conf}}
    plugin, api = build(GraphqlProxyCache, conf), build(PublicApi)
    ctx = ask(request_of, "{ a }")
    answered(plugin, run, ctx, b"1")
    path = f"/apisix/plugin/graphql-proxy-cache/{conf['cache_strategy']}/1/{ctx.response.get('apisix-cache-key')}"
    assert run(api.access(request_of(path, method="PURGE"))).status == 200
    assert answered(plugin, run, ask(request_of, "{ a }"), b"2") == ("MISS", b"2")


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("ram/1/k", 400),
        ("memory/1", 400),
        ("memory//k", 400),
        ("memory/2/k", 404),
        ("disk/1/k", 400),
        ("disk/3/k", 404),
    ],
)
def test_what_can_not_be_purged(path, status, scope):
    scope.resources[("routes", "1")] = {"plugins": {"graphql-proxy-cache": MEMORY}}
    scope.resources[("routes", "3")] = {"plugin_config_id": 4}
    scope.resources[("plugin_configs", "4")] = {"plugins": {"graphql-proxy-cache": {}}}
    ((_, purge),) = GraphqlProxyCache.public_api(scope).items()
    whole = f"/apisix/plugin/graphql-proxy-cache/{path}"
    assert purge(Request("PURGE", whole, whole, "", Headers(), b"", "127.0.0.1", 9080)).status == status


def test_an_unknown_zone_is_refused(refusal):
    assert refusal(GraphqlProxyCache, {"cache_zone": "other"}) == "cache_zone other not found"
