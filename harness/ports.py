"""TCP ports for servers that must be told theirs before they start."""

from __future__ import annotations

import random
import socket
from collections import deque

#: Below what the systems hand out for outgoing connections, so that none of those takes a port between its choice
#: and its use.
RANGE = (10_000, 32_000)
#: What this process handed out last: a server may not have bound its port yet when the next one is chosen.
_given: deque[int] = deque(maxlen=1000)


def free_port(offset: int = 0) -> int:
    """A port on the loopback that is free now, as is the one `offset` above it; nothing holds them afterwards.

    No port is handed out twice in a row of hundreds by one process.
    """
    choose = random.SystemRandom()
    while True:
        port = choose.randrange(*RANGE)
        wanted = {port, port + offset}
        if wanted.isdisjoint(_given) and all(map(_is_free, wanted)):
            _given.extend(wanted)
            return port


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
