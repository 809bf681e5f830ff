"""Where a platform runs: one engine each."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping

from harness.engines.base import Engine, Progress
from harness.errors import EngineUnavailable, SpecError


def make_engine(name: str, progress: Progress | None = None, ports: Mapping[str, int] | None = None) -> Engine:
    """The engine of that name, not started. Raises SpecError for an unknown one."""
    if name == "embedded":
        from harness.engines.embedded import EmbeddedEngine

        return EmbeddedEngine(progress, ports)
    if name == "docker":
        _needs_containers()
        from harness.engines.docker import DockerEngine

        return DockerEngine(progress, ports)
    raise SpecError(f"no engine {name!r}", where="--engine", mend="there are: embedded, docker")


def _needs_containers() -> None:
    """Raises EngineUnavailable where the packages aren't installed."""
    if importlib.util.find_spec("testcontainers") is None:
        raise EngineUnavailable("the docker engine needs Testcontainers", mend="pip install 'bi-harness[docker]'")
