"""One path of one route as the router keeps it: its order, its conditions, its parameters."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from harness.emulators.apisix.context import Context
from harness.emulators.apisix.match.addresses import AddressSet
from harness.emulators.apisix.match.body import is_body_variable
from harness.emulators.apisix.match.expression import Condition, compile_expression, latin
from harness.emulators.apisix.variables import getter

#: radixtree.lua knows these only: a route with `methods` is never found for another one
METHODS = frozenset(("GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "CONNECT", "TRACE", "PURGE"))


class MatchedRoute(Protocol):
    """What the router reads of a route; empty or None means "any"."""

    @property
    def id(self) -> str: ...
    @property
    def uris(self) -> Sequence[str]: ...
    @property
    def hosts(self) -> Sequence[str] | None: ...
    @property
    def methods(self) -> Sequence[str] | None: ...
    @property
    def remote_addrs(self) -> Sequence[str] | None: ...
    @property
    def vars(self) -> Any: ...
    @property
    def filter_func(self) -> str | None: ...
    @property
    def priority(self) -> int: ...
    @property
    def status(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Check:
    """One condition of a route: `name` says which, `says` why a request failed it."""

    name: str
    holds: Condition
    says: Callable[[Context], str]


@dataclass(frozen=True, slots=True, eq=False)
class Conditions:
    """A route's conditions in the order in which they are tried; `holds` is all in one, None when there is none."""

    checks: tuple[Check, ...]
    holds: Condition | None
    reads_body: bool


@dataclass(slots=True, eq=False)
class Entry:
    """A route under one of its paths; `order` sorts those that share a path."""

    route: Any
    path: str  # as configured
    key: str  # the whole path, or the prefix before "*" or ":"
    is_prefix: bool
    parameters: re.Pattern[str] | None  # what the whole path must match
    names: tuple[str, ...]
    order: tuple[int, int, int]
    conditions: Conditions
    found: Mapping[str, str]  # what $uri_param_* see without parameters
    plain: Candidate | None = None  # the candidate for every request, when nothing depends on the request


class Candidate(NamedTuple):
    """An entry whose path fits a certain request: only the conditions are left to see."""

    holds: Condition | None
    route: Any
    found: Mapping[str, str]
    entry: Entry


def host_matches(pattern: str, host: str) -> bool:
    """An exact host, or with a leading `*` any that ends so."""
    return host.endswith(pattern[1:]) if pattern.startswith("*") else host == pattern


def compile_conditions(route: MatchedRoute, with_hosts: bool, filter_function: Condition | None) -> Conditions:
    """The conditions of a route; `with_hosts` for the routers that look at the path first.

    Raises ExpressionError or AddressError for what can't be read.
    """
    checks: list[Check] = []
    if route.methods:
        checks.append(_methods(route.methods))
    if route.remote_addrs:
        checks.append(_addresses(route.remote_addrs))
    if with_hosts and route.hosts:
        checks.append(_hosts(route.hosts))
    condition = compile_expression(route.vars, getter)
    if condition is not None:
        checks.append(Check("vars", condition, lambda ctx: _tell(route.vars, ctx)))
    if filter_function is not None:
        checks.append(Check("filter_func", filter_function, lambda ctx: "filter_func said no"))
    return Conditions(tuple(checks), _all([check.holds for check in checks]), _reads_body(route))


def _all(conditions: list[Condition]) -> Condition | None:
    if len(conditions) < 2:
        return conditions[0] if conditions else None
    fixed = tuple(conditions)

    def holds(ctx: Context) -> bool:
        return all(condition(ctx) for condition in fixed)

    return holds


def _methods(methods: Sequence[str]) -> Check:
    allowed = METHODS.intersection(methods)
    says = f"is not one of {', '.join(methods)}"
    return Check("methods", lambda ctx: ctx.method in allowed, lambda ctx: f"method {ctx.method} {says}")


def _addresses(addresses: Sequence[str]) -> Check:
    match = AddressSet([addresses] if isinstance(addresses, str) else addresses).match
    says = f"is not in {', '.join(addresses)}"
    return Check("remote_addrs", lambda ctx: match(ctx.remote_addr), lambda ctx: f"{ctx.remote_addr} {says}")


