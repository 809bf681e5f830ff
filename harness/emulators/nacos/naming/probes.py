"""Active health checks of persistent instances: which probe is due when, and what its outcome means. Pure.

Upstream: `HealthCheckTaskV2` (one task for each `ip:port` client, over all services it is in), `HealthCheckCommonV2`,
`TcpHealthCheckProcessor`, `HttpHealthCheckProcessor`. The sockets are in `nacos/prober.py`.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from random import Random
from typing import Any, NamedTuple
from urllib.parse import urljoin, urlsplit

from harness.emulators.nacos.naming.model import ClusterSettings, Instance, ServiceKey
from harness.emulators.nacos.naming.registry import Registry
from harness.emulators.nacos.naming.switches import HealthParams, Switches

#: The first probe is made after this many ms and a random part of the longest interval.
FIRST_MILLIS = 2000


class Outcome(Enum):
    """How a probe can end, but for an HTTP answer."""

    CONNECTED = "somebody listens there"
    REFUSED = "nobody listens there"
    TIMEOUT = "no answer in time"
    ERROR = "anything else"


#: The status of an HTTP answer, or how it ended otherwise.
Answer = int | Outcome


class Verdict(Enum):
    """What an answer says of an instance."""

    OK = "healthy, if it is said often enough"
    FAIL = "not healthy, if it is said often enough"
    FAIL_NOW = "not healthy"


@dataclass(frozen=True, slots=True)
class Probe:
    """One probe to be made: `kind` is TCP or HTTP, `path` and `headers` are those of an HTTP request."""

    number: int
    client: str
    service: ServiceKey
    kind: str
    host: str
    port: int
    path: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class _Task:
    """One client's schedule; `interval` in ms, `due` in the clock's monotonic seconds."""

    interval: float
    due: float
    flying: int = 0


@dataclass(slots=True)
class _Counts:
    """How often in a row the probes of one publication said what its health is not."""

    publication: tuple[Instance, ...]
    ok: int = 0
    failed: int = 0


class Probes:
    """The schedule of all persistent instances, and the counts that lead from outcomes to health.

    A task's probes of one round all end before its next round: each takes half a second or so, and the server's
    shortest interval is that too. After a leap of the clock the rounds that were missed are made up for, one at a time,
    as many as can change anything.
    """

    def __init__(self, registry: Registry, switches: Switches, random: Random) -> None:
        self._registry = registry
        self._switches = switches
        self._random = random
        self._numbers = itertools.count(1)
        self._tasks: dict[str, _Task] = {}
        self._counts: dict[tuple[str, ServiceKey], _Counts] = {}
        self._flying: dict[int, Probe] = {}
        #: Whether a host may be probed; where not, instances keep the health that they were given.
        self.permits: Callable[[str], bool] = lambda host: False
        #: Told each probe to make; whoever makes it calls `ended`.
        self.make: Callable[[Probe], None] = lambda probe: None

    def tick(self) -> None:
        """Have the probes made that are due."""
        if not self._tasks and not self._registry.persistent:
            return
        for gone in self._tasks.keys() - self._registry.persistent.keys():
            self._forget(gone)
        now = self._registry.clock.monotonic()
        for client, since in list(self._registry.persistent.items()):
            task = self._tasks.get(client)
            if task is None:
                interval = self._first_interval()
                task = self._tasks[client] = _Task(interval, since + interval / 1000)
            self._run(client, task, now)

    def restart(self) -> None:
        """Forget all schedules, counts and probes under way: the state was replaced."""
        self._tasks.clear()
        self._counts.clear()
        self._flying.clear()

    def _forget(self, client: str) -> None:
        del self._tasks[client]
        for place in [place for place in self._counts if place[0] == client]:
            del self._counts[place]

    def _first_interval(self) -> float:
        # two draws, one within the other: short ones are likelier
        longest = self._switches.health_params("TCP").max
        return FIRST_MILLIS + self._random.uniform(0, self._random.uniform(0, longest))

    # -- a round -----------------------------------------------------------------------------------------------------

    def _run(self, client: str, task: _Task, now: float) -> None:
        if task.flying or now < task.due:
            return
        seconds = task.interval / 1000
        task.due = max(task.due + seconds, now - self._switches.check_times * seconds)
        if not self._switches.checks_health:
            return
        probes = list(self._round(client))
        task.flying = len(probes)
        self._flying.update((probe.number, probe) for probe in probes)
        for probe in probes:
            self.make(probe)

    def _round(self, client: str) -> Iterator[Probe]:
        for key in self._registry.published_by.get(client, ()):
            instance = self._published(client, key)[0]
            probe = self._probe(client, key, instance)
            if probe is not None and self.permits(probe.host):
                yield probe

    def _published(self, client: str, key: ServiceKey) -> tuple[Instance, ...]:
        service = self._registry.services.get(key)
        return service.publications.get(client, ()) if service else ()

    def _probe(self, client: str, key: ServiceKey, instance: Instance) -> Probe | None:
        settings = self._settings(key, instance)
        port = instance.port if settings.use_instance_port else settings.check_port
        kind = settings.checker.get("type")
        if kind == "TCP":
            return Probe(next(self._numbers), client, key, "TCP", instance.ip, port)
        if kind != "HTTP":
            return None
        target = link(url_of(instance.ip, port, ""), str(settings.checker.get("path") or ""))
        if target is None:
            return None
        return Probe(next(self._numbers), client, key, "HTTP", *target, custom_headers(settings.checker))

    def _settings(self, key: ServiceKey, instance: Instance) -> ClusterSettings:
        metadata = self._registry.services[key].metadata
        return (metadata.clusters.get(instance.cluster) if metadata else None) or ClusterSettings()

    # -- its end -----------------------------------------------------------------------------------------------------

    def ended(self, probe: Probe, answer: Answer, millis: float) -> None:
        """Take the outcome of a probe that was made and took `millis`; changes the instance's health if it must."""
        if self._flying.pop(probe.number, None) is None:
            return  # of a state that was replaced meanwhile
        task = self._tasks.get(probe.client)
        if task is None:
            return
        verdict = judge(answer)
        task.flying -= 1
        params = self._switches.health_params(probe.kind)
        task.interval = next_interval(answer, millis, task.interval, params)
        self._count(probe, verdict)
        self._run(probe.client, task, self._registry.clock.monotonic())

    def _count(self, probe: Probe, verdict: Verdict) -> None:
        publication = self._published(probe.client, probe.service)
        if not publication:
            return
        place = (probe.client, probe.service)
        counts = self._counts.get(place)
        if counts is None or counts.publication is not publication:
            counts = self._counts[place] = _Counts(publication)
        if self._is_turned(verdict, counts, publication[0].healthy) and self._switches.checks_health:
            self._registry.set_health(probe.service, probe.client, verdict is Verdict.OK)

    def _is_turned(self, verdict: Verdict, counts: _Counts, healthy: bool) -> bool:
        """Count, and tell whether the health changes."""
        if verdict is Verdict.OK:
            counts.ok, counts.failed = counts.ok + (not healthy), 0
            return not healthy and counts.ok >= self._switches.check_times
        counts.failed, counts.ok = counts.failed + (healthy and verdict is Verdict.FAIL), 0
        return healthy and (verdict is Verdict.FAIL_NOW or counts.failed >= self._switches.check_times)


