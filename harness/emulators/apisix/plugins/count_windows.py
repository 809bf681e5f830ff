"""limit-count's two ways to count in this gateway's shared store: a fixed window and a sliding one."""

from __future__ import annotations

from collections.abc import Callable
from math import ceil, floor

from harness.clock import Clock
from harness.emulators.apisix.plugins.base import Shared

#: (refused, how many are left, seconds until the window ends or a place is free)
Taken = tuple[bool, int, float]
#: name, limit, window, cost
Take = Callable[[str, float, float, float], Taken]


def fixed(store: Shared) -> Take:
    """A window that begins with the first request."""

    count = store.count

    def take(name: str, limit: float, window: float, cost: float) -> Taken:
        counted, reset = count(name, cost, window)
        left = int(limit - counted)
        if left == limit - cost:
            reset = window
        return (True, 0, reset) if left < 0 else (False, left, reset)

    return take


def sliding(store: Shared, clock: Clock) -> Take:
    """A window that slides: the last window's count weighs by the part of it still in view."""

    def take(name: str, limit: float, window: float, cost: float) -> Taken:
        now = clock.time()
        current_key, last_key = window_keys(name, window, now)
        left = window - now % window
        last = min(store.get(last_key) or 0, limit)
        current = store.get(current_key) or 0
        if current >= limit or last / window * left + current >= limit:
            return refused(limit, window, left, current, last)
        current = store.incr(current_key, cost, 0, window * 2) or cost
        return accepted(limit, window, left, current, last)

    return take


def window_keys(name: str, window: float, now: float) -> tuple[str, str]:
    """The counters of this window and the last."""
    number = int(now // window)
    return f"{name}.{number}.counter", f"{name}.{number - 1}.counter"


def accepted(limit: float, window: float, left: float, current: float, last: float) -> Taken:
    """What a request is told that was counted."""
    return False, floor(limit - current - last / window * left), round_up(left)


def refused(limit: float, window: float, left: float, current: float, last: float) -> Taken:
    """What a request is told that finds the window full: how long until a place is free."""
    if current >= limit or not last:
        return True, 0, round_up(left)
    return True, 0, round_up(max(0.0, left - (limit - current) / (last / window)))


def round_up(seconds: float) -> float:
    """Hundredths, upwards."""
    return ceil(seconds * 100) / 100
