"""Which of a service's instances a client gets to see: clusters, enabled, healthy, then the protect threshold."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import NamedTuple

from harness.emulators.nacos.naming.model import Instance


class Selected(NamedTuple):
    """The hosts to show, and whether the protect threshold made all of them healthy."""

    hosts: tuple[Instance, ...]
    protected: bool


def select(
    instances: Iterable[Instance],
    *,
    clusters: str = "",
    healthy_only: bool = False,
    enabled_only: bool = True,
    threshold: float | None = None,
) -> Selected:
    """Filter as the server does; `threshold` is None for services without explicit metadata (no protection at all)."""
    wanted = {name.strip() for name in clusters.split(",") if name.strip()}
    hosts = tuple(
        one
        for one in instances
        if (one.enabled or not enabled_only)
        and (not wanted or one.cluster in wanted)
        and (one.healthy or not healthy_only)
    )
    if threshold is None or not hosts or not _too_few(hosts, threshold):
        return Selected(hosts, False)
    return Selected(tuple(one if one.healthy else replace(one, healthy=True) for one in hosts), True)


def _too_few(hosts: tuple[Instance, ...], threshold: float) -> bool:
    healthy = sum(one.healthy for one in hosts)
    return healthy / len(hosts) <= threshold
