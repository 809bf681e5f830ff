"""Upstream nodes from Nacos: kept as last seen, followed by pushes and short polls, or as slowly as in APISIX."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import Callable, Mapping
from random import Random
from typing import Any

from harness.clock import Clock, SystemClock
from harness.emulators.apisix.balance.node import Node, bracketed
from harness.emulators.apisix.discovery.nacos_client import NacosError, NacosHost, Service
from harness.emulators.apisix.discovery.nacos_push import NacosPush

log = logging.getLogger(__name__)

#: Seconds between two looks at all services in watch mode: while the server pushes changes (over gRPC, within
#: milliseconds) looks are but a safety net; where it can't be subscribed to, they are how changes are seen.
PUSHED_INTERVAL = 2.0
WATCH_INTERVAL = 0.25
FETCH_INTERVAL = 30.0

_GRPC = frozenset({"grpc", "grpcs"})

Changed = Callable[[Service], None]


def service_of(name: str, args: Mapping[str, Any] | None, scheme: str = "http") -> Service:
    """What an upstream's service_name, discovery_args and scheme ask for."""
    grpc = scheme in _GRPC
    if not args:
        return Service(name, grpc=grpc)
    namespace, group = args.get("namespace_id") or "public", args.get("group_name") or "DEFAULT_GROUP"
    return Service(name, str(namespace), str(group), grpc)


def matches(metadata: Mapping[str, Any], wanted: Mapping[str, Any] | None) -> bool:
    """Whether an instance has all of the wanted metadata."""
    return all(metadata.get(name) == value for name, value in (wanted or {}).items())


