"""What can be wrong with a link: a toxic is its parameters and how long it holds back what passes."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Protocol

from harness.faults.toxics.latency import Latency
from harness.faults.toxics.loss import Loss


class Toxic(Protocol):
    """One thing that is wrong with a link."""

    def hold(self, size: int, chance: random.Random) -> float:
        """Seconds for which a piece of `size` bytes is held back; infinity for ever."""
        ...


def toxics(delay: float = 0.0, jitter: float = 0.0, loss: float = 0.0) -> Sequence[Toxic]:
    """The toxics of a link's settings. Raises ValueError for a setting that makes no sense."""
    if delay < 0 or jitter < 0 or not 0 <= loss <= 1:
        raise ValueError(
            f"delay={delay:g} and jitter={jitter:g} are seconds from 0, loss={loss:g} is a share from 0 to 1"
        )
    found: list[Toxic] = []
    if delay or jitter:
        found.append(Latency(delay, jitter))
    if loss:
        found.append(Loss(loss))
    return found


__all__ = ["Latency", "Loss", "Toxic", "toxics"]
