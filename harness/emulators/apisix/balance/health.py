"""Which nodes of an upstream are well: counters of good and bad results, as lua-resty-healthcheck keeps them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from harness.clock import Clock
from harness.emulators.apisix.balance.checks import Active, Checks, Limits
from harness.emulators.apisix.balance.node import Node

#: how often the library looks whether probes are due, in seconds
TICK = 0.1

Result = Literal["success", "http_failure", "tcp_failure", "timeout_failure"]
State = Literal["healthy", "mostly_healthy", "unhealthy", "mostly_unhealthy"]
_COUNTERS: tuple[Result, ...] = ("success", "http_failure", "tcp_failure", "timeout_failure")


@dataclass(slots=True)
class Target:
    """One address that is checked."""

    ip: str
    port: int
    hostname: str
    host_header: str
    state: State = "healthy"
    counters: dict[Result, int] = field(default_factory=lambda: dict.fromkeys(_COUNTERS, 0))

    @property
    def is_healthy(self) -> bool:
        """Whether requests may go there."""
        return self.state in ("healthy", "mostly_healthy")

    def count(self, result: Result, limits: Limits) -> bool:
        """Count a result; tells whether the node turned from well to ill or back (incr_counter)."""
        report: State = "healthy" if result == "success" else "unhealthy"
        limit = _limit(result, limits)
        if limit == 0 or self.state == report:
            return False
        self.counters[result] += 1
        for name in _COUNTERS:
            if (name == "success") != (result == "success"):
                self.counters[name] = 0
        before = self.is_healthy
        if self.counters[result] >= limit:
            self.state = report
        elif self.state in ("healthy", "unhealthy"):
            self.state = "mostly_healthy" if self.state == "healthy" else "mostly_unhealthy"
        return before != self.is_healthy

    def told(self) -> dict[str, Any]:
        """As the Control API shows it."""
        told: dict[str, Any] = {
            "ip": self.ip,
            "port": self.port,
            "hostname": self.hostname,
            "status": self.state,
            "counter": dict(self.counters),
        }
        return {**told, "hostheader": self.host_header} if self.host_header else told


def _limit(result: Result, limits: Limits) -> int:
    if result == "success":
        return limits.successes
    if result == "http_failure":
        return limits.http_failures
    return limits.tcp_failures if result == "tcp_failure" else limits.timeouts


#: asks one target once: an HTTP status, None for a plain "it answers" (type tcp); raises TimeoutError or OSError
Probe = Callable[[Target, Active], Awaitable[int | None]]


class Checker:
    """The health of one upstream's nodes: `version` rises whenever one turns.

    Active probes run once `start` was called; passive results come through the `report_*` methods.
    """

    def __init__(self, checks: Checks, clock: Clock, probe: Probe) -> None:
        self.checks = checks
        self.version = 0
        self._clock = clock
        self._probe = probe
        self._targets: dict[tuple[str, int, str], Target] = {}
        self._task: asyncio.Task[None] | None = None
        self._last = {"healthy": clock.monotonic(), "unhealthy": clock.monotonic()}
        self._rounds: dict[str, asyncio.Task[None]] = {}

    # configuration

    def configure(self, checks: Checks, nodes: Sequence[Node], upstream_host: str = "") -> None:
        """Take other settings or nodes; targets that stay keep their state. `upstream_host` with pass_host rewrite."""
        self.checks = checks
        kept: dict[tuple[str, int, str], Target] = {}
        for node in nodes:
            key = self._key(node)
            header = upstream_host or node.domain
            old = self._targets.get(key)
            kept[key] = old if old is not None and old.host_header == header else Target(*key, header)
        if any(not old.is_healthy for key, old in self._targets.items() if kept.get(key) is not old):
            self.version += 1
        self._targets = kept

    def _key(self, node: Node) -> tuple[str, int, str]:
        active = self.checks.active
        return node.host, active.port or node.port, active.host or node.host

    # what pickers ask

    def is_healthy(self, node: Node) -> bool:
        """Whether requests may go to the node; one that isn't checked is well."""
        target = self._targets.get(self._key(node))
        return target is None or target.is_healthy

    # passive checks

    def report_status(self, node: Node, status: int) -> None:
        """A proxied request was answered with this status."""
        if status in self.checks.passive_statuses:
            self.report_http(node, status)

    def report_http(self, node: Node, status: int) -> None:
        """As `report_status`, whether or not `passive` is configured (a try that is followed by another)."""
        self._count(self._targets.get(self._key(node)), _judge(status, self.checks.passive_limits), passive=True)

    def report_tcp_failure(self, node: Node) -> None:
        """A node could not be reached, or broke off."""
        self._count(self._targets.get(self._key(node)), "tcp_failure", passive=True)

    def report_timeout(self, node: Node) -> None:
        """A node did not answer in time."""
        self._count(self._targets.get(self._key(node)), "timeout_failure", passive=True)

    def _count(self, target: Target | None, result: Result | None, *, passive: bool) -> None:
        limits = self.checks.passive_limits if passive else self.checks.active_limits
        if target is not None and result is not None and target.count(result, limits):
            self.version += 1

    # active checks

    def start(self) -> None:
        """Begin to probe; the first probe comes after an interval."""
        if self._task is None:
            self._last = {"healthy": self._clock.monotonic(), "unhealthy": self._clock.monotonic()}
            self._task = asyncio.get_running_loop().create_task(self._run(), name="health checks")

    def stop(self) -> None:
        """Probe no more."""
        for task in (self._task, *self._rounds.values()):
            if task is not None:
                task.cancel()
        self._task = None

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(TICK)
            for state in ("healthy", "unhealthy"):
                targets = self.due(state)
                if targets:
                    self._rounds[state] = asyncio.get_running_loop().create_task(self.probe(targets))

    def due(self, state: str) -> list[Target]:
        """The targets in a state ("healthy", "unhealthy") to probe now; asking counts as having probed them."""
        active = self.checks.active
        interval = active.healthy_interval if state == "healthy" else active.unhealthy_interval
        now = self._clock.monotonic()
        running = self._rounds.get(state)
        if not interval or now < self._last[state] + interval or (running is not None and not running.done()):
            return []
        self._last[state] = now
        return [target for target in self._targets.values() if target.is_healthy == (state == "healthy")]

    async def probe(self, targets: Sequence[Target]) -> None:
        """Probe targets once, `concurrency` at a time."""
        gate = asyncio.Semaphore(self.checks.active.concurrency)

        async def one(target: Target) -> None:
            async with gate:
                self._count(target, await self._ask(target), passive=False)

        await asyncio.gather(*(one(target) for target in targets))

    async def _ask(self, target: Target) -> Result | None:
        active = self.checks.active
        try:
            async with asyncio.timeout(active.timeout):
                status = await self._probe(target, active)
        except TimeoutError:
            return "timeout_failure"
        except OSError:
            return "tcp_failure"
        return "success" if status is None else _judge(status, self.checks.active_limits)

    def told(self) -> list[dict[str, Any]]:
        """The targets as `/v1/healthcheck` shows them."""
        return [target.told() for target in self._targets.values()]


def _judge(status: int, limits: Limits) -> Result | None:
    """What a status counts as; 0 stands for an answer that isn't HTTP."""
    if status in limits.healthy_statuses:
        return "success"
    return "http_failure" if status in limits.unhealthy_statuses or status == 0 else None
