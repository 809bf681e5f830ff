"""What a test may turn on a replica while it runs: latency, errors, a fixed status, health."""

from __future__ import annotations

import asyncio
import random
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from stubs.common.errors import ApiError


class KnobValues(BaseModel):
    """The knobs; they touch business requests only, never /healthz, /metrics or /_stub (except `healthy`).

    Each business request first waits `latency_ms` plus up to `jitter_ms` (even spread); then, when `status` is set,
    every request is answered with it; else a share of `error_rate` is answered with `error_status`. `seed` makes the
    draws repeatable. `healthy: false` turns /healthz, /readyz and the gRPC health service to "not serving".
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    latency_ms: float = Field(default=0, ge=0, le=60_000)
    jitter_ms: float = Field(default=0, ge=0, le=60_000)
    error_rate: float = Field(default=0, ge=0, le=1)
    error_status: int = Field(default=500, ge=400, le=599)
    status: int | None = Field(default=None, ge=200, le=599)
    seed: int | None = None
    healthy: bool = True


class Knobs:
    """The values in force and the dice that follow them."""

    def __init__(self) -> None:
        self.set(KnobValues())

    def set(self, values: KnobValues) -> None:
        """Put `values` in force as a whole and start the dice again from their seed."""
        self.values = values
        self._dice = random.Random(values.seed)
        self._idle = values.model_copy(update={"seed": None, "healthy": True}) == KnobValues()

    def reset(self) -> None:
        """Back to doing nothing."""
        self.set(KnobValues())

    @property
    def idle(self) -> bool:
        """Nothing to do to a request."""
        return self._idle

    async def apply(self) -> None:
        """Wait as told, then raise ApiError when the request is to fail."""
        values = self.values
        delay = values.latency_ms + (self._dice.uniform(0, values.jitter_ms) if values.jitter_ms else 0)
        if delay:
            await asyncio.sleep(delay / 1000)
        if values.status is not None:
            raise ApiError(values.status, "knob_status", f"status {values.status} set by the knobs")
        if values.error_rate and self._dice.random() < values.error_rate:
            raise ApiError(values.error_status, "knob_error", f"error {values.error_status} drawn by the knobs")

    def as_json(self) -> dict[str, Any]:
        """The values in force."""
        return self.values.model_dump()