class NacosDiscovery:
    """The instances of the watched services.

    `conf` is config.yaml's `discovery.nacos` (host, prefix, fetch_interval, weight, timeout, access_key, secret_key).
    With `watch` (the default) a change is seen at once by push, without a gRPC port within `interval`; else every
    fetch_interval seconds as on the real gateway. A server that is down, or an answer that can't be read, leaves the
    last good list.
    """

    def __init__(
        self,
        conf: Mapping[str, Any],
        *,
        watch: bool = True,
        interval: float = WATCH_INTERVAL,
        clock: Clock | None = None,
        random: Random | None = None,
    ) -> None:
        clock = clock or SystemClock()
        self._hosts = [NacosHost(url, conf, clock) for url in conf.get("host") or ()]
        if not self._hosts:
            raise ValueError("discovery.nacos.host names no server")
        self._weight = conf.get("weight", 100)
        self._watch = watch
        self._interval = interval if watch else float(conf.get("fetch_interval") or FETCH_INTERVAL)
        self._random = random or Random()
        self._wanted: Counter[Service] = Counter()
        self._found: dict[Service, tuple[Node, ...]] = {}
        self._callbacks: list[Changed] = []
        self._task: asyncio.Task[None] | None = None
        self._wake = asyncio.Event()
        self._looked = asyncio.Condition()
        self._host = self._random.randrange(len(self._hosts))
        self._push: NacosPush | None = None
        self._pushing: asyncio.Task[None] | None = None
        #: why the last look failed, "" when it didn't
        self.problem = ""

    # who uses it

    async def start(self) -> None:
        """Begin to look; the first look is under way when this returns."""
        loop = asyncio.get_running_loop()
        if self._watch and not self._hosts[self._host].secure:
            self._push = NacosPush(self._hosts[self._host], lambda: self._wanted, self._wake.set)
            self._pushing = loop.create_task(self._push.run(), name="nacos pushes")
        self._task = loop.create_task(self._run(), name="nacos discovery")

    async def stop(self) -> None:
        """Look no more."""
        for task in (self._pushing, self._task):
            if task is not None:
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task
        for host in self._hosts:
            host.close()

    def subscribe(self, callback: Changed) -> None:
        """Have `callback` called on the loop with each service whose nodes changed."""
        self._callbacks.append(callback)

    def watch(self, name: str, args: Mapping[str, Any] | None = None, scheme: str = "http") -> Service:
        """Follow a service from here on (counted: as many `unwatch` end it)."""
        service = service_of(name, args, scheme)
        self._wanted[service] += 1
        if self._watch:
            self._wake.set()
        if self._push is not None:
            self._push.wants_more()
        return service

    def unwatch(self, service: Service) -> None:
        """Follow a service no more; its nodes are forgotten with the last who watched."""
        self._wanted[service] -= 1
        if self._wanted[service] <= 0:
            del self._wanted[service]
            self._found.pop(service, None)
            if self._push is not None:
                self._push.wants_more()

    def known(self, name: str, args: Mapping[str, Any] | None = None, scheme: str = "http") -> tuple[Node, ...] | None:
        """The nodes as last seen, without waiting; None for a service that was never fetched."""
        nodes = self._found.get(service_of(name, args, scheme))
        wanted = args.get("metadata") if args else None
        if nodes is None or not wanted:
            return nodes
        return tuple(node for node in nodes if matches(node.metadata, wanted))

    async def nodes(
        self, name: str, args: Mapping[str, Any] | None = None, scheme: str = "http", within: float = 2.0
    ) -> tuple[Node, ...] | None:
        """As `known`; in watch mode it waits up to `within` seconds for the first list of a watched service."""
        service = service_of(name, args, scheme)
        if service not in self._found and service in self._wanted and self._watch:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(within), self._looked:
                    await self._looked.wait()
        return self.known(name, args, scheme)

    @property
    def connected(self) -> bool:
        """Whether changes are pushed at the moment."""
        return self._push is not None and self._push.connected

    def refresh(self) -> None:
        """Look at once."""
        self._wake.set()

    def dump(self) -> dict[str, Any]:
        """What `GET /v1/discovery/nacos/dump` answers."""
        return {"services": {service.key: {"nodes": _told(nodes)} for service, nodes in self._found.items()}}

    # the looking

    async def _run(self) -> None:
        while True:
            self._wake.clear()
            await self._look()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._pause()):
                    await self._wake.wait()

    def _pause(self) -> float:
        return max(self._interval, PUSHED_INTERVAL) if self.connected and not self.problem else self._interval

    async def _look(self) -> None:
        """All services once, from the host that answered last, else from the next that does."""
        problem = ""
        for service in list(self._wanted):
            try:
                self._take(service, await self._ask(service))
            except (NacosError, ValueError) as error:
                problem = str(error)
        if problem != self.problem:
            log.log(logging.ERROR if problem else logging.INFO, "nacos discovery: %s", problem or "well again")
            self.problem = problem
        async with self._looked:
            self._looked.notify_all()

    async def _ask(self, service: Service) -> list[dict[str, Any]]:
        problem: NacosError | None = None
        for step in range(len(self._hosts)):
            index = (self._host + step) % len(self._hosts)
            try:
                found = await self._hosts[index].instances(service)
            except OSError as error:
                problem = error if isinstance(error, NacosError) else NacosError(f"{self._hosts[index].url}: {error}")
                continue
            self._host = index
            return found
        assert problem is not None
        raise problem

    def _take(self, service: Service, instances: list[dict[str, Any]]) -> None:
        if service not in self._wanted:
            return
        found = [self._node(service, instance) for instance in instances if instance.get("ip")]
        nodes = tuple(sorted(found, key=lambda node: (node.host, node.port)))
        before = self._found.get(service)
        self._found[service] = nodes
        # nodes compare without their metadata, which a filter may look at
        if before != nodes or [node.metadata for node in before] != [node.metadata for node in nodes]:
            for callback in self._callbacks:
                callback(service)

    def _node(self, service: Service, instance: Mapping[str, Any]) -> Node:
        metadata = instance.get("metadata") or {}
        port = metadata.get("gRPC_port") if service.grpc else None
        weight = instance.get("weight")
        return Node(
            host=bracketed(str(instance["ip"])),
            port=int(port or instance.get("port") or 0),
            weight=self._weight if weight is None else weight,
            metadata=metadata,
        )


def _told(nodes: tuple[Node, ...]) -> list[dict[str, Any]]:
    return [{"host": node.host, "port": node.port, "weight": node.weight} for node in nodes]
