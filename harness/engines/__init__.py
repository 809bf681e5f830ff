"""Where a platform runs: one engine each."""

from __future__ import annotations

from collections.abc import Mapping

from harness.engines.base import Engine, Progress
from harness.errors import SpecError


def make_engine(name: str, progress: Progress | None = None, ports: Mapping[str, int] | None = None) -> Engine:
    """The engine of that name, not started. Raises SpecError for an unknown one."""
    if name == "embedded":
        from harness.engines.embedded import EmbeddedEngine

        return EmbeddedEngine(progress, ports)
    raise SpecError(f"no engine {name!r}", where="--engine", mend="there is: embedded")
