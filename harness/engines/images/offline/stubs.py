"""The stand-in services' images, each from its own Dockerfile."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from harness.engines.images import pins
from harness.engines.images.daemon import tree
from harness.engines.images.offline.sources import package
from harness.engines.images.recipes import Context, Dockerfile, Recipe


def recipes() -> tuple[Recipe, ...]:
    """One for each service in pins.STUBS."""
    folder = package("stubs")
    return tuple(_recipe(service, folder) for service in pins.STUBS)


def _recipe(service: str, folder: Path) -> Recipe:
    arguments = {"BUILDER_IMAGE": pins.PYTHON_BUILDER, "RUNTIME_IMAGE": pins.BASE}
    return Recipe(
        name=service,
        tag=pins.stub_image(service),
        about=f"stand-in for {service}",
        how=Dockerfile((folder / pins.STUBS[service] / "Dockerfile").read_text(), arguments),
        sources=partial(_sources, folder, pins.STUBS[service]),
        needs=("base",),
        tools=("python-builder",),
    )


def _sources(folder: Path, own: str) -> Context:
    config = f"{own}/config.yaml"
    return {
        **tree(folder, suffixes=(".py",)),
        "requirements.txt": folder / "requirements.txt",
        config: folder / config,
    }
