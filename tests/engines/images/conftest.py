"""Images made here for the tests that look into them."""

from __future__ import annotations

from typing import Any

import pytest

from harness.engines.images import settings
from harness.engines.images.build import build, chosen
from harness.engines.images.daemon import BuildFailed
from harness.engines.images.offline.catalogue import catalogue


@pytest.fixture(scope="session")
def offline_images(docker_engine: Any) -> Any:
    """Call with names: makes these images (at once where they are here) and answers name → tag."""

    def make(*names: str) -> dict[str, str]:
        told = settings.read()
        try:
            built = build(
                docker_engine, chosen(catalogue(told), names), told, tell=lambda *_: None, say=lambda line: None
            )
        except BuildFailed as error:
            if "debootstrap" in error.what and "ended with" not in error.what:
                pytest.skip(f"not applicable: {error.what}")
            raise
        return {one.name: one.tag for one in built}

    return make
