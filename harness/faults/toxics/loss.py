"""Packets get lost: in TCP nothing is missing in the end, it comes later."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass

#: What a packet of an Ethernet carries of a TCP stream.
SEGMENT = 1448
#: How long a sender waits until it sends again (Linux' TCP_RTO_MIN); each time twice as long (RFC 6298, 5.5).
FIRST_WAIT = 0.2
#: Linux gives up after fifteen times (tcp_retries2); a share of 1 holds for ever.
TRIES = 15


@dataclass(frozen=True)
class Loss:
    """A `share` of the packets gets lost, and what is sent again too."""

    share: float

    def hold(self, size: int, chance: random.Random) -> float:
        """Seconds for one piece: as its unluckiest packet."""
        return max(self._one(chance) for _ in range(max(1, math.ceil(size / SEGMENT))))

    def _one(self, chance: random.Random) -> float:
        waited = 0.0
        for lost in range(TRIES):
            if chance.random() >= self.share:
                return waited
            waited += FIRST_WAIT * 2**lost
        return math.inf
