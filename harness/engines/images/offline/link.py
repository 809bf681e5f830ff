"""The image that stands beside a replica whose link is to be slow."""

from __future__ import annotations

from harness.engines.images import pins
from harness.engines.images.offline.sources import dockerfile, python_files
from harness.engines.images.recipes import Context, Dockerfile, Recipe


def recipes() -> tuple[Recipe, ...]:
    """link."""
    link = Recipe(
        name="link",
        tag=pins.LINK,
        about="netem, iptables and a TCP link",
        how=Dockerfile(dockerfile("link"), {"BASE_IMAGE": pins.BASE}),
        sources=_sources,
        needs=("base",),
    )
    return (link,)


def _sources() -> Context:
    faults = {path: file for path, file in python_files("harness").items() if path.startswith("harness/faults/")}
    return {**faults, "harness/__init__.py": b""}
