"""Every official client as one parameter: the same test bodies run for each of them."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from official.clients import CLIENTS, Client
from official.program import Program
from official.server import Attached, Server

from harness.clients.nacos import NacosClient
from harness.ports import free_port
from harness.processes import remove, temporary_directory

#: Of the server that asks for authentication.
CREDENTIALS = "nacos:interop-Pass_1"


class Sdk:
    """Starts applications of one client; what the client can't do is said, not passed over."""

    def __init__(self, client: Client, stack: ExitStack) -> None:
        self.client = client
        self._stack = stack
        self._argv = client.argv(client.build.made())

    def must(self, what: str) -> None:
        """Report the test as not applicable when the client has no such thing."""
        if what in self.client.cannot:
            pytest.skip(f"not applicable: {self.client.name}: {self.client.cannot[what]}")

    def start(self) -> tuple[Program, Path]:
        """A new process, not connected yet, and its own folder."""
        folder = temporary_directory("interop")
        self._stack.callback(remove, folder)
        # the npm client shares its connections with all processes of the machine that use the same port
        env = {"HOME": str(folder), "NODE_CLUSTER_CLIENT_PORT": str(free_port())}
        program = Program(self._argv, folder / "program.log", env)
        self._stack.callback(program.close)
        return program, folder

    def connected(
        self, server: Server, *, namespace: str = "public", username: str | None = None, password: str | None = None
    ) -> Program:
        """A new application, connected with the server's own credentials unless others are given."""
        program, folder = self.start()
        who = {
            "username": server.username if username is None else username,
            "password": server.password if password is None else password,
        }
        program.ask("open", server=server.address, namespace=namespace, folder=str(folder), **who)
        return program


@pytest.fixture(scope="session", params=CLIENTS, ids=lambda client: client.name)
def client(request: pytest.FixtureRequest) -> Client:
    """The official client; a missing toolchain is said."""
    chosen: Client = request.param
    missing = chosen.build.missing()
    if missing:
        pytest.skip(f"not applicable: {chosen.name} is built with {', '.join(missing)}, not on the PATH")
    return chosen


@pytest.fixture(scope="session")
def session_sdk(client: Client) -> Iterator[Sdk]:
    with ExitStack() as stack:
        yield Sdk(client, stack)


@pytest.fixture
def sdk(client: Client) -> Iterator[Sdk]:
    """Starts applications of the client that end with the test."""
    with ExitStack() as stack:
        yield Sdk(client, stack)


def _server(tmp: pytest.TempPathFactory, credentials: str = "") -> Iterator[Server]:
    server = Server(tmp.mktemp("nacos"), credentials)
    server.start()
    yield server
    server.close()


@pytest.fixture(scope="session")
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A Nacos that asks nobody who they are: the emulator, or the real server that `--nacos` names."""
    real = request.config.getoption("--nacos")
    if real == "docker":
        pytest.skip("not applicable: clients outside the container need gRPC at the port + 1000; give its address")
    if real is not None:
        yield Attached(real)
    else:
        yield from _server(tmp_path_factory)


def _must_be_emulated(request: pytest.FixtureRequest, why: str) -> None:
    if request.config.getoption("--nacos") is not None:
        pytest.skip(f"not applicable: {why}")


@pytest.fixture(scope="session")
def guarded(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A Nacos with authentication."""
    _must_be_emulated(request, "the server that --nacos names asks nobody who they are")
    yield from _server(tmp_path_factory, CREDENTIALS)


@pytest.fixture
def own_server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A Nacos that a test may kill, or whose clock it may move."""
    _must_be_emulated(request, "the server that --nacos names is not ours to kill, nor its clock to move")
    yield from _server(tmp_path_factory)


@pytest.fixture
def peer(server: Server) -> NacosClient:
    """A client of ours at the same server: the other side of what the official one does."""
    return server.peer()


@pytest.fixture(scope="session")
def app(session_sdk: Sdk, server: Server) -> Program:
    """An application of the official client, connected for all the tests that don't kill it."""
    return session_sdk.connected(server)


@pytest.fixture
def name() -> str:
    """A data ID or a service that no other test uses."""
    return f"bi-{uuid.uuid4().hex[:12]}"
