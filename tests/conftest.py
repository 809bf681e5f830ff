"""What many tests need: the sample platform's file, and one running stack of it per worker."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def platform_file() -> Path:
    """The sample platform."""
    return ROOT / "stubs" / "platform.yaml"
