"""The gateway's declared state in etcd, and the way back to it when a test has changed it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Record:
    """One key of etcd as it was: its value and the revision that wrote it."""

    value: bytes
    revision: int


class Etcd(Protocol):
    """What is needed of an etcd client."""

    def prefix(self, prefix: str) -> dict[str, Record]:
        """Every key under a prefix."""
        ...

    def put(self, key: str, value: bytes) -> int:
        """Write a key; the revision that did it."""
        ...

    def delete(self, key: str) -> int:
        """Remove a key; the revision that did it."""
        ...


class Declared:
    """Remembers what stands under a prefix and restores just what has changed since."""

    def __init__(self, etcd: Etcd, prefix: str) -> None:
        self._etcd = etcd
        self._prefix = prefix
        self._records: dict[str, Record] = {}

    def remember(self) -> None:
        """Take what is there now as the declared state."""
        self._records = self._etcd.prefix(self._prefix)

    def restore(self) -> int:
        """Undo every change; the last revision that it took, 0 when there was nothing to undo."""
        now = self._etcd.prefix(self._prefix)
        last = 0
        for key in now.keys() - self._records.keys():
            last = self._etcd.delete(key)
        for key, record in self._records.items():
            if key not in now or now[key].revision != record.revision:
                last = self._etcd.put(key, record.value)
                self._records[key] = Record(record.value, last)
        return last
