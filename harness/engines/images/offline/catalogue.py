"""Every image that can be made here, in the order in which they are made."""

from __future__ import annotations

from harness.engines.images.offline import debian, emulators, etcd, link, nacos, stubs
from harness.engines.images.recipes import Recipe
from harness.engines.images.settings import BuildSettings


def catalogue(settings: BuildSettings) -> tuple[Recipe, ...]:
    """All recipes; what one needs comes before it."""
    return (
        *debian.recipes(settings),
        *etcd.recipes(),
        *link.recipes(),
        *emulators.recipes(),
        *stubs.recipes(),
        *nacos.recipes(settings),
    )
