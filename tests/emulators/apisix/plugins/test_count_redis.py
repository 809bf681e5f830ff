"""The limits' redis policies: what is counted where, under which keys, and what happens when redis fails."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from harness.emulators.apisix.plugins.limit_conn import LimitConn
from harness.emulators.apisix.plugins.limit_count import LimitCount
from harness.emulators.apisix.plugins.limit_req import LimitReq
from harness.ports import free_port

from .real_redis import ask, eventually, running  # type: ignore[import-not-found]

COUNT = {
    "count": 2,
    "time_window": 60,
    "rejected_code": 429,
    "policy": "redis",
    "redis_host": "127.0.0.1",
    "redis_timeout": 10_000,
}
REQ = {
    "rate": 1,
    "burst": 1,
    "key": "remote_addr",
    "nodelay": True,
    "policy": "redis",
    "redis_host": "127.0.0.1",
    "redis_timeout": 10_000,
}
CONN = {
    "conn": 1,
    "burst": 1,
    "default_conn_delay": 0.01,
    "key": "remote_addr",
    "policy": "redis",
    "redis_host": "127.0.0.1",
}


@pytest.fixture(scope="module")
def server() -> Iterator[int]:
    with running() as port:
        yield port


@pytest.fixture
def port(server: int) -> int:
    ask(server, "FLUSHALL")
    return server


def play(plugin: Any, requests: list[Any]) -> list[tuple[int, list[str]]]:
    """(status or 0, the quota's headers) of each request."""

    async def run() -> list[tuple[int, list[str]]]:
        told = []
        for ctx in requests:
            verdict = await plugin.access(ctx)
            names = ("x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset")
            told.append((verdict.status if verdict else 0, [ctx.response.get(name) for name in names]))
        return told

    return asyncio.run(run())


def test_a_fixed_window(port, build, request_of):
    plugin = build(LimitCount, {**COUNT, "redis_port": port})
    told = play(plugin, [request_of("/") for _ in range(3)])
    assert [status for status, _ in told] == [0, 0, 429]
    assert [headers[:2] for _, headers in told] == [["2", "1"], ["2", "0"], ["2", "0"]]
    assert told[0][1][2] == "60"
    assert 50 < float(told[2][1][2]) <= 60
    (key,) = ask(port, "KEYS", "*").splitlines()
    before, _, after = key.rpartition(":")
    assert (before.rpartition(":")[0], after) == ("plugin-limit-count:v1:/apisix/routes/1", "127.0.0.1")
    # counted on, as upstream does
    assert ask(port, "GET", key) == "3"


def test_two_gateways_count_together(port, build, request_of, scope):
    conf = {**COUNT, "group": "shared by redis", "redis_port": port}
    assert play(build(LimitCount, conf), [request_of("/")])[0][1][1] == "1"
    scope.stores.clear()
    scope.kept.clear()
    assert play(build(LimitCount, conf), [request_of("/")])[0][1][1] == "0"
    assert ask(port, "KEYS", "*") == "plugin-limit-count:v1:shared by redis:127.0.0.1"


def test_a_sliding_window_moves_with_the_clock(port, build, request_of, scope):
    plugin = build(LimitCount, {**COUNT, "window_type": "sliding", "redis_port": port})
    window = scope.clock.time() // 60 * 60
    scope.clock.advance(window + 60 - scope.clock.time() + 30)  # the middle of a window
    ask(port, "FLUSHALL")
    scope.kept.clear()

    async def run() -> list[int]:
        statuses = []
        for wait in (0, 0, 0, 44, 1, 15):
            scope.clock.advance(wait)
            verdict = await plugin.access(request_of("/"))
            statuses.append(verdict.status if verdict else 0)
        return statuses

    # two of the last window weigh 2 × 46/60 at second 14, 2 × 45/60 at 15 and 2 × 30/60 at 30
    assert asyncio.run(run()) == [0, 0, 429, 0, 429, 429]
    keys = ask(port, "KEYS", "plugin-limit-count:/apisix/routes/1:*").splitlines()
    assert len(keys) == 2
    assert all(key.endswith(".counter") for key in keys)


def test_rules_of_a_request_are_all_known_before_one_counts(port, build, request_of):
    rules = [
        {"count": 5, "time_window": 60, "key": "${http_user}"},
        {"count": "${http_most}", "time_window": 60, "key": "${http_team}"},
    ]
    conf = {key: value for key, value in COUNT.items() if key not in ("count", "time_window")}
    plugin = build(LimitCount, {**conf, "rules": rules, "redis_port": port})
    told = play(plugin, [request_of("/", headers={"User": "a", "Team": "b", "Most": "none"})])
    assert told[0][0] == 500
    assert ask(port, "DBSIZE") == "0"
    assert play(plugin, [request_of("/", headers={"User": "a", "Team": "b", "Most": "1"})])[0][0] == 0
    assert ask(port, "DBSIZE") == "2"


@pytest.mark.parametrize(("degrades", "status"), [(False, 500), (True, 0)])
@pytest.mark.parametrize(
    ("plugin", "conf", "body", "logged"),
    [
        (LimitCount, COUNT, {"error_msg": "failed to limit count"}, "failed to limit count: connection refused"),
        (LimitReq, REQ, None, "failed to limit req: connection refused"),
        (LimitConn, CONN, None, "failed to limit conn: connection refused"),
    ],
)
def test_without_redis(plugin, conf, body, logged, degrades, status, build, request_of, scope, run):
    made = build(plugin, {**conf, "allow_degradation": degrades, "redis_port": free_port()})
    verdict = run(made.access(request_of("/")))
    assert (verdict.status if verdict else 0) == status
    assert verdict is None or verdict.body == body
    assert ("error", logged) in scope.logs


# -- delayed sync


def test_redis_is_told_when_the_interval_is_over(port, build, request_of):
    plugin = build(LimitCount, {**COUNT, "count": 5, "sync_interval": 0.2, "group": "delayed", "redis_port": port})
    key = "plugin-limit-count:v1:delayed:127.0.0.1"

    async def run() -> tuple[list[str], str, list[str]]:
        remaining = [await remains() for _ in range(3)]
        before = ask(port, "GET", key)
        await eventually(lambda: ask(port, "GET", key) == "3")
        # another gateway counts one
        ask(port, "INCR", key)
        later = [await remains()]
        await eventually(lambda: ask(port, "GET", key) == "5")
        return remaining, before, [*later, await remains()]

    async def remains() -> str:
        ctx = request_of("/")
        verdict = await plugin.access(ctx)
        return f"{verdict.status if verdict else ''}{ctx.response.get('x-ratelimit-remaining')}"

    remaining, before, later = asyncio.run(asyncio.wait_for(run(), 10))
    assert remaining == ["4", "3", "2"]
    assert before == "0"
    # what the other counted is known after the next sync alone
    assert later == ["1", "4290"]


def test_this_gateway_counts_alone_while_redis_is_away(build, request_of, scope):
    plugin = build(LimitCount, {**COUNT, "sync_interval": 5, "group": "away", "redis_port": free_port()})
    told = play(plugin, [request_of("/") for _ in range(3)])
    assert [status for status, _ in told] == [0, 0, 429]
    assert ("warn", "try use fallback limiter to do rate limiting") in scope.logs


@pytest.mark.parametrize(
    ("interval", "message"),
    [
        (0.05, "sync_interval should not be smaller than 0.1"),
        (60, "sync_interval should be smaller than time_window"),
    ],
)
def test_refused_intervals(refusal, interval, message):
    assert refusal(LimitCount, {**COUNT, "sync_interval": interval}) == message


# -- the others


def test_limit_req_keeps_its_bucket_in_a_hash(port, build, request_of, scope):
    plugin = build(LimitReq, {**REQ, "redis_port": port})
    assert [status for status, _ in play(plugin, [request_of("/") for _ in range(3)])] == [0, 0, 503]
    (key,) = ask(port, "KEYS", "*").splitlines()
    assert key.startswith("limit_req:/apisix/routes/1:")
    assert ask(port, "HMGET", key, "excess", "last").splitlines() == ["1000", f"{scope.clock.time() * 1000:.0f}"]
    assert ask(port, "TTL", key) in ("1", "2")
    scope.clock.advance(1)
    scope.kept.clear()
    plugin = build(LimitReq, {**REQ, "redis_port": port})
    assert [status for status, _ in play(plugin, [request_of("/")])] == [0]


def test_limit_conn_holds_its_places_in_a_sorted_set(port, build, request_of, scope):
    plugin = build(LimitConn, {**CONN, "redis_port": port, "key_ttl": 100})
    first, second, third = (request_of("/") for _ in range(3))

    async def run() -> list[Any]:
        verdicts = [await plugin.access(ctx) for ctx in (first, second, third)]
        (key,) = ask(port, "KEYS", "limit_conn:*").splitlines()
        scores = ask(port, "ZRANGE", key, "0", "-1", "WITHSCORES").splitlines()[1::2]
        plugin.log(third)
        plugin.log(first)
        await eventually(lambda: ask(port, "ZCARD", key) == "1")
        verdicts.append(await plugin.access(request_of("/")))
        # a gateway that died gave nothing back
        scope.clock.advance(101)
        verdicts.append(await plugin.access(request_of("/")))
        return [*(verdict and verdict.status for verdict in verdicts), scores, ask(port, "ZCARD", key)]

    begun = int(scope.clock.time())
    told = asyncio.run(asyncio.wait_for(run(), 10))
    assert told == [None, None, 503, None, None, [str(begun + 100)] * 2, "1"]
