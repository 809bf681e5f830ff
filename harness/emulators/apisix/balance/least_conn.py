"""The node with the fewest requests under way, by weight, as balancer/least_conn.lua."""

from __future__ import annotations

from collections.abc import Container, Sequence
from math import inf
from weakref import WeakValueDictionary

from harness.emulators.apisix.balance.node import Node
from harness.emulators.apisix.context import Context


class Load:
    """Requests under way by address, of one upstream: it outlives the pickers, whose nodes come and go."""

    __slots__ = ("__weakref__", "counts", "turn", "turns")

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}
        self.turns: dict[str, int] = {}
        self.turn = 0

    def take(self, address: str) -> None:
        """A request goes to the address."""
        self.counts[address] = self.counts.get(address, 0) + 1
        self.turn += 1
        self.turns[address] = self.turn

    def release(self, address: str) -> None:
        """A request to the address has ended."""
        left = self.counts.get(address, 0) - 1
        if left > 0:
            self.counts[address] = left
        else:
            self.counts.pop(address, None)


class Loads:
    """The loads of all upstreams by their key; one lives as long as a picker or a request holds it."""

    __slots__ = ("_held",)

    def __init__(self) -> None:
        self._held: WeakValueDictionary[str, Load] = WeakValueDictionary()

    def of(self, key: str) -> Load:
        """The load of an upstream; without a key one of its own."""
        load = self._held.get(key) if key else None
        if load is None:
            load = Load()
            if key:
                self._held[key] = load
        return load


class LeastConnections:
    """The nodes of one priority; among equals the one that waited longest."""

    __slots__ = ("_load", "_nodes")

    def __init__(self, nodes: Sequence[Node], load: Load) -> None:
        self._nodes = tuple(nodes)
        self._load = load

    def pick(self, ctx: Context, tried: Container[Node]) -> Node | None:
        """The least loaded untried node, which counts as taken from here on; None when all are tried."""
        left = [node for node in self._nodes if node not in tried]
        if not left:
            return None
        best = min(left, key=self._score)
        self._load.take(best.address)
        return best

    def _score(self, node: Node) -> tuple[float, int]:
        busy = 1 + self._load.counts.get(node.address, 0)
        return (busy / node.weight if node.weight else inf), self._load.turns.get(node.address, 0)