def _hosts(hosts: Sequence[str]) -> Check:
    patterns = tuple(host.lower() for host in hosts)

    def holds(ctx: Context) -> bool:
        # a pattern with a port compares with the Host header as it came (radixtree.lua, match_route_opts)
        return any(
            host_matches(pattern, (ctx.headers.get("host") or ctx.host) if ":" in pattern else ctx.host)
            for pattern in patterns
        )

    return Check("hosts", holds, lambda ctx: f"host {ctx.host} is not {', '.join(hosts)}")


def _names(rule: Any) -> list[str]:
    """The variables that an expression reads."""
    if not isinstance(rule, list) or not rule:
        return []
    nested = [name for part in rule for name in _names(part)]
    return nested if any(isinstance(part, list) for part in rule[:2]) else [str(rule[0]), *nested]


def _tell(rule: Any, ctx: Context) -> str:
    values = {name: getter(str(latin(name)))(ctx) for name in _names(rule)}
    seen = ", ".join(f"{name} is {value!r}" for name, value in values.items())
    return f"vars {rule} do not hold: {seen}"


def _reads_body(route: MatchedRoute) -> bool:
    if any(is_body_variable(name) for name in _names(route.vars)):
        return True
    source = route.filter_func or ""
    return "post_arg" in source or "graphql_" in source


def make_entry(route: MatchedRoute, path: str, sequence: int, conditions: Conditions, with_parameters: bool) -> Entry:
    """The entry of `route` for one of its uris."""
    text = str(latin(path))
    key, is_prefix, inner = _split(text, with_parameters)
    # a star at the end of plain text takes whatever follows: nothing to look at
    looks = is_prefix and (inner or not _is_plain(key))
    pattern, names = _parameters(text) if looks else (None, ())
    entry = Entry(
        route=route,
        path=path,
        key=key,
        is_prefix=is_prefix,
        parameters=pattern,
        names=names,
        order=(-(route.priority or 0), -len(text) if is_prefix else 0, sequence),
        conditions=conditions,
        found={"_path": path},
    )
    if pattern is None:
        entry.plain = Candidate(conditions.holds, route, entry.found, entry)
    return entry


def _split(path: str, with_parameters: bool) -> tuple[str, bool, bool]:
    """(key, is a prefix, has something after the first mark)."""
    colon = path.find(":") if with_parameters else -1
    if colon >= 0:
        return path[:colon], True, True
    star = path.find("*")
    if star < 0:
        return path, False, False
    return path[:star], True, star != len(path) - 1


def _is_plain(text: str) -> bool:
    """Nothing that the pattern built from the path would take for a regular expression or a parameter."""
    return "/:" not in text and not any(char in text for char in "+?()[]{}|^$\\*")


def _parameters(path: str) -> tuple[re.Pattern[str] | None, tuple[str, ...]]:
    """The pattern that radixtree.lua (fetch_pat) makes of a path, and its names; (None, ()) when it has no parameter.

    Segments go into the pattern as they are, so that those with special characters mean something else, as there. A
    star makes two groups, so that the names behind it are off by one, as there.
    """
    segments = path.rstrip("/").split("/")
    names: list[str] = []
    for index, segment in enumerate(segments):
        if segment.startswith(":"):
            names.append(segment[1:])
            segments[index] = r"([^\/]+)"
        elif segment.startswith("*"):
            names.append(segment[1:] or ":ext")
            segments[index] = r"((.|\n)*)"
    if not names:
        return None, ()
    pattern = r"\/".join(segments) + (r"\/" if path.endswith("/") else "")
    try:
        return re.compile(pattern, re.ASCII), tuple(names)
    except re.error:
        return re.compile(r"(?!)"), tuple(names)


def candidate(entry: Entry, uri: str, host_pattern: str) -> Candidate | None:
    """The entry for a request to `uri`, or None when its parameters don't fit."""
    found = entry.found
    if entry.plain is not None and not host_pattern:
        return entry.plain
    if host_pattern:
        found = {**found, "_host": host_pattern}
    if entry.parameters is not None:
        match = entry.parameters.match(uri)
        if match is None or match.end() != len(uri):
            return None
        values = zip(entry.names, match.groups(), strict=False)
        found = {**found, **{name: value for name, value in values if value is not None}}
    return Candidate(entry.conditions.holds, entry.route, found, entry)
