"""Which route a request takes: APISIX's three routers over one structure that is changed route by route."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, Literal, cast

from harness.emulators.apisix.context import Context
from harness.emulators.apisix.match.addresses import AddressError
from harness.emulators.apisix.match.entry import (
    Candidate,
    Entry,
    MatchedRoute,
    candidate,
    compile_conditions,
    host_matches,
    make_entry,
)
from harness.emulators.apisix.match.expression import Condition, ExpressionError
from harness.emulators.apisix.match.paths import Paths

log = logging.getLogger(__name__)

Kind = Literal["radixtree_host_uri", "radixtree_uri", "radixtree_uri_with_parameter"]
KINDS: tuple[Kind, ...] = ("radixtree_host_uri", "radixtree_uri", "radixtree_uri_with_parameter")

#: how many (host, path) pairs are remembered before the memory starts anew
REMEMBERED = 4096

#: source of a filter_func → its condition; raises ValueError when it isn't Lua
CompileFilter = Callable[[str], Condition]


@dataclass(frozen=True, slots=True)
class Miss:
    """A route that came near, and why it was not taken; `check` is the condition that failed."""

    route_id: str
    uri: str
    check: str
    why: str


class Router:
    """Routes by host and path: `put` and `remove` touch the one route, `match` doesn't grow with their number.

    What fits a (host, path) depends on nothing else, so that the list of candidates for it is remembered; conditions
    on the rest of the request are judged each time.
    """

    def __init__(self, kind: Kind = "radixtree_host_uri", compile_filter: CompileFilter | None = None) -> None:
        if kind not in KINDS:
            raise ValueError(f"unknown router {kind!r}: one of {', '.join(KINDS)}")
        self.kind = kind
        self._by_host = kind == "radixtree_host_uri"
        self._compile_filter = compile_filter
        self._any = Paths()
        self._hosts: dict[str, Paths] = {}
        self._wildcards: dict[str, Paths] = {}  # by the text after "*"
        #: id → (route, place among equals, (host pattern, entry) of each path)
        self._entries: dict[str, tuple[MatchedRoute, int, list[tuple[str, Entry]]]] = {}
        self._next = 0
        self._memory: dict[Any, tuple[Candidate, ...]] = {}
        self._body_readers = 0
        self._bound_to_hosts = 0  # routes with hosts, in the routers that look at the path first
        #: id → why a route that was put can't be matched
        self.rejected: dict[str, str] = {}

    # configuration

    def put(self, route: MatchedRoute) -> None:
        """Add a route or replace the one of its id, which keeps its place among equals.

        A route with status 0 is kept out; one whose conditions can't be read too, with the reason in `rejected`.
        """
        old = self._entries.pop(route.id, None)
        sequence = old[1] if old else self._next
        self._next += 0 if old else 1
        if old:
            self._take_out(old[2])
        self.rejected.pop(route.id, None)
        placed = self._place(route, sequence) if route.status != 0 else []
        self._entries[route.id] = (route, sequence, placed)
        self._count(placed, 1)
        self._memory.clear()

    def remove(self, route_id: str) -> None:
        """Take a route out; one that isn't there is no matter."""
        old = self._entries.pop(route_id, None)
        self.rejected.pop(route_id, None)
        if old:
            self._take_out(old[2])
            self._memory.clear()

    def clear(self) -> None:
        """Take all routes out."""
        for route_id in list(self._entries):
            self.remove(route_id)

    def routes(self) -> Iterator[Any]:
        """All routes put, in their order, also those that can't be matched."""
        return (route for route, _, _ in sorted(self._entries.values(), key=lambda held: held[1]))

    def __len__(self) -> int:
        return len(self._entries)

    def _place(self, route: MatchedRoute, sequence: int) -> list[tuple[str, Entry]]:
        try:
            conditions = compile_conditions(route, not self._by_host, self._filter(route))
        except (ExpressionError, AddressError, ValueError) as error:
            self.rejected[route.id] = str(error)
            log.error("route %s can't be matched: %s", route.id, error)
            return []
        with_parameters = self.kind == "radixtree_uri_with_parameter"
        entries = [make_entry(route, path, sequence, conditions, with_parameters) for path in route.uris]
        placed = [(host, entry) for host in self._host_patterns(route) for entry in entries]
        for host, entry in placed:
            self._paths(host).add(entry)
        return placed

    def _filter(self, route: MatchedRoute) -> Condition | None:
        if not route.filter_func:
            return None
        if self._compile_filter is None:
            raise ValueError("filter_func is not available in this router")
        return self._compile_filter(route.filter_func)

    def _host_patterns(self, route: MatchedRoute) -> list[str]:
        if not self._by_host or not route.hosts:
            return [""]
        return list(dict.fromkeys(host.lower() for host in route.hosts))

    def _table(self, host: str) -> tuple[dict[str, Paths], str]:
        return (self._wildcards, host[1:]) if host.startswith("*") else (self._hosts, host)

    def _paths(self, host: str) -> Paths:
        if not host:
            return self._any
        table, key = self._table(host)
        return table.setdefault(key, Paths())

    def _take_out(self, placed: list[tuple[str, Entry]]) -> None:
        self._count(placed, -1)
        for host, entry in placed:
            paths = self._paths(host)
            paths.remove(entry)
            if host and not paths:
                table, key = self._table(host)
                del table[key]

    def _count(self, placed: list[tuple[str, Entry]], by: int) -> None:
        if placed:
            entry = placed[0][1]
            self._body_readers += by * entry.conditions.reads_body
            self._bound_to_hosts += by * (not self._by_host and bool(entry.route.hosts))

    # requests

    def match(self, ctx: Context) -> Any | None:
        """The route for a request, with `ctx.path_params` set; None when there is none.

        Whatever a filter_func raises comes through: it is a 500, not a mismatch.
        """
        for found in self._candidates(ctx.host, ctx.uri):
            if found.holds is None or found.holds(ctx):
                ctx.path_params = cast("dict[str, str]", found.found)
                return found.route
        return None

    def sure(self, host: str, uri: str) -> Candidate | None:
        """The candidate that every request for this host and path takes; None when that depends on more."""
        found = self._candidates(host, uri)
        return found[0] if found and found[0].holds is None else None

    def wants_body(self, ctx: Context) -> bool:
        """Whether a route that may fit reads variables of the request's body: gather it before `match`."""
        if not self._body_readers:
            return False
        return any(found.entry.conditions.reads_body for found in self._candidates(ctx.host, ctx.uri))

    def _candidates(self, host: str, uri: str) -> tuple[Candidate, ...]:
        key = (host, uri) if self._hosts or self._wildcards or self._bound_to_hosts else uri
        found = self._memory.get(key)
        if found is None:
            if len(self._memory) >= REMEMBERED:
                self._memory.clear()
            found = self._memory[key] = self._search(host, uri)
        return found

    def _search(self, host: str, uri: str) -> tuple[Candidate, ...]:
        """All that fit the host and the path, up to the first without conditions."""
        found: list[Candidate] = []
        for pattern, paths in self._fitting(host.lower()):
            for entry in paths.find(uri):
                fitting = candidate(entry, uri, pattern or self._own_pattern(entry, host))
                if fitting is None:
                    continue
                found.append(fitting)
                if fitting.holds is None:
                    return tuple(found)
        return tuple(found)

    def _own_pattern(self, entry: Entry, host: str) -> str:
        """The host pattern of an entry that was found by its path, for $matched_host and the like."""
        if self._by_host or not entry.route.hosts:
            return ""
        return next((pattern for pattern in entry.route.hosts if host_matches(pattern, host)), "")

    def _fitting(self, host: str) -> Iterator[tuple[str, Paths]]:
        """(host pattern, paths) for a host: the exact one, the longer wildcards first, then those without host."""
        if host in self._hosts:
            yield host, self._hosts[host]
        if self._wildcards:
            for start in range(len(host) + 1):
                paths = self._wildcards.get(host[start:])
                if paths is not None:
                    yield "*" + host[start:], paths
        yield "", self._any

    # telling why

    def explain(self, ctx: Context, limit: int = 20) -> list[Miss]:
        """The routes that came near before (or without) the one that is taken, with what kept each from being it.

        First those whose host and path fit, in the order tried; when nothing is taken also those with the path under
        another host, or the host and a similar path.
        """
        misses: dict[tuple[str, str], Miss] = {}
        for found in self._candidates(ctx.host, ctx.uri):
            failed = next((check for check in found.entry.conditions.checks if not check.holds(ctx)), None)
            if failed is None:
                return list(misses.values())[:limit]
            miss = Miss(found.route.id, found.entry.path, failed.name, failed.says(ctx))
            misses.setdefault((miss.route_id, miss.uri), miss)
        for miss in islice(self._further(ctx), limit * 10):
            misses.setdefault((miss.route_id, miss.uri), miss)
        return list(misses.values())[:limit]

    def _further(self, ctx: Context) -> Iterator[Miss]:
        """Routes that aren't candidates at all, but look as if they were meant."""
        for route_id, why in self.rejected.items():
            yield Miss(route_id, self._entries[route_id][0].uris[0], "configuration", why)
        for route, _, _ in self._entries.values():
            if route.status == 0 and any(_alike(uri, ctx.uri) for uri in route.uris):
                yield Miss(route.id, route.uris[0], "status", "the route is switched off (status 0)")
        yield from self._other_hosts(ctx)
        yield from self._similar_paths(ctx)

    def _other_hosts(self, ctx: Context) -> Iterator[Miss]:
        fitting = {id(paths) for _, paths in self._fitting(ctx.host)}
        tables: Mapping[str, Paths] = {**self._hosts, **{"*" + host: paths for host, paths in self._wildcards.items()}}
        for pattern, paths in tables.items():
            if id(paths) in fitting:
                continue
            for entry in paths.find(ctx.uri):
                yield Miss(entry.route.id, entry.path, "host", f"host {ctx.host} is not {pattern}")

    def _similar_paths(self, ctx: Context) -> Iterator[Miss]:
        for _, paths in self._fitting(ctx.host):
            for entry in paths:
                if _alike(entry.path, ctx.uri) or (entry.names and ctx.uri.startswith(entry.key)):
                    yield Miss(entry.route.id, entry.path, "uri", f"path {ctx.uri} is not {entry.path}")


def _alike(path: str, uri: str) -> bool:
    """Whether a route's path and a request's differ in case, or in what they end with, alone."""
    return path.rstrip("/*").lower() == uri.rstrip("/").lower()


__all__ = ["KINDS", "Kind", "Miss", "Router"]
