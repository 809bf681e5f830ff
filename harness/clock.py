"""Time as a dependency: the system's clock, and one that a test advances."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """What anything that measures time takes as a parameter."""

    def time(self) -> float:
        """Seconds since the epoch."""
        ...

    def monotonic(self) -> float:
        """Seconds from an arbitrary start that never go back."""
        ...


class SystemClock:
    """The machine's own clock."""

    __slots__ = ()

    def time(self) -> float:
        """Seconds since the epoch."""
        return time.time()

    def monotonic(self) -> float:
        """Seconds since the machine's start."""
        return time.monotonic()


class ShiftedClock:
    """The machine's clock plus an offset: it runs on by itself and `advance` moves it forward."""

    __slots__ = ("_shift",)

    def __init__(self) -> None:
        self._shift = 0.0

    def time(self) -> float:
        """Seconds since the epoch, moved by what was advanced."""
        return time.time() + self._shift

    def monotonic(self) -> float:
        """Monotonic seconds, moved by what was advanced."""
        return time.monotonic() + self._shift

    def advance(self, seconds: float) -> None:
        """Move the clock forward; raises ValueError for a negative step."""
        _check_step(seconds)
        self._shift += seconds

    def reset(self) -> None:
        """Fall back to the machine's time (between tests; monotonic time jumps back once)."""
        self._shift = 0.0


class ManualClock:
    """A clock that stands still until a test advances it."""

    __slots__ = ("_now",)

    def __init__(self, start: float = 1_700_000_000.0) -> None:
        self._now = start

    def time(self) -> float:
        """Seconds since the epoch."""
        return self._now

    def monotonic(self) -> float:
        """The same seconds: a clock that stands still has one hand."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Move the clock forward; raises ValueError for a negative step."""
        _check_step(seconds)
        self._now += seconds


def _check_step(seconds: float) -> None:
    if seconds < 0:
        raise ValueError(f"a clock goes forward only, not by {seconds} s")
