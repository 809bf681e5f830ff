"""The images of this project's own APISIX and Nacos, which stand in where the real ones can't be had."""

from __future__ import annotations

from importlib.metadata import version

from harness.engines.images import pins
from harness.engines.images.offline.sources import beside, dockerfile, pinned, python_files
from harness.engines.images.recipes import Context, Dockerfile, Recipe

#: What the emulators import, directly; what these need comes with them.
PACKAGES = (
    "uvloop",
    "httptools",
    "h2",
    "grpcio",
    "protobuf",
    "starlette",
    "uvicorn",
    "lupa",
    "pydantic",
    "pyyaml",
    "PyJWT",
    "cryptography",
    "typer",
    "rich",
    "httpx",
    "websockets",
)

#: The modules beside the emulators that they import, or that start them.
GROUND = ("__init__", "__main__", "cli", "clock", "errors", "etcd_process", "ports", "processes", "wait", "warden")


def recipes() -> tuple[Recipe, ...]:
    """nacos-emulator and apisix-emulator."""
    return tuple(_recipe(component) for component in ("nacos", "apisix"))


def _recipe(component: str) -> Recipe:
    arguments = {"BUILDER_IMAGE": pins.PYTHON_BUILDER, "RUNTIME_IMAGE": pins.BASE}
    return Recipe(
        name=f"{component}-emulator",
        tag=pins.PINS[component].emulated,
        about=f"emulated (bi-harness {version('bi-harness')})",
        how=Dockerfile(dockerfile("emulator"), arguments, target=f"{component}-emulator", prepare=lambda *_: sources()),
        sources=sources,
        needs=("base",),
        tools=("python-builder",),
    )


def _modules() -> Context:
    """The emulators, and of the ground floor what they and their command need: the rest doesn't change their images."""
    files = python_files("harness")
    ground = {f"harness/{name}.py" for name in GROUND}
    return {path: file for path, file in files.items() if path in ground or path.startswith("harness/emulators/")}


def sources() -> Context:
    """All that the emulators' images are made of."""
    return {
        **_modules(),
        "requirements.txt": pinned(PACKAGES),
        "apisix-config.yaml": beside("emulator", "apisix-config.yaml"),
    }
