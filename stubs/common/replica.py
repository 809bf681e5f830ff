"""What every part of one running replica shares."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from stubs.common.config import ConfigStore
from stubs.common.journal import Journal
from stubs.common.knobs import Knobs
from stubs.common.logs import Log
from stubs.common.metrics import Metrics
from stubs.common.settings import Settings


@dataclass(slots=True)
class Replica:
    """One replica: its settings, log, journal, knobs, metrics and configuration; `waiting_for` is "" when ready."""

    settings: Settings
    log: Log
    metrics: Metrics
    journal: Journal
    config: ConfigStore[Any]
    knobs: Knobs = field(default_factory=Knobs)
    clock: Callable[[], float] = time.time
    waiting_for: str = "start"

    @property
    def serving(self) -> bool:
        """Takes traffic: started, registered, not told to be unhealthy."""
        return not self.waiting_for and self.knobs.values.healthy
