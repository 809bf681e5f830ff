"""Weighted round robin as resty.roundrobin turns: by falling weight levels, from a random node on."""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from random import Random

from harness.emulators.apisix.balance.node import Node, greatest_divisor
from harness.emulators.apisix.context import Context


def turns(nodes: Sequence[Node], start: int) -> Iterator[Node]:
    """The endless sequence of nodes after `start`: first all of the greatest weight, then also the next lighter …

    Nodes of weight 0 never come, unless all are.
    """
    weights = [node.weight for node in nodes]
    greatest, step = max(weights), greatest_divisor(weights)
    level, after = greatest, start
    while True:
        for index in range(after + 1, len(nodes)):
            if weights[index] >= level:
                yield nodes[index]
        after = -1
        level -= step
        if level <= 1e-9:
            level = greatest


class RoundRobin:
    """The nodes of one priority, in turn."""

    __slots__ = ("_limit", "_nodes", "_turns")

    def __init__(self, nodes: Sequence[Node], random: Random) -> None:
        self._nodes = tuple(nodes)
        self._turns = turns(self._nodes, random.randrange(len(nodes)))
        # roundrobin.lua gives up looking for an untried node after as many steps
        self._limit = int(sum(node.weight + 1 for node in nodes))

    def pick(self, ctx: Context, tried: Container[Node]) -> Node | None:
        """The next node in turn that isn't in `tried`; None when all are."""
        if not tried:
            return next(self._turns)
        if all(node in tried for node in self._nodes):
            return None
        node = self._nodes[0]
        for _ in range(self._limit):
            node = next(self._turns)
            if node not in tried:
                break
        return node
