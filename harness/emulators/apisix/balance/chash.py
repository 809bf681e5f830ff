"""Consistent hashing as resty.chash does it: the same key reaches the same node as on the real gateway."""

from __future__ import annotations

import zlib
from bisect import bisect_left
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from typing import Any

from harness.emulators.apisix.balance.node import Node, greatest_divisor
from harness.emulators.apisix.context import Context
from harness.emulators.apisix.match.lua_values import to_text
from harness.emulators.apisix.variables import getter, resolve_counted

#: points on the circle for each unit of weight
POINTS = 160


def _points(name: str, count: int) -> Iterator[int]:
    """The places of a node on the circle: each is the checksum of the one before, begun with the node's name."""
    base = zlib.crc32(name.encode())
    place = 0
    for _ in range(count):
        place = zlib.crc32(place.to_bytes(4, "little"), base)
        yield place


def circle(nodes: Sequence[Node]) -> tuple[list[int], list[Node]]:
    """Sorted places and the node at each; weights count by their ratio. With all weights 0 the circle is empty."""
    divisor = greatest_divisor([node.weight for node in nodes])
    places: list[tuple[int, int]] = []
    for index, node in enumerate(nodes):
        share = round(node.weight / divisor) if divisor else 0
        places += [(place, index) for place in _points(node.address.replace(":", "\0"), share * POINTS)]
    places.sort()
    return [place for place, _ in places], [nodes[index] for _, index in places]


def key_getter(conf: Mapping[str, Any]) -> Callable[[Context], str]:
    """What an upstream hashes on; the client's address where that is missing."""
    find = _finder(str(conf.get("hash_on") or "vars"), str(conf.get("key") or ""))

    def key(ctx: Context) -> str:
        found = find(ctx)
        return ctx.remote_addr if found is None else to_text(found)

    return key


def _finder(hash_on: str, key: str) -> Callable[[Context], Any]:
    if hash_on == "consumer":
        return lambda ctx: ctx.consumer.name if ctx.consumer is not None else None
    if hash_on == "vars_combinations":
        return _combination(key)
    prefix = {"header": "http_", "cookie": "cookie_"}.get(hash_on, "")
    return getter(prefix + key)


def _combination(template: str) -> Callable[[Context], str | None]:
    resolved = resolve_counted(template)

    def find(ctx: Context) -> str | None:
        text, count = resolved(ctx)
        return text if count else None

    return find


class ConsistentHash:
    """The nodes of one priority on a circle of checksums; the circle is drawn at the first request."""

    __slots__ = ("_circle", "_key", "_nodes")

    def __init__(self, nodes: Sequence[Node], key: Callable[[Context], str]) -> None:
        self._nodes = tuple(nodes)
        self._key = key
        self._circle: tuple[list[int], list[Node]] | None = None

    def pick(self, ctx: Context, tried: Container[Node]) -> Node | None:
        """The node at or after the key's place, past those in `tried`; None when all are."""
        if self._circle is None:
            self._circle = circle(self._nodes)
        places, owners = self._circle
        start = bisect_left(places, zlib.crc32(self._key(ctx).encode("latin-1", "replace")))
        for step in range(len(owners)):
            node = owners[(start + step) % len(owners)]
            if node not in tried:
                return node
        return None
