"""Distributed locks of 3.x: one mutex for each (type, key), freed by anybody or by time. Pure.

Upstream: LockOperationServiceImpl and MutexAtomicLock. A lock knows no owner: whoever unlocks it frees it.
"""

from __future__ import annotations

from collections.abc import Callable

from harness.clock import Clock

MUTEX = "NACOS_LOCK"
#: `nacos.lock.default_expire_time` and `nacos.lock.max_expire_time`, in ms.
DEFAULT_MILLIS, MAX_MILLIS = 30_000, 1_800_000

LockKey = tuple[str, str]


class LockRefused(Exception):
    """No such lock can be; the message is the server's."""


class Locks:
    """All locks that are held, with the ms since the epoch at which each frees itself."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.held: dict[LockKey, int] = {}
        #: Told after each change (what keeps state on disk listens there).
        self.written: Callable[[], None] = lambda: None

    def lock(self, kind: str | None, key: str | None, millis: int) -> bool:
        """Take a lock for so many ms (negative: the default); False if it is held. Raises LockRefused."""
        name = _checked(kind, key)
        now = int(self._clock.time() * 1000)
        if self.held.get(name, now) > now:
            return False
        self.held[name] = now + (DEFAULT_MILLIS if millis < 0 else min(millis, MAX_MILLIS))
        self.written()
        return True

    def unlock(self, kind: str | None, key: str | None) -> bool:
        """Free a lock, whoever took it, expired or not; False if nobody had. Raises LockRefused."""
        freed = self.held.pop(_checked(kind, key), None) is not None
        if freed:
            self.written()
        return freed


def _checked(kind: str | None, key: str | None) -> LockKey:
    if kind is None or key is None:
        raise LockRefused("lockType or lockKey is null.")
    if kind != MUTEX:
        raise LockRefused(f"lockType: {kind} is not exist.")
    return kind, key
