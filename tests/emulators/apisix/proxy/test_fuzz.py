"""A few hundred fuzzed requests and answers; `fuzzing.py` by itself plays as many as one likes."""

from __future__ import annotations

import asyncio
from typing import Any

from .fuzzing import play  # type: ignore[import-not-found]


def test_nothing_crashes_hangs_or_reaches_another_connection(gateway: Any) -> None:
    report = asyncio.run(play(gateway, 300, seed=20))
    assert report.wrong == []
    assert report.connections > 250
    assert {"200", "400"} <= report.statuses.keys()
