"""What many tests need: `--nacos`, the sample platform's file, and one running stack of it per worker."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--nacos",
        metavar="URL|docker",
        help="run what speaks Nacos over the network (tests/emulators/nacos, tests/interop/nacos) against this real "
        "server (its gRPC at the port + 1000, nobody is asked who they are), or against the container's; what its "
        "public namespace holds is removed",
    )


@pytest.fixture(scope="session")
def platform_file() -> Path:
    """The sample platform."""
    return ROOT / "stubs" / "platform.yaml"
