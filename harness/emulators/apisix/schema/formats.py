"""Patterns and the `format` keyword: PCRE on bytes as APISIX runs it."""

from __future__ import annotations

import socket
from collections.abc import Callable
from functools import lru_cache

from harness.emulators.apisix import pcre

_NAMED_PATTERNS = {
    "email": r"^([A-Za-z0-9_\-\.])+\@([A-Za-z0-9_\-\.])+\.([A-Za-z]{2,4})$",
    "hostname": r"^[a-zA-Z0-9\-\.]+$",
    "uuid": r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$",
    "date": r"^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])$",
    "date-time": r"^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])[Tt]([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d+)?"
    r"([Zz]|[+-]([01]\d|2[0-3]):[0-5]\d)$",
    "uri": r"^[a-zA-Z][a-zA-Z0-9+\-.]*:[^\s]*$",
}


@lru_cache(maxsize=2048)
def searcher(pattern: str) -> Callable[[str], bool]:
    """Whether a text contains a match; a pattern that does not compile matches nothing, as ngx.re.find answers."""
    try:
        search = pcre.compile(pattern).search
    except ValueError:
        return lambda value: False
    return lambda value: search(value if value.isascii() else _bytes(value)) is not None


def _bytes(text: str) -> str:
    """Each byte as a character."""
    return text.encode("utf-8", "surrogateescape").decode("latin-1")


def _address(family: int) -> Callable[[str], bool]:
    def parses(value: str) -> bool:
        try:
            socket.inet_pton(family, value)
        except (OSError, ValueError):
            return False
        return True

    return parses


def format_check(name: object) -> Callable[[str], bool] | None:
    """The test behind a `format`, or None for those the library ignores."""
    if name == "ipv4":
        return _address(socket.AF_INET)
    if name == "ipv6":
        return _address(socket.AF_INET6)
    pattern = _NAMED_PATTERNS.get(name) if isinstance(name, str) else None
    return searcher(pattern) if pattern is not None else None
