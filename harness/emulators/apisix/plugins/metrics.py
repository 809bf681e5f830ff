"""The metrics of one gateway: families of counters and histograms, and their text as the real exporter writes it."""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from harness.clock import Clock
from harness.emulators.apisix.match.lua_values import to_text
from harness.emulators.apisix.plugins.base import Shared

#: A counter's cell is [value]; a histogram's holds a count per bucket, then one beyond them, then the sum.
Cell = list[float]
Labels = tuple[str, ...]


@dataclass(slots=True)
class Family:
    """One metric: `buckets` is empty for counters and gauges; `expire` in seconds, 0 for never."""

    name: str
    help: str
    kind: str
    labels: Labels
    buckets: tuple[float, ...] = ()
    expire: float = 0
    cells: dict[Labels, Cell] = field(default_factory=dict)
    #: what each cell was, and when it was last seen to change
    seen: dict[Labels, tuple[Cell, float]] = field(default_factory=dict)

    def cell(self, labels: Labels) -> Cell:
        """The cell of these label values, made at first use; callers keep it and add to it."""
        found = self.cells.get(labels)
        if found is None:
            found = self.cells[labels] = [0] * (len(self.buckets) + 2 if self.buckets else 1)
        return found


@dataclass(frozen=True)
class GatewayFacts:
    """What the gateway itself tells at the moment of a scrape; `etcd_reachable` is None where there is no etcd."""

    hostname: str = ""
    version: str = "3.18.0"
    requests: int = 0
    connections: Mapping[str, int] = field(default_factory=dict)
    etcd_reachable: bool | None = None
    modify_indexes: Mapping[str, int] = field(default_factory=dict)
    #: name → (capacity, free space) in bytes
    shared_dicts: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    #: (upstream, ip, port, whether it is healthy)
    upstream_status: Sequence[tuple[str, str, str, bool]] = ()


class Metrics:
    """All families of one worker, and at a scrape the sums over all workers."""

    def __init__(self, store: Shared, clock: Clock, attr: Mapping[str, Any]) -> None:
        self.attr = attr
        self.prefix = attr.get("metric_prefix", "apisix_")
        self.facts: Callable[[], GatewayFacts] = GatewayFacts
        #: counts up when cells were dropped: who keeps cells must look them up anew
        self.generation = 0
        #: set by who adds to a cell; cleared by `publish`
        self.dirty = False
        self._families: dict[str, Family] = {}
        self._clock = clock
        self._store = store
        self._number = int(store.incr("workers", 1, 0) or 1)

    def family(self, name: str, help: str, kind: str, labels: Labels, buckets: Iterable[float] = ()) -> Family:
        """The family of that name, made at first use; `expire` is read from plugin_attr."""
        if name not in self._families:
            expire = (self.attr.get("metrics") or {}).get(name, {}).get("expire", 0)
            self._families[name] = Family(name, help, kind, labels, tuple(buckets), expire)
        return self._families[name]

    def publish(self) -> None:
        """Leave this worker's cells where the others find them; nothing to do for a lone worker."""
        self.dirty = False
        if (self._store.get("workers") or 1) > 1:
            held = {name: list(family.cells.items()) for name, family in self._families.items()}
            self._store.set(f"worker:{self._number}", json.dumps(held))

    def text(self) -> str:
        """The exposition: families by name, series by their labels."""
        self._expire()
        families = [*self._gauges(self.facts()), *(self._summed(family) for family in self._families.values())]
        errors = Family("nginx_metric_errors_total", "Number of nginx-lua-prometheus errors", "counter", ())
        errors.cell(())
        ordered = sorted([*families, errors], key=lambda family: family.name)
        return "".join(line for family in ordered for line in _lines(self.prefix, family))

    def _expire(self) -> None:
        now = self._clock.time()
        for family in self._families.values():
            if family.expire:
                for labels in _stale(family, now):
                    del family.cells[labels], family.seen[labels]
                    self.generation += 1

    def _summed(self, family: Family) -> Family:
        workers = int(self._store.get("workers") or 1)
        if workers < 2:
            return family
        total = Family(family.name, family.help, family.kind, family.labels, family.buckets)
        total.cells = {labels: list(cell) for labels, cell in family.cells.items()}
        for number in range(1, workers + 1):
            held = self._store.get(f"worker:{number}") if number != self._number else None
            for labels, cell in json.loads(held).get(family.name, ()) if held else ():
                sums = total.cell(tuple(labels))
                sums[:] = [mine + theirs for mine, theirs in zip(sums, cell, strict=True)]
        return total

    @staticmethod
    def _gauges(facts: GatewayFacts) -> Iterator[Family]:
        dicts = facts.shared_dicts
        yield _gauge("nginx_http_current_connections", "Number of HTTP connections", ("state",), facts.connections)
        yield _gauge(
            "http_requests_total",
            "The total number of client requests since APISIX started",
            (),
            {(): facts.requests},
        )
        if facts.etcd_reachable is not None:
            reachable = "Config server etcd reachable from APISIX, 0 is unreachable"
            yield _gauge("etcd_reachable", reachable, (), {(): int(facts.etcd_reachable)})
        yield _gauge("etcd_modify_indexes", "Etcd modify index for APISIX keys", ("key",), facts.modify_indexes)
        node = {(facts.hostname, facts.version): 1}
        yield _gauge("node_info", "Info of APISIX node", ("hostname", "version"), node)
        yield _gauge(
            "shared_dict_capacity_bytes",
            "The capacity of each nginx shared DICT since APISIX start",
            ("name",),
            {name: capacity for name, (capacity, _) in dicts.items()},
        )
        yield _gauge(
            "shared_dict_free_space_bytes",
            "The free space of each nginx shared DICT since APISIX start",
            ("name",),
            {name: free for name, (_, free) in dicts.items()},
        )
        states = {(name, ip, port): int(up) for name, ip, port, up in facts.upstream_status}
        yield _gauge("upstream_status", "Upstream status from health check", ("name", "ip", "port"), states)


