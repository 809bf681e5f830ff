"""The tests with official clients: behind the marker `interop`, with the time that a first build takes."""

from __future__ import annotations

from pathlib import Path

import pytest

HERE = Path(__file__).parent
#: Seconds for one test: the first one of a client may have to build its program on a bare machine.
LONGEST = 600


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.interop)
            item.add_marker(pytest.mark.timeout(LONGEST))
