"""Stores that outlive reconfigurations, as nginx's lua_shared_dict: text keys, values with an expiry."""

from __future__ import annotations

from typing import Any, Protocol

from harness.clock import Clock
from harness.emulators.apisix.plugins.base import Shared

#: A store with more keys than this drops its expired ones now and then.
CROWDED = 10_000


class Stores(Protocol):
    """All shared stores of a gateway, by name."""

    def get(self, name: str) -> Shared:
        """The store of that name, made at first use."""
        ...

    def clear(self) -> None:
        """Empty all stores (between tests)."""
        ...


class SharedStore:
    """One named store of a single worker; expiry follows the gateway's clock."""

    __slots__ = ("_clock", "_held", "_sweep_at", "_time")

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._time = clock.time
        #: the value, and when it ends (0: never)
        self._held: dict[str, list[Any]] = {}
        self._sweep_at = CROWDED

    def _live(self, key: str) -> list[Any] | None:
        held = self._held.get(key)
        if held is not None and held[1] and held[1] <= self._clock.time():
            del self._held[key]
            return None
        return held

    def get(self, key: str) -> Any:
        """The value, or None when it is missing or expired."""
        held = self._live(key)
        return held[0] if held is not None else None

    def set(self, key: str, value: Any, ttl: float = 0) -> None:
        """Store a value."""
        if len(self._held) >= self._sweep_at:
            self._sweep()
        self._held[key] = [value, self._clock.time() + ttl if ttl else 0.0]

    def add(self, key: str, value: Any, ttl: float = 0) -> bool:
        """Store a value unless a live one is there; tells whether it did."""
        if self._live(key) is not None:
            return False
        self.set(key, value, ttl)
        return True

    def incr(self, key: str, by: float, init: float | None = None, init_ttl: float = 0) -> float | None:
        """Add and return the new value; a missing key starts at `init` with `init_ttl`, without `init` gives None."""
        held = self._held.get(key)
        if held is None or (held[1] and held[1] <= self._clock.time()):
            if init is None:
                return None
            self.set(key, init + by, init_ttl)
            return init + by
        held[0] += by
        value: float = held[0]
        return value

    def count(self, key: str, by: float, ttl: float) -> tuple[float, float]:
        """Add to a counter that lives for `ttl` from its first count on: (its value, seconds left)."""
        now = self._time()
        held = self._held.get(key)
        if held is not None:
            until = held[1]
            if until > now:
                held[0] += by
                return held[0], until - now
            if not until:
                held[0] += by
                return held[0], 0
        self.set(key, by, ttl)
        return by, ttl

    def ttl(self, key: str) -> float | None:
        """Seconds left, 0 for a key without expiry, None for a missing one."""
        held = self._held.get(key)
        if held is None or not held[1]:
            return None if held is None else 0
        left = held[1] - self._clock.time()
        return left if left > 0 else None

    def delete(self, key: str) -> None:
        """Forget a key."""
        self._held.pop(key, None)

    def clear(self) -> None:
        """Forget everything."""
        self._held.clear()

    def _sweep(self) -> None:
        now = self._clock.time()
        self._held = {key: held for key, held in self._held.items() if not held[1] or held[1] > now}
        self._sweep_at = max(CROWDED, 2 * len(self._held))


class SharedStores:
    """All stores of a worker, by name."""

    __slots__ = ("_clock", "_stores")

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._stores: dict[str, SharedStore] = {}

    def get(self, name: str) -> SharedStore:
        """The store of that name, made at first use."""
        store = self._stores.get(name)
        if store is None:
            store = self._stores[name] = SharedStore(self._clock)
        return store

    def clear(self) -> None:
        """Empty all stores (between tests)."""
        for store in self._stores.values():
            store.clear()
