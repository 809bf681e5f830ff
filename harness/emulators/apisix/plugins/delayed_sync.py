"""Requests counted here and told to redis every `sync_interval` seconds (limit-count/delayed-syncer.lua)."""

from __future__ import annotations

import asyncio
from json import dumps, loads

from harness.emulators.apisix.plugins.base import Scope, Shared
from harness.emulators.apisix.plugins.count_redis import Counter
from harness.emulators.apisix.plugins.count_windows import Take, Taken
from harness.emulators.apisix.plugins.redis_pool import RedisFailed

#: so many keys wait for one sync; what is over stays in its counter until a later one
_MOST_KEYS = 10_000


class DelayedSync:
    """Between two syncs a request costs redis nothing: it counts against what redis last said was left.

    The counts are shared by the workers; each worker tells redis of the keys that it saw.
    """

    def __init__(self, scope: Scope, store: Shared, counter: Counter, fallback: Take, interval: float) -> None:
        self._scope = scope
        self._store = store
        self._counter = counter
        self._fallback = fallback
        self._interval = interval
        self._waiting: dict[str, tuple[float, float]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._syncing: asyncio.Task[None] | None = None
        self._locks: dict[str, asyncio.Lock] = {}

    async def take(self, name: str, limit: float, window: float, cost: float) -> Taken:
        """Count a request; raises RedisFailed where there is neither redis nor an older count."""
        async with self._lock(name):
            quota = self._quota(name)
            if quota is None:
                quota = await self._sync(name, limit, window)
            left, reset = quota
            self._wait(name, limit, window)
            left = left - (self._store.get(_delta(name)) or 0) - cost
            if left < 0:
                return True, 0, reset
            self._store.incr(_delta(name), cost, 0, 2 * window)
            return False, int(left), reset

    def _lock(self, name: str) -> asyncio.Lock:
        if len(self._locks) > _MOST_KEYS:
            self._locks = {key: lock for key, lock in self._locks.items() if lock.locked()}
        return self._locks.setdefault(name, asyncio.Lock())

    def _quota(self, name: str) -> tuple[float, float] | None:
        """What redis said last and how long it still holds; None when it is time to ask."""
        held = self._store.get(_quota_key(name))
        if held is None:
            return None
        left, reset, said = loads(held)
        reset -= self._scope.clock.time() - said
        return (left, reset) if reset > 0 else None

    def _wait(self, name: str, limit: float, window: float) -> None:
        """Have the key synced when the interval is over."""
        if name not in self._waiting and len(self._waiting) >= _MOST_KEYS:
            self._scope.log("warn", "delayed-sync queue saturated, skipping enqueue")
            return
        self._waiting[name] = (limit, window)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._interval, self._start)

    def _start(self) -> None:
        self._timer = None
        waiting, self._waiting = self._waiting, {}
        self._syncing = asyncio.get_running_loop().create_task(self._sync_all(waiting))

    async def _sync_all(self, waiting: dict[str, tuple[float, float]]) -> None:
        for name, (limit, window) in waiting.items():
            async with self._lock(name):
                await self._sync(name, limit, window, least=1)

    async def _sync(self, name: str, limit: float, window: float, least: float = 0) -> tuple[float, float]:
        """Tell redis what was counted here since, and keep what it says is left.

        Where it can't be told, this gateway's own window counts, at least `least`.
        """
        delta = self._claim(_delta(name))
        try:
            refused, left, reset = await self._counter.commit(name, limit, window, delta)
        except RedisFailed as problem:
            self._scope.log("error", f"sync to redis failed: {problem}, key: {name}")
            self._scope.log("warn", "try use fallback limiter to do rate limiting")
            refused, left, reset = self._fallback(name, limit, window, max(delta, least))
        left = 0 if refused else left
        self._store.set(_quota_key(name), dumps([left, reset, self._scope.clock.time()]), 2 * window)
        return left, reset

    def _claim(self, key: str) -> float:
        """The count so far, taken out of the store: another worker that syncs the same key gets none of it."""
        delta: float = self._store.get(key) or 0
        if delta and (self._store.incr(key, -delta) or 0) < 0:
            self._store.incr(key, delta)
            return 0
        return delta


def _delta(name: str) -> str:
    return f"local_delta#{name}"


def _quota_key(name: str) -> str:
    return f"remote_quota#{name}"
