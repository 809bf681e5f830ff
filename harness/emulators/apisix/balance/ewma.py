"""Of two nodes taken at random the one that answered faster, by decaying averages, as balancer/ewma.lua."""

from __future__ import annotations

import math
from collections.abc import Container, Sequence
from random import Random

from harness.clock import Clock
from harness.emulators.apisix.balance.node import Node
from harness.emulators.apisix.context import Context

DECAY = 10.0
#: an average that nobody touched for so many seconds is forgotten
KEPT = 60.0


class Averages:
    """Round-trip times by address, common to all upstreams of a gateway."""

    __slots__ = ("_clock", "_held")

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._held: dict[str, tuple[float, float]] = {}  # address → (average, touched at)

    def score(self, address: str, seconds: float = 0.0) -> float:
        """The average as it is now, decayed towards `seconds`."""
        now = self._clock.time()
        average, touched = self._held.get(address, (0.0, 0.0))
        if now - touched > KEPT:
            average, touched = 0.0, 0.0
        weight = math.exp(-max(now - touched, 0.0) / DECAY)
        return average * weight + seconds * (1.0 - weight)

    def add(self, address: str, seconds: float) -> None:
        """Count a request that took so long."""
        self._held[address] = (self.score(address, seconds), self._clock.time())


class Ewma:
    """The nodes of one priority; weights don't count."""

    __slots__ = ("_averages", "_nodes", "_random")

    def __init__(self, nodes: Sequence[Node], averages: Averages, random: Random) -> None:
        self._nodes = tuple(nodes)
        self._averages = averages
        self._random = random

    def pick(self, ctx: Context, tried: Container[Node]) -> Node | None:
        """The better of two untried nodes; None when all are tried."""
        left = [node for node in self._nodes if node not in tried] if tried else self._nodes
        if len(left) < 2:
            return left[0] if left else None
        first, second = self._random.sample(left, 2)
        return second if self._averages.score(first.address) > self._averages.score(second.address) else first
