"""A gateway told to stop, beside a real nginx: SIGQUIT loses no request, SIGTERM and SIGINT wait for none."""

from __future__ import annotations

import contextlib
import json
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import pytest

from harness.emulators.apisix.proxy.http2_frames import GoAways
from harness.wait import until

from .proxy.conftest import Upstream, read_all, read_until  # type: ignore[import-not-found]
from .proxy.h2_client import H2Client  # type: ignore[import-not-found]
from .proxy.real_nginx import RealNginx, needs_nginx  # type: ignore[import-not-found]

CONFIG = """
deployment: {role: data_plane, role_data_plane: {config_provider: yaml}}
nginx_config: {worker_shutdown_timeout: 20s}
"""
ROUTES = "routes: [{id: 1, uri: /*, upstream: {type: roundrobin, nodes: {'127.0.0.1:%d': 1}}}]\n#END\n"
_GET = b"GET /slow HTTP/1.1\r\nHost: h\r\n\r\n"
_POST = b"POST /slow HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\n"


class Process(Protocol):
    """What is told to stop."""

    pid: int

    def send_signal(self, sig: int) -> None: ...
    def wait(self, timeout: float | None = None) -> int: ...


class Serving(NamedTuple):
    """Somebody who serves: HTTP/1 at `http`, HTTP/2 at `http2`."""

    process: Process
    http: tuple[str, int]
    http2: tuple[str, int]


class Node:
    """An upstream that answers when it is let; `asked` counts requests that wait."""

    def __init__(self) -> None:
        self.asked = threading.Semaphore(0)
        self.go = threading.Event()
        self.upstream = Upstream(self._script)

    def _script(self, up: Any, to: socket.socket, request: bytes) -> bool:
        if b" /slow " in request:
            self.asked.release()
            assert self.go.wait(20)
        to.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        return True

    def close(self) -> None:
        self.go.set()
        self.upstream.close()


@pytest.fixture
def node() -> Iterator[Node]:
    made = Node()
    yield made
    made.close()


@contextlib.contextmanager
def _gateway(here: Path, port: int, workers: int) -> Iterator[Serving]:
    (here / "config.yaml").write_text(CONFIG)
    (here / "apisix.yaml").write_text(ROUTES % port)
    flags = [part for name in ("http", "control", "prometheus") for part in (f"--{name}", "127.0.0.1:0")]
    command = [sys.executable, "-m", "harness.emulators.apisix.serve", "--config", str(here / "config.yaml"), *flags]
    with subprocess.Popen([*command, "--workers", str(workers)], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            ready = json.loads(process.stdout.readline().removeprefix("ready "))
            address = ("127.0.0.1", int(ready["http"].rpartition(":")[2]))
            yield Serving(process, address, address)
        finally:
            process.kill()


@contextlib.contextmanager
def _nginx(here: Path, port: int) -> Iterator[Serving]:
    needs_nginx()
    with RealNginx(here, port) as nginx:
        assert nginx.process is not None
        yield Serving(nginx.process, nginx.address, nginx.address2)


@pytest.fixture
def serving(request: pytest.FixtureRequest, tmp_path: Path, node: Node) -> Iterator[Serving]:
    port = node.upstream.port
    made: dict[str, Callable[[], contextlib.AbstractContextManager[Serving]]] = {
        "gateway": lambda: _gateway(tmp_path, port, 1),
        "two workers": lambda: _gateway(tmp_path, port, 2),
        "nginx": lambda: _nginx(tmp_path, port),
    }
    with made[request.param]() as found:
        yield found


def _connect(address: tuple[str, int], first: bytes) -> socket.socket:
    connection = socket.create_connection(address, timeout=10)
    connection.sendall(first)
    return connection


def _refused(address: tuple[str, int]) -> bool:
    try:
        socket.create_connection(address, timeout=1).close()
    except ConnectionError:
        return True
    return False


@pytest.mark.parametrize("serving", ["gateway", "two workers", "nginx"], indirect=True)
def test_sigquit_finishes_what_is_under_way_and_takes_nothing_new(serving: Serving, node: Node) -> None:
    with contextlib.ExitStack() as held:
        idle = held.enter_context(_connect(serving.http, _GET.replace(b"slow", b"fast")))
        assert read_until(idle, b"ok").startswith(b"HTTP/1.1 200 OK\r\n")
        waiting = [held.enter_context(_connect(serving.http, _GET)) for _ in range(4)]
        http2 = held.enter_context(H2Client(serving.http2))
        http2.goaways = GoAways()
        stream = http2.begin(path="/slow")
        http2.send()
        for _ in range(5):
            assert node.asked.acquire(timeout=10)
        half = held.enter_context(_connect(serving.http, _POST + b"bo"))
        held.callback(node.go.set)

        serving.process.send_signal(signal.SIGQUIT)
        assert idle.recv(1) == b""
        until(lambda: _refused(serving.http), 10, awaited="new connections to be refused")
        half.sendall(b"dy")
        assert node.asked.acquire(timeout=10)
        node.go.set()
        for connection in [*waiting, half]:
            answer = read_all(connection)
            assert answer.startswith(b"HTTP/1.1 200 OK\r\n") and answer.endswith(b"\r\n\r\nok")
        assert http2.body(stream) == b"ok"
        http2.rest()
        assert http2.goaways.last == stream
    assert serving.process.wait(10) == 0


@pytest.mark.parametrize(
    ("serving", "number"),
    [("two workers", signal.SIGTERM), ("gateway", signal.SIGINT), ("nginx", signal.SIGTERM), ("nginx", signal.SIGINT)],
    indirect=["serving"],
)
def test_sigterm_and_sigint_wait_for_nobody(serving: Serving, node: Node, number: signal.Signals) -> None:
    with _connect(serving.http, _GET) as connection:
        assert node.asked.acquire(timeout=10)
        serving.process.send_signal(number)
        assert _hangs_up(connection)
        assert serving.process.wait(10) == 0
        assert not node.go.is_set()


@pytest.mark.parametrize("serving", ["gateway", "nginx"], indirect=True)
def test_sigterm_ends_a_sigquit_that_takes_too_long(serving: Serving, node: Node) -> None:
    with _connect(serving.http, _GET) as connection:
        assert node.asked.acquire(timeout=10)
        serving.process.send_signal(signal.SIGQUIT)
        until(lambda: _refused(serving.http), 10, awaited="new connections to be refused")
        serving.process.send_signal(signal.SIGTERM)
        assert _hangs_up(connection)
        assert serving.process.wait(10) == 0


def _hangs_up(connection: socket.socket) -> bool:
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True
