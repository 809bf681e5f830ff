"""bi-analysis's configuration, data ID `bi-analysis.yaml`."""

from __future__ import annotations

from pydantic import Field

from stubs.common.config import ServiceConfig


class AnalysisConfig(ServiceConfig):
    """How dear and how slow a query is.

    Latency in ms = `base_latency_ms` + rows × complexity × `latency_us_per_row` / 1000, at most `max_latency_ms`;
    cost in units = rows × complexity × `cost_per_row`.
    """

    datasets: tuple[str, ...] = Field(default=("sales", "inventory", "customers"), min_length=1)
    base_latency_ms: float = Field(default=1, ge=0)
    latency_us_per_row: float = Field(default=1, ge=0)
    max_latency_ms: float = Field(default=2_000, ge=0, le=60_000)
    cost_per_row: float = Field(default=0.001, ge=0)
    max_rows: int = Field(default=1_000_000, ge=1, le=10_000_000)
    max_export_rows: int = Field(default=1_000_000, ge=1, le=10_000_000)