#: Statuses of a server that has no time now.
_BUSY = (503, 302)


def judge(answer: Answer) -> Verdict:
    """What an answer says; of HTTP only 200 is good, whatever `expectedResponseCode` the checker has."""
    if answer is Outcome.CONNECTED or answer == 200:
        return Verdict.OK
    if answer in (*_BUSY, Outcome.TIMEOUT, Outcome.ERROR):
        return Verdict.FAIL
    return Verdict.FAIL_NOW


def next_interval(answer: Answer, millis: float, interval: float, params: HealthParams) -> float:
    """The next interval in ms: what answers fast is asked often, what is busy or slow less, what is away least."""
    if judge(answer) is Verdict.OK:
        measured = millis
    elif answer in (*_BUSY, Outcome.TIMEOUT):
        measured = interval * 2
    else:
        measured = float(params.max)
    weighed = params.factor * interval + (1 - params.factor) * measured
    return max(min(weighed, params.max), params.min)


class Target(NamedTuple):
    """Where an HTTP request goes; `path` with its query."""

    host: str
    port: int
    path: str


def url_of(host: str, port: int, path: str) -> str:
    """A page's address."""
    return f"http://[{host}]:{port}{path}" if ":" in host else f"http://{host}:{port}{path}"


def link(page: str, reference: str) -> Target | None:
    """Where a link on a page leads, maybe off the host: a checker's path is one. None if it isn't plain HTTP."""
    try:
        url = urlsplit(urljoin(page, reference))
        host, port = url.hostname, url.port or 80
    except ValueError:
        return None
    if url.scheme != "http" or not host:
        return None
    return Target(host, port, (url.path or "/") + (f"?{url.query}" if url.query else ""))


def custom_headers(checker: Mapping[str, Any]) -> dict[str, str]:
    """The headers of an HTTP checker: `name:value|name:value`; what has more or fewer colons is left out."""
    pairs = (one.split(":") for one in str(checker.get("headers") or "").split("|"))
    return {pair[0].strip(): pair[1].strip() for pair in pairs if len(pair) == 2}