def _gauge(name: str, help: str, labels: Labels, values: Mapping[Any, float]) -> Family:
    cells = {(key if isinstance(key, tuple) else (key,)): [value] for key, value in values.items()}
    return Family(name, help, "gauge", labels, cells=cells)


def _stale(family: Family, now: float) -> list[Labels]:
    """The label values whose cell has not changed for `expire` seconds."""
    stale = []
    for labels, cell in family.cells.items():
        known = family.seen.get(labels)
        if known is None or known[0] != cell:
            family.seen[labels] = (cell.copy(), now)
        elif now - known[1] >= family.expire:
            stale.append(labels)
    return stale


def _lines(prefix: str, family: Family) -> Iterator[str]:
    """A family without any value is not shown, as no key of it stands in nginx's dictionary."""
    if not family.cells:
        return
    name = prefix + family.name
    yield f"# HELP {name} {family.help}\n# TYPE {name} {family.kind}\n"
    ordered = sorted(((_pairs(family.labels, labels), cell) for labels, cell in family.cells.items()))
    if family.buckets:
        yield from _histogram(name, family.buckets, ordered)
    else:
        yield from (f"{name}{_braces(pairs)} {to_text(cell[0])}\n" for pairs, cell in ordered)


def _histogram(name: str, buckets: tuple[float, ...], ordered: list[tuple[str, Cell]]) -> Iterator[str]:
    """Buckets that counted nothing are left out: the exporter makes a key when it first counts."""
    for pairs, cell in ordered:
        below = 0.0
        for bound, count in zip([*map(to_text, buckets), "+Inf"], cell, strict=False):
            below += count
            if below:
                le = f'le="{bound}"'
                yield f"{name}_bucket{_braces(f'{pairs},{le}' if pairs else le)} {to_text(below)}\n"
    yield from (f"{name}_count{_braces(pairs)} {to_text(sum(cell[:-1]))}\n" for pairs, cell in ordered)
    yield from (f"{name}_sum{_braces(pairs)} {to_text(cell[-1])}\n" for pairs, cell in ordered)


def _braces(pairs: str) -> str:
    return f"{{{pairs}}}" if pairs else ""


def _pairs(names: Labels, values: Labels) -> str:
    return ",".join(f'{name}="{_escaped(value)}"' for name, value in zip(names, values, strict=True))


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def observe(cell: Cell, buckets: tuple[float, ...], value: float) -> None:
    """Count `value` in a histogram's cell."""
    cell[bisect_left(buckets, value)] += 1
    cell[-1] += value
