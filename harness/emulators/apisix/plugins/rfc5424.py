"""The head of an RFC 5424 message as APISIX's syslog senders write it (apisix/utils/rfc5424.lua)."""

from __future__ import annotations

import os
from datetime import UTC, datetime

from harness.clock import Clock

USER, SYSLOG = 1, 5
INFO = 6


def stamp(clock: Clock) -> str:
    """The time in UTC with milliseconds, "Z" at its end."""
    now = datetime.fromtimestamp(clock.time(), UTC)
    return f"{now:%Y-%m-%dT%H:%M:%S}.{now.microsecond // 1000:03d}Z"


def head(facility: int, severity: int, clock: Clock, host: str, data: str = "-") -> bytes:
    """All before the text of a message; `data` is the structured data."""
    return f"<{facility * 8 + severity}>1 {stamp(clock)} {host} apisix {os.getpid()} - {data} ".encode("latin-1")
