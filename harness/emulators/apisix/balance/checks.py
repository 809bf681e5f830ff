"""The settings of an upstream's health checks, with the defaults of APISIX's schema and of lua-resty-healthcheck."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Limits:
    """How many results in a row change a node's state; 0 switches a kind off."""

    successes: int
    http_failures: int
    tcp_failures: int
    timeouts: int
    healthy_statuses: frozenset[int]
    unhealthy_statuses: frozenset[int]


@dataclass(frozen=True, slots=True)
class Active:
    """The probes: intervals and time-out in seconds, interval 0 means none."""

    type: str
    timeout: float
    concurrency: int
    http_path: str
    http_method: str
    http_req_body: str
    host: str
    port: int | None
    verify: bool
    headers: tuple[str, ...]
    healthy_interval: float
    unhealthy_interval: float


@dataclass(frozen=True, slots=True)
class Checks:
    """What an upstream's `checks` say."""

    active: Active
    active_limits: Limits
    passive_limits: Limits
    #: the statuses of proxied answers that count, with a `passive` member only
    passive_statuses: frozenset[int]
    #: active's type, else passive's: what the Control API shows
    type: str


_OK = (200, 302)
_ACTIVE_BAD = (429, 404, 500, 501, 502, 503, 504, 505)
_PASSIVE_OK = (*range(200, 209), 226, *range(300, 309))
_PASSIVE_BAD = (429, 500, 503)


def _limits(
    conf: Mapping[str, Any], ok: tuple[int, ...], bad: tuple[int, ...], successes: int, timeouts: int
) -> Limits:
    healthy, unhealthy = conf.get("healthy") or {}, conf.get("unhealthy") or {}
    return Limits(
        successes=int(healthy.get("successes", successes)),
        http_failures=int(unhealthy.get("http_failures", 5)),
        tcp_failures=int(unhealthy.get("tcp_failures", 2)),
        timeouts=int(unhealthy.get("timeouts", timeouts)),
        healthy_statuses=frozenset(healthy.get("http_statuses", ok)),
        unhealthy_statuses=frozenset(unhealthy.get("http_statuses", bad)),
    )


def _interval(conf: Mapping[str, Any], state: str) -> float:
    # the schema's default is 1 where the object is given; the library's is 0 (no probes) where it isn't
    return float(conf[state].get("interval", 1)) if state in conf else 0.0


def _headers(given: Any) -> tuple[str, ...]:
    return tuple(str(line) for line in given) if isinstance(given, list) else ()


def parse_checks(conf: Mapping[str, Any]) -> Checks:
    """From the `checks` of an upstream that the schema has passed."""
    active, passive = conf.get("active") or {}, conf.get("passive")
    return Checks(
        active=Active(
            type=str(active.get("type") or "http"),
            timeout=float(active.get("timeout", 1)),
            concurrency=max(int(active.get("concurrency", 10)), 1),
            http_path=str(active.get("http_path") or "/"),
            http_method=str(active.get("http_method") or "GET"),
            http_req_body=str(active.get("http_req_body") or ""),
            host=str(active.get("host") or ""),
            port=active.get("port"),
            verify=bool(active.get("https_verify_certificate", True)),
            headers=_headers(active.get("req_headers")),
            healthy_interval=_interval(active, "healthy"),
            unhealthy_interval=_interval(active, "unhealthy"),
        ),
        active_limits=_limits(active, _OK, _ACTIVE_BAD, 2, 3),
        passive_limits=_limits(passive or {}, _PASSIVE_OK, _PASSIVE_BAD, 5, 7),
        passive_statuses=_counted(passive),
        type=str(active.get("type") or (passive or {}).get("type") or "http"),
    )


def _counted(passive: Mapping[str, Any] | None) -> frozenset[int]:
    if passive is None:
        return frozenset()
    healthy, unhealthy = passive.get("healthy"), passive.get("unhealthy")
    ok = healthy.get("http_statuses", _PASSIVE_OK) if healthy is not None else ()
    bad = unhealthy.get("http_statuses", _PASSIVE_BAD) if unhealthy is not None else ()
    return frozenset((*ok, *bad))
