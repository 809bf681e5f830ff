"""The tests with official clients: behind the marker `interop`, with the time that a first build takes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from official.clients import CLIENTS

HERE = Path(__file__).parent
#: Seconds for one test: the first one of a client may have to build its program on a bare machine.
LONGEST = 600


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.interop)
            item.add_marker(pytest.mark.timeout(LONGEST))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """A client's tests stay with one worker, so that its program is started once for most of them."""
    from xdist.scheduler import LoadScopeScheduling

    class ByClient(LoadScopeScheduling):  # type: ignore[misc]
        """A scope is what runs with one client."""

        def _split_scope(self, nodeid: str) -> str:
            return next((client.name for client in CLIENTS if f"[{client.name}" in nodeid), nodeid)

    return ByClient(config, log)
