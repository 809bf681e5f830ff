"""The shared stores of several workers: one SQLite file in memory-backed storage, an operation one atomic statement."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any, Final

from harness.clock import Clock

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS held (
  store TEXT, key TEXT, value, expiry REAL, PRIMARY KEY (store, key)
) WITHOUT ROWID
"""
_LIVE: Final = "(expiry = 0 OR expiry > :now)"
_INCR: Final = f"""
INSERT INTO held VALUES (:store, :key, :init + :by, :expiry)
ON CONFLICT (store, key) DO UPDATE SET
  value = CASE WHEN {_LIVE} THEN value + :by ELSE :init + :by END,
  expiry = CASE WHEN {_LIVE} THEN expiry ELSE :expiry END
RETURNING value, expiry
"""
_ADD: Final = f"""
INSERT INTO held VALUES (:store, :key, :value, :expiry)
ON CONFLICT (store, key) DO UPDATE SET value = :value, expiry = :expiry WHERE NOT {_LIVE}
"""
#: How long to wait for another worker's statement, in seconds.
_BUSY: Final = 5.0


def create(path: Path) -> None:
    """Make the file, once, before the workers open it."""
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(_SCHEMA)
    connection.close()


class FileStore:
    """One named store that all workers see; a `Shared` as `SharedStore`, with exact counters across processes."""

    def __init__(self, connection: sqlite3.Connection, name: str, clock: Clock) -> None:
        self._connection = connection
        self._name = name
        self._clock = clock

    def _run(self, statement: str, key: str, **given: Any) -> sqlite3.Cursor:
        return self._connection.execute(statement, {"store": self._name, "key": key, "now": self._now(), **given})

    def _now(self) -> float:
        return self._clock.time()

    def _expiry(self, ttl: float) -> float:
        return self._now() + ttl if ttl else 0.0

    def get(self, key: str) -> Any:
        """The value, or None when it is missing or expired."""
        row = self._run(f"SELECT value FROM held WHERE store = :store AND key = :key AND {_LIVE}", key).fetchone()
        return row[0] if row else None

    def set(self, key: str, value: Any, ttl: float = 0) -> None:
        """Store a value."""
        statement = "INSERT OR REPLACE INTO held VALUES (:store, :key, :value, :expiry)"
        self._run(statement, key, value=value, expiry=self._expiry(ttl))

    def add(self, key: str, value: Any, ttl: float = 0) -> bool:
        """Store a value unless a live one is there; tells whether it did."""
        return self._run(_ADD, key, value=value, expiry=self._expiry(ttl)).rowcount > 0

    def incr(self, key: str, by: float, init: float | None = None, init_ttl: float = 0) -> float | None:
        """Add and return the new value; a missing key starts at `init` with `init_ttl`, without `init` gives None."""
        if init is None:
            statement = (
                f"UPDATE held SET value = value + :by WHERE store = :store AND key = :key AND {_LIVE} RETURNING value"
            )
            rows = self._run(statement, key, by=by).fetchall()
        else:
            rows = self._run(_INCR, key, by=by, init=init, expiry=self._expiry(init_ttl)).fetchall()
        return rows[0][0] if rows else None

    def count(self, key: str, by: float, ttl: float) -> tuple[float, float]:
        """Add to a counter that lives for `ttl` from its first count on: (its value, seconds left)."""
        now = self._now()
        given = {"store": self._name, "key": key, "now": now, "by": by, "init": 0, "expiry": now + ttl if ttl else 0.0}
        value, expiry = self._connection.execute(_INCR, given).fetchall()[0]
        return value, expiry - now if expiry else 0

    def ttl(self, key: str) -> float | None:
        """Seconds left, 0 for a key without expiry, None for a missing one."""
        row = self._run(f"SELECT expiry FROM held WHERE store = :store AND key = :key AND {_LIVE}", key).fetchone()
        if row is None:
            return None
        return row[0] - self._now() if row[0] else 0

    def delete(self, key: str) -> None:
        """Forget a key."""
        self._run("DELETE FROM held WHERE store = :store AND key = :key", key)


class FileStores:
    """All stores, by name, of one worker among several."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self._clock = clock
        self._connection = sqlite3.connect(path, timeout=_BUSY, isolation_level=None)
        self._connection.execute("PRAGMA synchronous = OFF")
        self._stores: dict[str, FileStore] = {}

    def get(self, name: str) -> FileStore:
        """The store of that name."""
        store = self._stores.get(name)
        if store is None:
            store = self._stores[name] = FileStore(self._connection, name, self._clock)
        return store

    def clear(self) -> None:
        """Empty all stores (between tests)."""
        self._connection.execute("DELETE FROM held")
