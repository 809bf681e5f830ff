"""What the tests with containers share: a daemon that answers, or the reason why they do not apply here."""

from __future__ import annotations

from typing import Any

import pytest

from harness.engines.images import daemon
from harness.errors import EngineUnavailable


@pytest.fixture(scope="session")
def docker_engine() -> Any:
    """A docker.DockerClient whose daemon answers; without one the test is not applicable, with the reason."""
    try:
        return daemon.connect()
    except EngineUnavailable as error:
        pytest.skip(f"not applicable: {error.what}")
