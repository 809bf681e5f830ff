"""Where connections to an upstream go."""

from __future__ import annotations

import ssl
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Target:
    """Where a pool's connections go: everything that keeps two requests from sharing one."""

    host: str
    port: int
    tls: ssl.SSLContext | None = None
    server_name: str = ""
