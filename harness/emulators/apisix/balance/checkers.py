"""The checkers of all upstreams of a gateway, by the resource that carries the `checks`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from harness.clock import Clock
from harness.emulators.apisix.balance.checks import parse_checks
from harness.emulators.apisix.balance.health import Checker, Probe
from harness.emulators.apisix.balance.node import Node
from harness.emulators.apisix.balance.probe import network_probe


class Checkers:
    """A checker is made at the first request for its upstream, and keeps what it knows when the upstream changes."""

    def __init__(self, clock: Clock, probe: Probe = network_probe) -> None:
        self._clock = clock
        self._probe = probe
        self._held: dict[str, Checker] = {}

    def of(self, key: str, conf: Mapping[str, Any], nodes: Sequence[Node]) -> Checker | None:
        """The checker of upstream `conf` (with these nodes), None when it has no checks; `key` names the resource."""
        if not conf.get("checks") or not nodes:
            self.drop(key)
            return None
        checks = parse_checks(conf["checks"])
        checker = self._held.get(key)
        if checker is None:
            checker = self._held[key] = Checker(checks, self._clock, self._probe)
            checker.start()
        rewritten = str(conf.get("upstream_host") or "") if conf.get("pass_host") == "rewrite" else ""
        checker.configure(checks, nodes, rewritten)
        return checker

    def find(self, key: str) -> Checker | None:
        """The checker of a resource, if a request has made it."""
        return self._held.get(key)

    def drop(self, key: str) -> None:
        """The resource is gone, or has no checks any more."""
        checker = self._held.pop(key, None)
        if checker is not None:
            checker.stop()

    def stop(self) -> None:
        """End all probes and forget who was well; the next requests make new checkers."""
        for key in list(self._held):
            self.drop(key)
