"""An upstream's choice of a node for each try: the algorithm, the groups of priority, the nodes that are well."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, Protocol

from harness.clock import Clock, SystemClock
from harness.emulators.apisix.balance.chash import ConsistentHash, key_getter
from harness.emulators.apisix.balance.ewma import Averages, Ewma
from harness.emulators.apisix.balance.least_conn import LeastConnections, Load, Loads
from harness.emulators.apisix.balance.node import Node
from harness.emulators.apisix.balance.roundrobin import RoundRobin
from harness.emulators.apisix.context import Context


class Algorithm(Protocol):
    """A choice among nodes of one priority."""

    def pick(self, ctx: Context, tried: Container[Node]) -> Node | None: ...


class Health(Protocol):
    """Who knows which nodes are well; `version` rises with each change."""

    @property
    def version(self) -> int: ...

    def is_healthy(self, node: Node) -> bool: ...


@dataclass(slots=True)
class Balancing:
    """What all pickers of a gateway share; one a worker. Seed `random` for repeatable choices."""

    clock: Clock = field(default_factory=SystemClock)
    random: Random = field(default_factory=Random)
    loads: Loads = field(default_factory=Loads)
    averages: Averages | None = None

    def __post_init__(self) -> None:
        self.averages = self.averages or Averages(self.clock)


class Picker:
    """The nodes of one upstream and the order in which requests get them.

    `conf` is the upstream's configuration (type, hash_on, key), `key` names the upstream over its changes.
    """

    __slots__ = (
        "_balancing",
        "_conf",
        "_groups",
        "_health",
        "_load",
        "_only",
        "_seen",
        "_sick",
        "_type",
        "alone",
        "nodes",
    )

    def __init__(
        self,
        conf: Mapping[str, Any],
        nodes: Sequence[Node],
        balancing: Balancing,
        *,
        health: Health | None = None,
        key: str = "",
    ) -> None:
        self._type = str(conf.get("type") or "roundrobin")
        if self._type not in ALGORITHMS:
            raise ValueError(f"invalid balancer type: {self._type}")
        self._conf = conf
        self._balancing = balancing
        self._health = health
        self._load: Load = balancing.loads.of(key)
        #: all nodes, well or not
        self.nodes: tuple[Node, ...] = tuple(nodes)
        #: the only node, where it is taken whatever happens
        self.alone = self._lone()
        self._groups: tuple[Algorithm, ...] | None = None
        self._seen = -1
        self._sick: frozenset[Node] = frozenset()
        #: the one group's choice, where there is nothing else to think of
        self._only: Callable[[Context, Container[Node]], Node | None] | None = None

    @property
    def health(self) -> Health | None:
        """Who knows which nodes are well, if anybody checks."""
        return self._health

    @health.setter
    def health(self, health: Health | None) -> None:
        self._health = health
        self._forget()

    def set_nodes(self, nodes: Sequence[Node]) -> bool:
        """Take another list of nodes; tells whether it differs (the same list leaves the turns as they are)."""
        if tuple(nodes) == self.nodes:
            return False
        self.nodes = tuple(nodes)
        self.alone = self._lone()
        self._forget()
        return True

    def _lone(self) -> Node | None:
        return self.nodes[0] if len(self.nodes) == 1 and self._type != "least_conn" else None

    def _forget(self) -> None:
        self._groups = self._only = None

    def pick(self, ctx: Context, tried: Container[Node] = ()) -> Node | None:
        """The node for the next try, or None when there is none (left); `tried` are those that failed this request.

        Nodes of lower priority come when all of the higher ones are tried. A lone node is taken again and again.
        """
        if not tried and self._only is not None:
            return self._only(ctx, ())
        if self.alone is not None:
            return self.alone
        groups = self._current()
        if len(self.nodes) == 1:
            tried = ()
        if self._sick:
            tried = self._sick.union(node for node in self.nodes if node in tried)
        for group in groups:
            node = group.pick(ctx, tried)
            if node is not None:
                return node
        return None

    def done(self, node: Node, seconds: float | None = None) -> None:
        """A try at a node is over: it took so many seconds to connect and answer, or failed (None)."""
        if self._type == "least_conn":
            self._load.release(node.address)
        elif self._type == "ewma" and seconds is not None and self._balancing.averages is not None:
            self._balancing.averages.add(node.address, seconds)

    def _current(self) -> tuple[Algorithm, ...]:
        version = self._health.version if self._health is not None else 0
        if self._groups is None or version != self._seen:
            self._seen = version
            self._groups = self._build()
        return self._groups

    def _build(self) -> tuple[Algorithm, ...]:
        well = self._well()
        # a hash keeps its circle while nodes are sick, and steps over them: the others' keys stay where they are
        keeps = self._type == "chash"
        self._sick = frozenset(self.nodes).difference(well) if keeps else frozenset()
        by_priority: dict[int, list[Node]] = {}
        for node in self.nodes if keeps else well:
            by_priority.setdefault(node.priority, []).append(node)
        make = ALGORITHMS[self._type]
        groups = tuple(make(self, by_priority[priority]) for priority in sorted(by_priority, reverse=True))
        self._only = groups[0].pick if len(groups) == 1 and self._health is None else None
        return groups

    def _well(self) -> Sequence[Node]:
        """The healthy nodes, or all of them when none is (balancer.lua, create_health_status)."""
        health = self._health
        if health is None:
            return self.nodes
        return [node for node in self.nodes if health.is_healthy(node)] or self.nodes

    def roundrobin(self, nodes: Sequence[Node]) -> Algorithm:
        """Weighted turns."""
        return RoundRobin(nodes, self._balancing.random)

    def chash(self, nodes: Sequence[Node]) -> Algorithm:
        """A consistent hash."""
        return ConsistentHash(nodes, key_getter(self._conf))

    def ewma(self, nodes: Sequence[Node]) -> Algorithm:
        """The faster of two."""
        assert self._balancing.averages is not None
        return Ewma(nodes, self._balancing.averages, self._balancing.random)

    def least_conn(self, nodes: Sequence[Node]) -> Algorithm:
        """The least loaded."""
        return LeastConnections(nodes, self._load)


#: upstream.type → how its groups are made
ALGORITHMS: Mapping[str, Callable[[Picker, Sequence[Node]], Algorithm]] = {
    "roundrobin": Picker.roundrobin,
    "chash": Picker.chash,
    "ewma": Picker.ewma,
    "least_conn": Picker.least_conn,
}
