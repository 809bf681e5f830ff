"""What both caches read: Cache-Control, how long an answer stays fresh, keys made of variables, kept answers."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any

from harness.emulators.apisix.context import Context
from harness.emulators.apisix.match.lua_values import to_number, to_text
from harness.emulators.apisix.plugins.base import Shared
from harness.emulators.apisix.variables import getter

Directives = dict[str, Any]
#: an expired answer is remembered for so many seconds more, to be told EXPIRED
_REMEMBERED = 3600.0


@dataclass(frozen=True, slots=True)
class Kept:
    """An answer in a cache: `stored` is when (epoch seconds), `ttl` for how long."""

    status: int
    headers: list[list[str]]
    body: bytes
    ttl: float
    stored: float


def keep(store: Shared, key: str, kept: Kept) -> None:
    """Put an answer into a store that takes text and bytes."""
    head = json.dumps([kept.status, kept.headers, kept.ttl, kept.stored]).encode()
    store.set(key, head + b"\n" + kept.body, kept.ttl + _REMEMBERED)


def find(store: Shared, key: str) -> Kept | None:
    """The answer under a key, expired ones too."""
    raw = store.get(key)
    if raw is None:
        return None
    head, _, body = raw.partition(b"\n")
    status, headers, ttl, stored = json.loads(head)
    return Kept(status, headers, body, ttl, stored)


def generated(parts: list[str]) -> Callable[[Context], str]:
    """The parts joined, those with a dollar sign looked up."""
    getters = [getter(part[1:]) if part.startswith("$") else _constant(part) for part in parts]
    return lambda ctx: "".join(["" if (value := get(ctx)) is None else to_text(value) for get in getters])


def _constant(text: str) -> Callable[[Context], Any]:
    return lambda ctx: text


def says_yes(value: str) -> bool:
    """Whether a generated value of cache_bypass or no_cache means it."""
    return value not in ("", "0")


def directives(header: str | None) -> Directives:
    """Cache-Control as a table: numbers where they look so, True for bare names."""
    found: Directives = {}
    for part in (header or "").split(","):
        name, equals, value = part.strip().partition("=")
        if name:
            number = to_number(value) if equals else None
            found[name.lower()] = number if number is not None else (value if equals else True)
    return found


def fresh_for(said: Directives, expires: str | None, now: float) -> float | None:
    """Seconds that an answer may be kept by its own headers; None when they don't tell."""
    age = said.get("s-maxage", said.get("max-age"))
    if isinstance(age, int | float) and not isinstance(age, bool):
        return max(float(age), 0.0)
    if expires is None:
        return None
    try:
        return max(parsedate_to_datetime(expires).timestamp() - now, 0.0)
    except ValueError:
        return 0.0
