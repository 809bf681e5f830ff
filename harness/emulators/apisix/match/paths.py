"""The entries of one host by path: exact ones in a table, prefixes found from the longest down.

lua-resty-radixtree walks a radix tree upwards from the request's path; here each of the path's prefixes that could be
one is looked up in a table. Both take time in the length of the path, not in the number of routes.
"""

from __future__ import annotations

from bisect import insort
from collections import Counter
from collections.abc import Iterator

from harness.emulators.apisix.match.entry import Entry


class Paths:
    """Entries by path; those that share one are tried by priority, then as they came."""

    __slots__ = ("_exact", "_lengths", "_odd", "_prefixes", "_sorted")

    def __init__(self) -> None:
        self._exact: dict[str, list[Entry]] = {}
        self._prefixes: dict[str, list[Entry]] = {}
        #: how many prefixes have this length: those that end in a slash, and the others
        self._lengths: Counter[int] = Counter()
        self._odd: Counter[int] = Counter()
        self._sorted: list[int] | None = None

    def add(self, entry: Entry) -> None:
        """Put an entry in its place."""
        table = self._prefixes if entry.is_prefix else self._exact
        held = table.get(entry.key)
        if held is None:
            table[entry.key] = [entry]
            if entry.is_prefix:
                self._counter(entry.key)[len(entry.key)] += 1
                self._sorted = None
        else:
            insort(held, entry, key=lambda other: other.order)

    def remove(self, entry: Entry) -> None:
        """Take an entry out; raises KeyError when it isn't there."""
        table = self._prefixes if entry.is_prefix else self._exact
        held = table[entry.key]
        held.remove(entry)
        if not held:
            del table[entry.key]
            if entry.is_prefix:
                self._forget_length(entry.key)

    def _counter(self, key: str) -> Counter[int]:
        return self._lengths if key.endswith("/") else self._odd

    def _forget_length(self, key: str) -> None:
        counter = self._counter(key)
        counter[len(key)] -= 1
        if not counter[len(key)]:
            del counter[len(key)]
            self._sorted = None

    def find(self, uri: str) -> Iterator[Entry]:
        """The entries whose path fits `uri`, in the order in which they are to be tried."""
        yield from self._exact.get(uri, ())
        if self._prefixes:
            for length in self._prefix_lengths(uri):
                yield from self._prefixes.get(uri[:length], ())

    def _prefix_lengths(self, uri: str) -> list[int]:
        size, odd = len(uri), self._odd
        if self._sorted is None:
            self._sorted = sorted({*self._lengths, *odd}, reverse=True)
        return [length for length in self._sorted if length <= size and (uri[length - 1] == "/" or length in odd)]

    def __iter__(self) -> Iterator[Entry]:
        for table in (self._exact, self._prefixes):
            for held in table.values():
                yield from held

    def __bool__(self) -> bool:
        return bool(self._exact or self._prefixes)
