"""Everything takes longer."""

from __future__ import annotations

import random
from dataclasses import dataclass


@dataclass(frozen=True)
class Latency:
    """`delay` seconds, give or take up to `jitter`."""

    delay: float
    jitter: float = 0.0

    def hold(self, size: int, chance: random.Random) -> float:
        """Seconds for one piece."""
        return max(0.0, self.delay + chance.uniform(-self.jitter, self.jitter))
