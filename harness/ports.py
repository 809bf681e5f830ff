"""TCP ports for servers that must be told theirs before they start."""

from __future__ import annotations

import random
import socket

#: Below what the systems hand out for outgoing connections, so that none of those takes a port between its choice
#: and its use.
RANGE = (10_000, 32_000)


def free_port(offset: int = 0) -> int:
    """A port on the loopback that is free now, as is the one `offset` above it; nothing holds them afterwards."""
    choose = random.SystemRandom()
    while True:
        port = choose.randrange(*RANGE)
        if _is_free(port) and (not offset or _is_free(port + offset)):
            return port


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
