"""Distributed locks: taken once, freed by anybody or by time."""

from __future__ import annotations

import pytest

from harness.clock import ManualClock
from harness.emulators.nacos.locks import LockRefused, Locks

MUTEX = "NACOS_LOCK"


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


def test_a_lock_is_taken_once_and_freed_by_anybody(clock: ManualClock) -> None:
    locks = Locks(clock)
    assert locks.lock(MUTEX, "a", 1000)
    assert not locks.lock(MUTEX, "a", 1000)
    assert locks.lock(MUTEX, "b", 1000)
    assert locks.unlock(MUTEX, "a")
    assert not locks.unlock(MUTEX, "a")
    assert locks.lock(MUTEX, "a", 1000)


@pytest.mark.parametrize(("asked", "seconds"), [(1000, 1), (-1, 30), (10_000_000, 1800)])
def test_a_lock_frees_itself(clock: ManualClock, asked: int, seconds: int) -> None:
    locks = Locks(clock)
    assert locks.lock(MUTEX, "a", asked)
    clock.advance(seconds - 0.5)
    assert not locks.lock(MUTEX, "a", asked)
    clock.advance(0.5)
    assert locks.lock(MUTEX, "a", asked)


def test_an_expired_lock_can_still_be_freed_once(clock: ManualClock) -> None:
    locks = Locks(clock)
    locks.lock(MUTEX, "a", 1000)
    clock.advance(5)
    assert locks.unlock(MUTEX, "a")
    assert not locks.unlock(MUTEX, "a")


@pytest.mark.parametrize(
    ("kind", "key", "words"),
    [(None, "a", "is null"), (MUTEX, None, "is null"), ("OTHER", "a", "lockType: OTHER is not exist")],
)
def test_refusals(clock: ManualClock, kind: str | None, key: str | None, words: str) -> None:
    for act in (lambda: Locks(clock).lock(kind, key, 1), lambda: Locks(clock).unlock(kind, key)):
        with pytest.raises(LockRefused, match=words):
            act()
