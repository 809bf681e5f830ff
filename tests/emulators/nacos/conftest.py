"""A running Nacos, and plain HTTP calls to it: the embedded one, or with `--nacos` a real server.

What asks for `nacos` or `http` speaks over the network and carries the marker `any_server`; `emulator(reason)` on a
test says why a real server can't be asked the same. What uses the emulator's own controls says so when it comes to it.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from harness.emulators.nacos import NacosServer

WITHIN = "it tests the emulator from within"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Tell tests that can be run against any server from those that look into the emulator."""
    here = Path(__file__).parent
    for item in items:
        if here not in item.path.parents:
            continue
        why = _only_emulated(item)
        if why is None:
            item.add_marker(pytest.mark.any_server)
        elif config.getoption("--nacos") is not None:
            item.add_marker(pytest.mark.skip(reason=f"not applicable: {why}"))


def _only_emulated(item: pytest.Item) -> str | None:
    """Why a test can't be run against a real server; None if it can."""
    said = item.get_closest_marker("emulator")
    if said is not None:
        return str(said.args[0])
    fixtures = set(getattr(item, "fixturenames", ()))
    if "monkeypatch" in fixtures:
        return "it changes constants of the emulator"
    return None if {"nacos", "http"} & fixtures else WITHIN


@pytest.fixture(scope="module")
def server(request: pytest.FixtureRequest) -> Iterator[Any]:
    """The embedded Nacos, or the real one that `--nacos` names."""
    wanted = request.config.getoption("--nacos")
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
def nacos(server: Any, request: pytest.FixtureRequest) -> Iterator[Any]:
    if request.node.get_closest_marker("nacos_3") and getattr(server, "version", 3) == 2:
        pytest.skip("not applicable: it asserts what 3.x says, and this server is a 2.x")
    yield server
    server.reset()


@pytest.fixture
def http(nacos: Any) -> Iterator[httpx.Client]:
    if isinstance(nacos, NacosServer):
        client = httpx.Client(base_url=f"{nacos.http_url}/nacos", trust_env=False)
    else:
        client = nacos.client()
    with client:
        yield client


@pytest.fixture
def grpc_client_of() -> Iterator[Callable[..., Any]]:
    """Makes bare gRPC clients of a server; they are closed at the end."""
    with ExitStack() as stack:
        yield lambda server, channel=None: stack.enter_context(
            _beside("grpc_client").GrpcClient(server.grpc_port, channel, server.host)
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
