"""Which server a key's command goes to: the only one, a cluster's nodes, what sentinels name; TLS to each."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from harness import wait
from harness.emulators.apisix.plugins.redis_pool import RedisFailed, Unreachable
from harness.emulators.apisix.plugins.redis_servers import Script, redis_of
from harness.ports import free_port

from .real_redis import ask, need_redis, running  # type: ignore[import-not-found]

TIMES = {"redis_timeout": 10_000, "redis_keepalive_timeout": 10000, "redis_keepalive_pool": 100}
PLAIN = {"redis_database": 0, "redis_ssl": False, "redis_ssl_verify": False, **TIMES}
ADD = Script("return redis.call('INCRBY', KEYS[1], ARGV[1])")


def call(scope: Any, conf: dict[str, Any], *words: Any, key: str = "k") -> Any:
    return asyncio.run(redis_of(conf, scope).call(key, *words))


def test_a_script_is_sent_once_and_then_called_by_its_digest(scope):
    async def play(port: int) -> list[int]:
        redis = redis_of({"policy": "redis", "redis_host": "127.0.0.1", "redis_port": port, **PLAIN}, scope)
        answers = [await ADD.run(redis, "n", 2) for _ in range(2)]
        ask(port, "SCRIPT", "FLUSH")
        return [*answers, await ADD.run(redis, "n", 3)]

    with running() as port:
        assert asyncio.run(play(port)) == [2, 4, 7]


def test_configurations_that_say_the_same_share_their_connections(scope):
    conf = {"policy": "redis", "redis_host": "h", "redis_port": 1, **PLAIN}
    assert redis_of(conf, scope) is redis_of({**conf, "count": 3}, scope)
    assert redis_of(conf, scope) is not redis_of({**conf, "redis_password": "x"}, scope)


# -- a cluster


@pytest.fixture(scope="module")
def nodes() -> Iterator[list[int]]:
    """Three nodes, each with a third of the slots."""
    with ExitStack() as stack:
        option = ("--cluster-enabled", "yes", "--cluster-require-full-coverage", "no")
        ports = [stack.enter_context(running(*option)) for _ in range(3)]
        for index, port in enumerate(ports):
            first = 16384 * index // 3
            ask(port, "CLUSTER", "ADDSLOTSRANGE", str(first), str(16384 * (index + 1) // 3 - 1))
            ask(port, "CLUSTER", "MEET", "127.0.0.1", str(ports[0]))
        for port in ports:
            wait.until(
                lambda port=port: (
                    ask(port, "CLUSTER", "SLOTS").count("\n") >= 3 * 3
                    and "cluster_state:ok" in ask(port, "CLUSTER", "INFO")
                ),
                20,
                awaited="a cluster of three nodes",
            )
        yield ports


def cluster(*ports: int) -> dict[str, Any]:
    addresses = [f"127.0.0.1:{port}" for port in ports]
    more = {"redis_cluster_name": "c", "redis_cluster_ssl": False, "redis_cluster_ssl_verify": False}
    return {"policy": "redis-cluster", "redis_cluster_nodes": addresses, **more, **TIMES}


def test_keys_go_to_the_nodes_that_have_them(scope, nodes):
    async def play() -> None:
        redis = redis_of(cluster(free_port(), nodes[0]), scope)  # a dead node is passed over
        for number in range(30):
            await ADD.run(redis, f"k{number}", number)

    asyncio.run(play())
    counts = [int(ask(port, "DBSIZE")) for port in nodes]
    assert sum(counts) == 30
    assert all(counts)


def test_a_slot_that_moved_is_followed(scope, nodes):
    key, slot = "moved", "5460"
    slot = ask(nodes[0], "CLUSTER", "KEYSLOT", key)
    owner = next(port for port in nodes if not ask(port, "GET", key).startswith("MOVED"))
    other = next(port for port in nodes if port != owner)
    ids = {port: ask(port, "CLUSTER", "MYID") for port in nodes}

    async def play() -> list[bytes]:
        redis = redis_of(cluster(*nodes), scope)
        await redis.call(key, "SET", key, "1")
        ask(other, "CLUSTER", "SETSLOT", slot, "IMPORTING", ids[owner])
        ask(owner, "CLUSTER", "SETSLOT", slot, "MIGRATING", ids[other])
        ask(owner, "MIGRATE", "127.0.0.1", str(other), key, "0", "1000")
        answers = [await redis.call(key, "GET", key)]  # ASK
        for port in nodes:
            ask(port, "CLUSTER", "SETSLOT", slot, "NODE", ids[other])
        return [*answers, await redis.call(key, "GET", key)]  # MOVED

    assert asyncio.run(play()) == [b"1", b"1"]


def test_a_cluster_that_nobody_answers_for(scope):
    with pytest.raises(Unreachable, match=r"^failed to fetch slots: connection refused; connection refused$"):
        call(scope, cluster(free_port(), free_port()), "GET", "k")


# -- sentinels


@pytest.fixture(scope="module")
def watched() -> Iterator[tuple[int, int, int]]:
    """(sentinel, master, replica): the sentinel wants a password, the master one of its own."""
    with running("--requirepass", "m", "--masterauth", "m") as master:
        sentinel_port = free_port()
        config = (
            f"port {sentinel_port}\nsentinel monitor mine 127.0.0.1 {master} 1\nsentinel auth-pass mine m\n"
            "requirepass s\nprotected-mode no\nbind 127.0.0.1\n"
        )
        follow = ("--replicaof", f"127.0.0.1 {master}", "--masterauth", "m", "--requirepass", "m")
        with running(*follow) as replica:
            info = ("-a", "m", "INFO", "replication")
            wait.until(lambda: f"port={replica},state=online" in ask(master, *info), 10, awaited="a replica")
            with running("--sentinel", port=sentinel_port, config=config) as sentinel:
                slaves = ("-a", "s", "SENTINEL", "slaves", "mine")
                wait.until(lambda: str(replica) in ask(sentinel, *slaves), 30, awaited="a sentinel that knows it")
                yield sentinel, master, replica


def sentinels(*ports: int, **more: Any) -> dict[str, Any]:
    return {
        "policy": "redis-sentinel",
        "redis_sentinels": [{"host": "127.0.0.1", "port": port} for port in ports],
        "redis_master_name": "mine",
        "redis_role": "master",
        "redis_connect_timeout": 10_000,
        "redis_read_timeout": 10_000,
        "redis_keepalive_timeout": 60000,
        "redis_database": 0,
        "redis_password": "m",
        "sentinel_password": "s",
        **more,
    }


def test_the_master_that_a_sentinel_names(scope, watched):
    sentinel, master, _ = watched
    assert call(scope, sentinels(free_port(), sentinel), "CONFIG", "GET", "port") == [b"port", str(master).encode()]


def test_a_slave(scope, watched):
    sentinel, _, replica = watched

    async def play() -> Any:
        redis = redis_of(sentinels(sentinel, redis_role="slave"), scope)
        with pytest.raises(RedisFailed, match=r"read only replica"):
            await redis.call("k", "SET", "k", "1")
        return await redis.call("k", "CONFIG", "GET", "port")

    assert asyncio.run(play()) == [b"port", str(replica).encode()]


def test_what_is_said_when_no_sentinel_helps(scope, watched):
    sentinel, _, _ = watched
    with pytest.raises(Unreachable, match=r"^redis connection failed, err: invalid master name$"):
        call(scope, sentinels(sentinel, redis_master_name="other"), "GET", "k")
    with pytest.raises(
        Unreachable, match=r"^redis connection failed, err: .*uthentication.*, previous_errors: connection refused$"
    ):
        call(scope, sentinels(free_port(), sentinel, sentinel_password=""), "GET", "k")


# -- TLS


def test_tls_with_and_without_verifying(scope, certificate, monkeypatch):
    need_redis()
    cert, key = map(str, certificate)
    port = free_port()
    tls = ("--tls-cert-file", cert, "--tls-key-file", key, "--tls-ca-cert-file", cert, "--tls-auth-clients", "no")
    conf = {"policy": "redis", "redis_host": "127.0.0.1", "redis_port": port, **PLAIN, "redis_ssl": True}
    with running("--port", "0", "--tls-port", str(port), *tls, port=port):
        wait.until(lambda: _pings(scope, conf), 10, awaited="redis with TLS")
        strict = {**conf, "redis_ssl_verify": True}
        with pytest.raises(Unreachable, match=r"certificate verify failed"):
            call(scope, strict, "PING")
        monkeypatch.setenv("SSL_CERT_FILE", cert)
        # the name isn't looked at, as in nginx
        assert call(scope, strict, "PING") in (b"PONG", True)


def _pings(scope: Any, conf: dict[str, Any]) -> bool:
    try:
        return bool(call(scope, conf, "PING"))
    except Unreachable as problem:
        raise LookupError(str(problem)) from problem
