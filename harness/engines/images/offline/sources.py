"""Where the Dockerfiles, this project's own sources and the versions it runs with are found."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable
from importlib.metadata import distribution
from pathlib import Path

from packaging.requirements import Requirement

from harness.engines.images.daemon import tree
from harness.engines.images.recipes import Context

_DOCKERFILES = Path(__file__).resolve().parent.parent / "dockerfiles"


def dockerfile(name: str) -> str:
    """The text of one of the harness's own Dockerfiles."""
    return (_DOCKERFILES / name / "Dockerfile").read_text()


def beside(name: str, file: str) -> bytes:
    """A file beside one of the harness's own Dockerfiles."""
    return (_DOCKERFILES / name / file).read_bytes()


def package(name: str) -> Path:
    """The folder of an installed package."""
    spec = importlib.util.find_spec(name)
    assert spec is not None and spec.origin is not None, f"the package {name} is not installed"
    return Path(spec.origin).parent


def python_files(name: str) -> Context:
    """An installed package's modules as a build context."""
    return tree(package(name), at=name, suffixes=(".py",))


def pinned(names: Iterable[str]) -> bytes:
    """requirements.txt of these packages and all they need, in the versions that run here."""
    found: dict[str, str] = {}
    waiting = list(names)
    while waiting:
        installed = distribution(waiting.pop())
        name = installed.name.lower().replace("_", "-")
        if name in found:
            continue
        found[name] = installed.version
        wanted = [Requirement(text) for text in installed.requires or ()]
        waiting.extend(one.name for one in wanted if one.marker is None or one.marker.evaluate({"extra": ""}))
    return "".join(f"{name}=={version}\n" for name, version in sorted(found.items())).encode()
