"""Which redis server a key's command goes to: the one there is, a cluster's node, the master that sentinels name."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from harness.emulators.apisix.plugins.base import Conf, Scope
from harness.emulators.apisix.plugins.redis_pool import Access, Moved, NoScript, Pool, RedisFailed, Unreachable

_MOST_REDIRECTS = 5
Address = tuple[str, int]


class Redis(Protocol):
    """Where commands about one key can be sent."""

    async def call(self, key: str, *words: Any) -> Any:
        """The answer to a command; raises RedisFailed."""
        ...


@dataclass(frozen=True, slots=True)
class Script:
    """A Lua script of one key, sent once and then called by its digest."""

    text: str

    async def run(self, redis: Redis, key: str, *arguments: Any) -> Any:
        """The script's answer; raises RedisFailed."""
        try:
            digest = hashlib.sha1(self.text.encode(), usedforsecurity=False).hexdigest()
            return await redis.call(key, "EVALSHA", digest, 1, key, *arguments)
        except NoScript:
            return await redis.call(key, "EVAL", self.text, 1, key, *arguments)


class Single:
    """The policy redis."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def call(self, key: str, *words: Any) -> Any:
        """Ask the server."""
        return await self._pool.call(*words)


class Cluster:
    """The policy redis-cluster: slots learned from the first node that answers, corrected by what nodes say."""

    def __init__(self, nodes: list[Address], access: Access) -> None:
        self._nodes = nodes
        self._access = access
        self._pools: dict[Address, Pool] = {}
        self._slots: list[tuple[int, int, Address]] = []

    async def call(self, key: str, *words: Any) -> Any:
        """Ask the node that has the key's slot, following it where it has gone."""
        address, asking = await self._node(key), False
        for _ in range(_MOST_REDIRECTS):
            try:
                return await self._pool(address).call(*words, asking=asking)
            except Moved as moved:
                address, asking = moved.address, moved.asking
                if not asking:
                    self._slots = []
            except Unreachable:
                self._slots = []
                raise
        raise RedisFailed("too many redirections")

    def _pool(self, address: Address) -> Pool:
        pool = self._pools.get(address)
        if pool is None:
            pool = self._pools[address] = Pool(*address, self._access)
        return pool

    async def _node(self, key: str) -> Address:
        from redis.crc import key_slot

        if not self._slots:
            self._slots = await self._learn()
        slot = key_slot(key.encode())
        for first, last, address in self._slots:
            if first <= slot <= last:
                return address
        raise RedisFailed(f"no node has slot {slot}")

    async def _learn(self) -> list[tuple[int, int, Address]]:
        """The slots as the first node that answers knows them."""
        problems = []
        for node in [*self._nodes, *(address for address in self._pools if address not in self._nodes)]:
            try:
                told = await self._pool(node).call("CLUSTER", "SLOTS")
            except RedisFailed as problem:
                problems.append(str(problem))
                continue
            # a node that knows no name of its own is the one that was asked
            return [(first, last, (_text(main[0]) or node[0], int(main[1]))) for first, last, main, *_ in told]
        raise Unreachable(f"failed to fetch slots: {'; '.join(problems)}")


class Sentinels:
    """The policy redis-sentinel: each command asks a sentinel for the server, as lua-resty-redis-connector does."""

    def __init__(self, sentinels: list[Pool], master: str, role: str, access: Access) -> None:
        self._sentinels = sentinels
        self._master = master
        self._role = role
        self._access = access
        self._pools: dict[Address, Pool] = {}

    async def call(self, key: str, *words: Any) -> Any:
        """Ask the server of the wanted role."""
        problems: list[str] = []
        for sentinel in self._sentinels:
            try:
                addresses = await self._addresses(sentinel)
            except RedisFailed as problem:
                problems.append(str(problem))
                continue
            for address in addresses:
                pool = self._pools.get(address) or self._pools.setdefault(address, Pool(*address, self._access))
                try:
                    return await pool.call(*words)
                except Unreachable as problem:
                    problems.append(str(problem))
            if not addresses:
                problems.append("invalid master name" if self._role == "master" else "no slaves available")
        last, *earlier = problems[::-1]
        previous = f", previous_errors: {', '.join(earlier[::-1])}" if earlier else ""
        raise Unreachable(f"redis connection failed, err: {last}{previous}")

    async def _addresses(self, sentinel: Pool) -> list[Address]:
        if self._role == "master":
            told = await sentinel.call("SENTINEL", "get-master-addr-by-name", self._master)
            return [(_text(told[0]), int(told[1]))] if told else []
        told = await sentinel.call("SENTINEL", "slaves", self._master)
        facts = [dict(zip(map(_text, flat[::2]), map(_text, flat[1::2]), strict=True)) for flat in told]
        return [(fact["ip"], int(fact["port"])) for fact in facts]


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value or "")


def _single(conf: Conf) -> Redis:
    access = Access(
        username=conf.get("redis_username"),
        password=conf.get("redis_password"),
        database=conf["redis_database"],
        connect_timeout=conf["redis_timeout"] / 1000,
        timeout=conf["redis_timeout"] / 1000,
        tls=conf["redis_ssl"],
        verify=conf["redis_ssl_verify"],
        idle=conf["redis_keepalive_timeout"] / 1000,
        most_idle=conf["redis_keepalive_pool"],
    )
    return Single(Pool(conf["redis_host"], conf["redis_port"], access))


def _cluster(conf: Conf) -> Redis:
    access = Access(
        password=conf.get("redis_password"),
        connect_timeout=conf["redis_timeout"] / 1000,
        timeout=conf["redis_timeout"] / 1000,
        tls=conf["redis_cluster_ssl"],
        verify=conf["redis_cluster_ssl_verify"],
        idle=conf["redis_keepalive_timeout"] / 1000,
        most_idle=conf["redis_keepalive_pool"],
    )
    return Cluster([_address(node) for node in conf["redis_cluster_nodes"]], access)


def _address(node: str) -> Address:
    host, _, port = node.rpartition(":")
    return (host.strip("[]"), int(port)) if host and port.isdigit() else (node, 6379)


def _sentinels(conf: Conf) -> Redis:
    times = {
        "connect_timeout": conf["redis_connect_timeout"] / 1000,
        "timeout": conf["redis_read_timeout"] / 1000,
        "idle": conf["redis_keepalive_timeout"] / 1000,
    }
    guard = Access(username=conf.get("sentinel_username"), password=conf.get("sentinel_password"), **times)
    access = Access(
        username=conf.get("redis_username"),
        password=conf.get("redis_password"),
        database=conf["redis_database"],
        **times,
    )
    pools = [Pool(sentinel["host"], sentinel["port"], guard) for sentinel in conf["redis_sentinels"]]
    return Sentinels(pools, conf["redis_master_name"], conf["redis_role"], access)


_MAKERS: dict[str, Callable[[Conf], Redis]] = {
    "redis": _single,
    "redis-cluster": _cluster,
    "redis-sentinel": _sentinels,
}


def redis_of(conf: Conf, scope: Scope) -> Redis:
    """The servers of a limit's configuration; the same ones share their connections."""
    policy = conf["policy"]
    where = {name: value for name, value in conf.items() if name.startswith(("redis_", "sentinel_"))}
    digest = hashlib.sha256(json.dumps(where, sort_keys=True, default=dict).encode()).hexdigest()
    return scope.keep(f"{policy}:{digest}", lambda: _MAKERS[policy](where))
