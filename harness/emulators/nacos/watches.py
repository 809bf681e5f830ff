"""Fuzzy watches of 3.x clients: who watches which pattern, and which names each pattern matched. Pure.

Upstream: NamingFuzzyWatchContextService and ConfigFuzzyWatchContextService, which are alike. A pattern is
`namespace>>group>>name`; group and name may be `*`, `*text*`, `*text` or `text*`, anything else is literal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from harness.clock import Clock
from harness.emulators.nacos.errors import NacosError

SPLITTER = ">>"
#: `nacos.naming.fuzzy.watch.max.pattern.count` and its like for configuration; matched names of one pattern.
MAX_PATTERNS, MAX_MATCHED = 20, 500
#: Seconds after which a pattern that nobody watches any more is forgotten (and no longer counts).
IDLE_SECONDS = 30.0
PATTERN_OVER_LIMIT = (50310, "fuzzy watch pattern over limit")
MATCHES_OVER_LIMIT = (50311, "fuzzy watch pattern matched count over limit")


class PatternsFull(Exception):
    """There are as many patterns as are allowed."""


class Named(NamedTuple):
    """A service or a configuration."""

    namespace: str
    group: str
    name: str


class Pattern(NamedTuple):
    """A pattern in its parts."""

    namespace: str
    group: str
    name: str

    def fits(self, named: Named) -> bool:
        """Whether it matches."""
        return self.namespace == named.namespace and _fits(self.group, named.group) and _fits(self.name, named.name)


def parse(text: str) -> Pattern:
    """Read a pattern; raises NacosError in the words that Java's array access has for one of fewer parts."""
    parts = text.split(SPLITTER)
    while parts and not parts[-1]:  # Java's split drops them
        parts.pop()
    if len(parts) < 3:
        raise NacosError(500, f"Index {len(parts)} out of bounds for length {len(parts)}", 500)
    return Pattern(*parts[:3])


def _fits(pattern: str, text: str) -> bool:
    if "*" not in pattern:
        return pattern == text
    core = pattern.replace("*", "")
    if pattern.startswith("*"):
        return core in text if pattern.endswith("*") else text.endswith(core)
    return pattern.endswith("*") and text.startswith(core)


class Difference(NamedTuple):
    """What a client has to be told so that its names are those matched."""

    key: str
    exists: bool


@dataclass(slots=True)
class _Watched:
    pattern: Pattern
    matched: dict[str, None] = field(default_factory=dict)
    clients: set[str] = field(default_factory=set)
    idle_since: float = 0.0


class Watches:
    """All patterns of one kind. `all_names` are the names there are, `spell` writes one as clients know it."""

    def __init__(
        self, clock: Clock, all_names: Callable[[str], Iterable[Named]], spell: Callable[[Named], str]
    ) -> None:
        self._clock = clock
        self._all_names = all_names
        self._spell = spell
        self._patterns: dict[str, _Watched] = {}
        #: Told client, pattern, the keys the client has, and whether it is new to the pattern.
        self.asked: Callable[[str, str, list[str], bool], None] = lambda client, pattern, received, starting: None

    @property
    def is_idle(self) -> bool:
        """Whether there is no pattern at all."""
        return not self._patterns

    def watch(self, text: str, client: str) -> None:
        """Let a client watch a pattern; raises PatternsFull for one too many, NacosError for a bad one."""
        watched = self._patterns.get(text)
        if watched is None:
            pattern = parse(text)
            if len(self._patterns) >= MAX_PATTERNS:
                raise PatternsFull
            watched = self._patterns[text] = _Watched(pattern)
            self._fill(watched)
        watched.clients.add(client)

    def _fill(self, watched: _Watched) -> None:
        for named in self._all_names(watched.pattern.namespace):
            if len(watched.matched) >= MAX_MATCHED:
                return
            if watched.pattern.fits(named):
                watched.matched[self._spell(named)] = None

    def cancel(self, text: str, client: str) -> None:
        """A client watches a pattern no more, if it did."""
        watched = self._patterns.get(text)
        if watched is not None:
            self._leave(watched, client)

    def disconnect(self, client: str) -> None:
        """A client is gone."""
        for watched in self._patterns.values():
            self._leave(watched, client)

    def _leave(self, watched: _Watched, client: str) -> None:
        watched.clients.discard(client)
        if not watched.clients:
            watched.idle_since = self._clock.monotonic()

    def is_full(self, text: str) -> bool:
        """Whether a pattern matched as many names as are kept: what came later is not told."""
        watched = self._patterns.get(text)
        return watched is not None and len(watched.matched) >= MAX_MATCHED

    def differences(self, text: str, received: Iterable[str]) -> list[Difference]:
        """What a client that has `received` is to be told."""
        watched = self._patterns.get(text)
        matched = watched.matched if watched else {}
        has = dict.fromkeys(received)
        return [
            *(Difference(key, True) for key in matched if key not in has),
            *(Difference(key, False) for key in has if key not in matched),
        ]

    def changed(self, named: Named, exists: bool) -> tuple[str, set[str]]:
        """A name came or went: its key, and the clients to tell. Nobody, where no pattern's matches changed."""
        fitting = [watched for watched in self._patterns.values() if watched.pattern.fits(named)]
        if not fitting:
            return "", set()
        key = self._spell(named)
        new = [self._note(watched, key, exists) for watched in fitting]
        return key, set().union(*(watched.clients for watched in fitting)) if any(new) else set()

    def _note(self, watched: _Watched, key: str, exists: bool) -> bool:
        full = len(watched.matched) >= MAX_MATCHED
        if exists == (key in watched.matched) or (exists and full):
            return False
        if exists:
            watched.matched[key] = None
        else:
            del watched.matched[key]
            if full:
                self._fill(watched)  # what there was no room for; nobody is told now, a client's next look finds it
        return True

    def clean(self) -> None:
        """Forget patterns that nobody watched for a while."""
        oldest = self._clock.monotonic() - IDLE_SECONDS
        for text, watched in list(self._patterns.items()):
            if not watched.clients and watched.idle_since <= oldest:
                del self._patterns[text]
