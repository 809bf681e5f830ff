"""proxy-cache: what is kept, for whom, for how long."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from harness.emulators.apisix.context import Try
from harness.emulators.apisix.headers import Headers
from harness.emulators.apisix.plugins.proxy_cache import ProxyCache

MEMORY = {"cache_strategy": "memory", "cache_zone": "memory_cache"}


@pytest.fixture
def ask(request_of):
    """ask(plugin, upstream's body, …) → (cache status, body the client gets, whether the upstream was asked)."""

    def play(plugin, body=b"new", *, fields=(), status=200, target="/c", method="GET", headers=(), consumer=None):
        ctx = request_of(target, method=method, headers=list(headers))
        ctx.consumer = SimpleNamespace(name=consumer) if consumer else None
        verdict = plugin.access(ctx)
        if verdict is None:
            ctx.status, ctx.from_upstream, ctx.tries = status, True, [Try("127.0.0.1:80", status=status)]
            ctx.response.items += Headers.of(fields).items
        else:
            ctx.status, body = verdict.status, verdict.body or b"page"
        plugin.header_filter(ctx)
        sent = plugin.body_filter(ctx, body[:1], False) + plugin.body_filter(ctx, body[1:], True)
        return ctx.response.get("apisix-cache-status"), sent, verdict is None, ctx

    return play


@pytest.mark.parametrize("conf", [MEMORY, {}])
def test_a_miss_then_hits(build, ask, conf):
    plugin = build(ProxyCache, conf)
    fields = [("Content-Type", "text/plain"), ("X-A", "1"), ("X-A", "2"), ("Content-Length", "3")]
    assert ask(plugin, b"one", fields=fields)[:3] == ("MISS", b"one", True)
    status, body, asked, ctx = ask(plugin, b"two")
    assert (status, body, asked) == ("HIT", b"one", False)
    assert ctx.response.get_all("x-a") == ["1", "2"]
    assert ask(plugin, b"two", target="/other")[0] == "MISS"


@pytest.mark.parametrize(("conf", "seconds"), [({**MEMORY, "cache_ttl": 5}, 5), ({}, 10)])
def test_entries_expire(build, ask, scope, conf, seconds):
    plugin = build(ProxyCache, conf)
    ask(plugin)
    scope.clock.advance(seconds - 1)
    assert ask(plugin)[0] == "HIT"
    scope.clock.advance(1)
    assert ask(plugin)[0] == "EXPIRED"
    assert ask(plugin)[0] == "HIT"


@pytest.mark.parametrize(
    ("conf", "kwargs"),
    [
        ({}, {"status": 500}),
        ({}, {"fields": [("Set-Cookie", "a=b")]}),
        ({}, {"fields": [("Cache-Control", "private")]}),
        ({}, {"fields": [("Vary", "*")]}),
        ({"no_cache": ["$arg_n"]}, {"target": "/c?n=1"}),
    ],
)
@pytest.mark.parametrize("strategy", [MEMORY, {}])
def test_answers_that_are_not_kept(build, ask, strategy, conf, kwargs):
    plugin = build(ProxyCache, {**strategy, **conf})
    assert [ask(plugin, **kwargs)[0] for _ in range(2)] == ["MISS", "MISS"]


@pytest.mark.parametrize(("strategy", "told"), [(MEMORY, "MISS"), ({}, "BYPASS")])
def test_methods_that_are_not_cached(build, ask, strategy, told):
    plugin = build(ProxyCache, strategy)
    assert [ask(plugin, method="POST")[0] for _ in range(2)] == [told, told]


def test_bypass_by_a_variable(build, ask):
    plugin = build(ProxyCache, {**MEMORY, "cache_bypass": ["$arg_b"]})
    ask(plugin, target="/c?b=0")
    assert ask(plugin, target="/c?b=0")[0] == "HIT"
    assert ask(plugin, target="/c?b=1")[0] == "BYPASS"


def test_purge_and_its_slip(build, ask):
    plugin = build(ProxyCache, MEMORY)
    ask(plugin)
    assert ask(plugin, method="PURGE")[3].status == 200
    assert ask(plugin)[0] == "MISS"
    assert ask(plugin, target="/never", method="PURGE")[3].status == 404
    status, body, _, ctx = ask(plugin, target="/never")
    assert (status, body, ctx.status) == ("HIT", b"page", 404)


def test_variants_by_vary(build, ask):
    plugin = build(ProxyCache, MEMORY)
    vary = [("Vary", "Accept-Language")]
    german, english = [("Accept-Language", "de")], [("Accept-Language", "en")]
    ask(plugin, b"hallo", fields=vary, headers=german)
    ask(plugin, b"hello", fields=vary, headers=english)
    assert ask(plugin, headers=german)[:2] == ("HIT", b"hallo")
    assert ask(plugin, headers=english)[:2] == ("HIT", b"hello")
    assert ask(plugin, method="PURGE")[3].status == 200
    assert ask(plugin, headers=german)[0] == "MISS"


def test_consumers_do_not_see_each_others(build, ask):
    plugin = build(ProxyCache, MEMORY)
    ask(plugin, b"ann's", consumer="ann")
    assert ask(plugin, b"bob's", consumer="bob")[:2] == ("MISS", b"bob's")
    assert ask(plugin, consumer="ann")[:2] == ("HIT", b"ann's")


def test_cache_control_of_both_sides(build, ask, scope):
    plugin = build(ProxyCache, {**MEMORY, "cache_control": True})
    assert ask(plugin, headers=[("Cache-Control", "only-if-cached")])[3].status == 504
    ask(plugin, fields=[("Cache-Control", "max-age=60")], target="/k")
    scope.clock.advance(10)
    assert ask(plugin, target="/k")[0] == "HIT"
    assert ask(plugin, target="/k", headers=[("Cache-Control", "no-cache")])[0] == "BYPASS"
    assert ask(plugin, target="/k", headers=[("Cache-Control", "max-age=5")])[0] == "STALE"


def test_a_body_that_is_too_large_passes_uncached(build, ask):
    plugin = build(ProxyCache, {**MEMORY, "max_resp_body_size": 3})
    assert ask(plugin, b"four")[1] == b"four"
    assert ask(plugin, b"four")[0] == "MISS"


@pytest.mark.parametrize(
    ("conf", "message"),
    [
        ({"cache_zone": "nope"}, "cache_zone nope not found"),
        ({"cache_zone": "memory_cache"}, "invalid or empty cache_zone for cache_strategy: disk"),
        ({"cache_key": ["$request_method"]}, "cache_key variable $request_method unsupported"),
    ],
)
def test_refused_configurations(refusal, conf, message):
    assert refusal(ProxyCache, conf) == message
