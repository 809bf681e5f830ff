"""The Date header, written once a second."""

from __future__ import annotations

from email.utils import formatdate

_last: list[tuple[int, str]] = [(0, "")]


def http_date(now: float) -> str:
    """`now` (seconds since the epoch) as an HTTP date."""
    second = int(now)
    held = _last[0]
    if held[0] != second:
        held = _last[0] = (second, formatdate(second, usegmt=True))
    return held[1]
