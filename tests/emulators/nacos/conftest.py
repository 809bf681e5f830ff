"""A running embedded Nacos, and plain HTTP calls to it."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from harness.emulators.nacos import NacosServer


@pytest.fixture(scope="module")
def server() -> Iterator[NacosServer]:
    with NacosServer() as running:
        yield running


@pytest.fixture
def nacos(server: NacosServer) -> Iterator[NacosServer]:
    yield server
    server.reset()


@pytest.fixture
def http(nacos: NacosServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"{nacos.http_url}/nacos", trust_env=False) as client:
        yield client
