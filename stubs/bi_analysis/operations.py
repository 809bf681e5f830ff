"""What bi-analysis does, whichever way it is asked.

A report's id says what it is about (`r-sales-1000-3`: dataset, rows, complexity) and its figures follow from the id,
so every replica answers for a report that another one made.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from zlib import crc32

from pydantic import BaseModel, ConfigDict, Field

from stubs.bi_analysis.config import AnalysisConfig
from stubs.common.errors import ApiError, not_found
from stubs.common.replica import Replica

REPORT_ID = re.compile(r"r-([a-z][a-z0-9_]*)-([1-9][0-9]{0,7})-(10|[1-9])")
REGIONS = ("north", "east", "south", "west")
CSV_HEADER = "row,region,product,quantity,amount\n"
BATCH = 500


class QueryRequest(BaseModel):
    """The body of a query; `latency_ms` replaces the computed latency."""

    model_config = ConfigDict(extra="forbid")

    dataset: str = "sales"
    rows: int = Field(default=1000, ge=1)
    complexity: int = Field(default=1, ge=1, le=10)
    latency_ms: float | None = Field(default=None, ge=0)


class ExportQuery(BaseModel):
    """How many rows to export: the report's own number when absent."""

    model_config = ConfigDict(extra="forbid")

    rows: int | None = Field(default=None, ge=0)


@dataclass(frozen=True, slots=True)
class Report:
    """What a report's id says."""

    dataset: str
    rows: int
    complexity: int

    @property
    def id(self) -> str:
        """The id that says it."""
        return f"r-{self.dataset}-{self.rows}-{self.complexity}"


class Analysis:
    """The operations, following the configuration in force."""

    def __init__(self, replica: Replica) -> None:
        self._replica = replica

    @property
    def _config(self) -> AnalysisConfig:
        config: AnalysisConfig = self._replica.config.current
        return config

    async def query(self, request: QueryRequest) -> dict[str, Any]:
        """Take as long as the query takes, then say where its report is and what it cost."""
        config = self._config
        self._check(request)
        computed = config.base_latency_ms + request.rows * request.complexity * config.latency_us_per_row / 1000
        latency = min(computed if request.latency_ms is None else request.latency_ms, config.max_latency_ms)
        await asyncio.sleep(latency / 1000)
        report = Report(request.dataset, request.rows, request.complexity)
        return {
            "report_id": report.id,
            "dataset": report.dataset,
            "rows": report.rows,
            "complexity": report.complexity,
            "cost": self._cost(report),
            "latency_ms": round(latency, 3),
            "replica": self._replica.settings.replica_id,
        }

    def _check(self, request: QueryRequest) -> None:
        wrong = []
        if request.dataset not in self._config.datasets:
            wrong.append({"field": "dataset", "message": f"one of {', '.join(self._config.datasets)}"})
        if request.rows > self._config.max_rows:
            wrong.append({"field": "rows", "message": f"at most {self._config.max_rows}"})
        if wrong:
            raise ApiError(422, "invalid", f"{len(wrong)} invalid field(s)", wrong)

    def _cost(self, report: Report) -> float:
        return round(report.rows * report.complexity * self._config.cost_per_row, 6)

    def _report(self, report_id: str) -> Report:
        match = REPORT_ID.fullmatch(report_id)
        if not match or match[1] not in self._config.datasets:
            raise not_found("report", report_id)
        return Report(match[1], int(match[2]), int(match[3]))

    def report(self, report_id: str) -> dict[str, Any]:
        """A report with its totals by region; 404 for an id that no query gives."""
        report = self._report(report_id)
        totals = []
        for region in REGIONS:
            figure = crc32(f"{report.id}/{region}".encode())
            totals.append({"region": region, "amount": figure % 10_000_000 / 100, "orders": figure % report.rows})
        return {
            "id": report.id,
            "dataset": report.dataset,
            "rows": report.rows,
            "complexity": report.complexity,
            "cost": self._cost(report),
            "totals": totals,
        }

    def export(self, report_id: str, wanted: ExportQuery) -> Iterator[tuple[int, int, str]]:
        """The CSV in batches of whole lines: (number of the first row, rows, text); 404 and 422 come before the first.

        The first batch begins with the header line, and comes alone when there are no rows.
        """
        report = self._report(report_id)
        rows = report.rows if wanted.rows is None else wanted.rows
        if rows > self._config.max_export_rows:
            message = f"at most {self._config.max_export_rows}"
            raise ApiError(422, "invalid", "1 invalid field(s)", [{"field": "rows", "message": message}])
        return _batches(crc32(report.id.encode()), rows)


def _batches(seed: int, rows: int) -> Iterator[tuple[int, int, str]]:
    for first in range(0, max(rows, 1), BATCH):
        last = min(first + BATCH, rows)
        lines = "".join(_line(seed, row) for row in range(first, last))
        yield first, last - first, lines if first else CSV_HEADER + lines


def _line(seed: int, row: int) -> str:
    figure = (seed + row * 2_654_435_761) & 0xFFFFFFFF
    cents = figure % 100_000
    return f"{row},{REGIONS[figure & 3]},p-{figure % 997:03d},{figure % 50 + 1},{cents // 100}.{cents % 100:02d}\n"
