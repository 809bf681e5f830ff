"""One service: who publishes which instances to it, what operators laid over them, and the views made of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from harness.emulators.nacos.naming.model import Instance, Overlay, ServiceKey, ServiceMetadata
from harness.emulators.nacos.naming.select import Selected, select

Place = tuple[str, int, str]


class View(NamedTuple):
    """A selection of a service's hosts, ready for the wire: `hosts_json` is the JSON array."""

    service: ServiceKey
    clusters: str
    hosts: tuple[Instance, ...]
    protected: bool
    hosts_json: str
    all_ips: str = "allIps"

    def to_json(self, last_ref_time: int, *, grouped: bool) -> str:
        """The service info object; HTTP speaks the grouped name, gRPC the plain one; 3.x spells `allIps`."""
        name = self.service.grouped if grouped else self.service.name
        return (
            f'{{"name":{json.dumps(name)},"groupName":{json.dumps(self.service.group)},'
            f'"clusters":{json.dumps(self.clusters)},"cacheMillis":10000,"hosts":{self.hosts_json},'
            f'"lastRefTime":{last_ref_time},"checksum":"","{self.all_ips}":false,'
            f'"reachProtectionThreshold":{"true" if self.protected else "false"},"valid":true}}'
        )


class Service:
    """A service that has, or recently had, publishers; the registry alone changes it."""

    __slots__ = ("_instances", "_views", "ephemeral", "key", "metadata", "overlays", "publications", "touched")

    def __init__(self, key: ServiceKey, ephemeral: bool, now: float) -> None:
        self.key = key
        self.ephemeral = ephemeral
        self.metadata: ServiceMetadata | None = None
        self.publications: dict[str, tuple[Instance, ...]] = {}
        self.overlays: dict[Place, Overlay] = {}
        self.touched = now
        self._instances: tuple[Instance, ...] | None = None
        self._views: dict[tuple[str, bool], View] = {}

    def invalidate(self, now: float) -> None:
        """Forget what was derived from the publications: they changed."""
        self._instances = None
        self._views.clear()
        self.touched = now

    @property
    def instances(self) -> tuple[Instance, ...]:
        """Every instance as clients would see it, disabled ones too; the same one published twice counts once."""
        if self._instances is None:
            self._instances = tuple({repr(one): one for one in self._overlaid()}.values())
        return self._instances

    def _overlaid(self) -> Iterator[Instance]:
        for published in self.publications.values():
            for one in published:
                overlay = self.overlays.get(one.place)
                yield overlay.over(one) if overlay else one

    @property
    def threshold(self) -> float | None:
        """The protect threshold, None where no explicit metadata turns protection on."""
        return max(self.metadata.protect_threshold, 0.0) if self.metadata else None

    def view(self, clusters: str, healthy_only: bool) -> View:
        """The hosts that a list, a subscription or a push shows; kept until the service changes."""
        found = self._views.get((clusters, healthy_only))
        if found is None:
            selected = select(self.instances, clusters=clusters, healthy_only=healthy_only, threshold=self.threshold)
            found = self._views[clusters, healthy_only] = view_of(self.key, clusters, selected)
        return found


def view_of(key: ServiceKey, clusters: str, selected: Selected) -> View:
    """Render a selection."""
    hosts: list[dict[str, Any]] = [one.wire(key) for one in selected.hosts]
    return View(key, clusters, selected.hosts, selected.protected, json.dumps(hosts, separators=(",", ":")))


def empty_view(key: ServiceKey, clusters: str) -> View:
    """What an unknown service looks like."""
    return View(key, clusters, (), False, "[]")
