"""Ordered, case-insensitive header fields: names keep the case and place in which they came."""

from __future__ import annotations

from collections.abc import Iterable, Iterator


class Headers:
    """The fields of one message as Latin-1 text; `items` is a list of (lower-case name, name, value)."""

    __slots__ = ("items",)

    def __init__(self, items: list[tuple[str, str, str]] | None = None) -> None:
        self.items: list[tuple[str, str, str]] = items if items is not None else []

    @classmethod
    def of(cls, pairs: Iterable[tuple[str, str]]) -> Headers:
        """From (name, value) pairs."""
        return cls([(name.lower(), name, value) for name, value in pairs])

    def get(self, name: str) -> str | None:
        """The first value of `name` (lower case)."""
        for lower, _, value in self.items:
            if lower == name:
                return value
        return None

    def get_all(self, name: str) -> list[str]:
        """All values of `name` (lower case), in order."""
        return [value for lower, _, value in self.items if lower == name]

    def add(self, name: str, value: str) -> None:
        """Append a field, whatever is there."""
        self.items.append((name.lower(), name, value))

    def set(self, name: str, value: str) -> None:
        """One field of that name: the first keeps its place, the others go."""
        lower = name.lower()
        for index, item in enumerate(self.items):
            if item[0] == lower:
                rest = [other for other in self.items[index + 1 :] if other[0] != lower]
                self.items[index:] = [(lower, name, value), *rest]
                return
        self.items.append((lower, name, value))

    def remove(self, name: str) -> None:
        """Drop every field of `name` (any case)."""
        lower = name.lower()
        self.items = [item for item in self.items if item[0] != lower]

    def copy(self) -> Headers:
        """A copy that can be changed alone."""
        return Headers(self.items.copy())

    def __contains__(self, name: str) -> bool:
        return any(lower == name for lower, _, _ in self.items)

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return ((name, value) for _, name, value in self.items)

    def __len__(self) -> int:
        return len(self.items)

    def __repr__(self) -> str:
        return f"Headers({list(self)!r})"
