"""A running Nacos, and plain HTTP calls to it: the embedded one, or with `--nacos` a real server."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from harness.emulators.nacos import NacosServer

OPTION = "--nacos"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        OPTION,
        metavar="URL|docker",
        help="run what speaks over the network against this real Nacos (its gRPC at the port + 1000, nobody is asked "
        "who they are), or against the container's; what its public namespace holds is removed",
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Against a real server, tests that don't ask for the shared one are not applicable."""
    if config.getoption(OPTION, default=None) is None:
        return
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents and not {"nacos", "http"} & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.skip(reason="not applicable: it tests the emulator from within"))


@pytest.fixture(scope="module")
def server(request: pytest.FixtureRequest) -> Iterator[Any]:
    """The embedded Nacos, or the real one that `--nacos` names."""
    wanted = request.config.getoption(OPTION, default=None)
    if wanted is None:
        with NacosServer() as running:
            yield running
    else:
        with ExitStack() as stack:
            yield _beside("real_server").RealServer(_docker(stack) if wanted == "docker" else wanted)


def _docker(stack: ExitStack) -> str:
    from harness.engines.containers.nacos import NacosContainer
    from harness.errors import HarnessError

    try:
        container = stack.enter_context(NacosContainer())
    except HarnessError as error:
        pytest.skip(f"not applicable: no container of a real Nacos can be had: {error}")
    if container.emulated:
        pytest.skip("not applicable: the image at hand is the emulator's own")
    return str(container.url(container.HTTP))


@pytest.fixture
def nacos(server: Any) -> Iterator[Any]:
    yield server
    server.reset()


@pytest.fixture
def http(nacos: Any) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"{nacos.http_url}/nacos", trust_env=False) as client:
        yield client


@pytest.fixture
def grpc_client_of() -> Iterator[Callable[..., Any]]:
    """Makes bare gRPC clients of a server; they are closed at the end."""
    with ExitStack() as stack:
        yield lambda server, channel=None: stack.enter_context(
            _beside("grpc_client").GrpcClient(server.grpc_port, channel)
        )


@pytest.fixture
def grpc_client(nacos: Any, grpc_client_of: Callable[[Any], Any]) -> Callable[[], Any]:
    """Makes bare gRPC clients of the running server."""
    return lambda: grpc_client_of(nacos)


def _beside(name: str) -> Any:
    # a module beside the tests is no package's member: pytest imports by path here
    spec = importlib.util.spec_from_file_location(f"nacos_{name}", Path(__file__).parent / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
