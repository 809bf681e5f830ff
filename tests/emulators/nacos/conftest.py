"""A running embedded Nacos, and plain HTTP calls to it."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

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


@pytest.fixture
def grpc_client_of() -> Iterator[Callable[..., Any]]:
    """Makes bare gRPC clients of a server; they are closed at the end."""
    with ExitStack() as stack:
        yield lambda server, channel=None: stack.enter_context(_grpc_module().GrpcClient(server.grpc_port, channel))


@pytest.fixture
def grpc_client(nacos: NacosServer, grpc_client_of: Callable[[NacosServer], Any]) -> Callable[[], Any]:
    """Makes bare gRPC clients of the running server."""
    return lambda: grpc_client_of(nacos)


def _grpc_module() -> Any:
    # a module beside the tests is no package's member: pytest imports by path here
    spec = importlib.util.spec_from_file_location("nacos_grpc_client", Path(__file__).parent / "grpc_client.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
