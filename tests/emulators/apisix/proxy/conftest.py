"""A whole gateway on the loopback, and upstreams that say what a test wants."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from harness.emulators.apisix import ApisixServer

Script = Callable[["Upstream", socket.socket, bytes], bool]


class Accepting:
    """A TCP server with a thread for each connection; `serve_one` is the subclass's."""

    def __init__(self) -> None:
        self.connections = 0
        self._open: set[socket.socket] = set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.node = f"127.0.0.1:{self.port}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._open.add(connection)
            threading.Thread(target=self.serve_one, args=(connection,), daemon=True).start()

    def serve_one(self, connection: socket.socket) -> None:
        """Serve a connection from its first byte on, and close it."""
        raise NotImplementedError

    def close(self) -> None:
        """As a killed process: nothing listens, open connections are gone."""
        self._listener.close()
        for connection in self._open:
            connection.close()


class Upstream(Accepting):
    """A plain TCP server of one script: it gets each request's head (and body) and writes what it likes.

    The script returns False to close the connection. `seen` has what arrived.
    """

    def __init__(self, script: Script) -> None:
        self.script = script
        self.seen: list[bytes] = []
        super().__init__()

    def serve_one(self, connection: socket.socket) -> None:
        held = bytearray()
        with connection:
            while True:
                try:
                    size = _whole(held)
                    while not size or len(held) < size:
                        data = connection.recv(1 << 20)
                        if not data:
                            return
                        held += data
                        size = size or _whole(held)
                except OSError:
                    return
                request = bytes(held[:size])
                del held[:size]
                self.seen.append(request)
                try:
                    if not self.script(self, connection, request):
                        return
                except OSError:
                    return


def _whole(held: bytearray) -> int:
    """The size of the request that `held` begins with, 0 when its head isn't whole."""
    end = held.find(b"\r\n\r\n")
    for line in bytes(held[: max(end, 0)]).lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return end + 4 + int(line.split(b":")[1])
    return end + 4 if end >= 0 else 0


def says(answer: bytes, *, keep: bool = True) -> Script:
    """A script that always answers these bytes."""

    def script(upstream: Upstream, connection: socket.socket, request: bytes) -> bool:
        connection.sendall(answer)
        return keep

    return script


OK = says(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")


class Gateway:
    """The embedded server with the few calls that tests make."""

    def __init__(self, server: ApisixServer) -> None:
        self.server = server
        self.admin = httpx.Client(
            base_url=server.admin_url + "/apisix/admin", headers={"X-API-KEY": server.admin_key}, timeout=10
        )
        self.address = ("127.0.0.1", int(server.http_url.rpartition(":")[2]))

    def put(self, path: str, value: Any) -> None:
        """PUT a resource; it is in force when this returns."""
        answer = self.admin.put(f"/{path}", json=value)
        assert answer.status_code < 300, answer.text

    def route(self, uri: str, *nodes: str, id_: str = "t", **more: Any) -> None:
        """A route to nodes (the first of higher priority than the second, and so on)."""
        listed = [_node(node, -place) for place, node in enumerate(nodes)]
        upstream = {"type": "roundrobin", "nodes": listed, **more.pop("upstream", {})}
        self.put(f"routes/{id_}", {"uri": uri, "upstream": upstream, **more})

    def connect(self) -> socket.socket:
        """A connection to the data plane."""
        return socket.create_connection(self.address, timeout=5)

    def raw(self, request: bytes) -> bytes:
        """What comes back for these bytes, until the connection is closed."""
        with self.connect() as connection:
            connection.sendall(request)
            return read_all(connection)


def _node(address: str, priority: int) -> dict[str, Any]:
    host, _, port = address.rpartition(":")
    return {"host": host, "port": int(port), "weight": 1, "priority": priority}


def read_all(connection: socket.socket) -> bytes:
    """Until the other side closes."""
    received = b""
    while data := connection.recv(65536):
        received += data
    return received


def read_until(connection: socket.socket, end: bytes) -> bytes:
    """Until these bytes were read (or the other side closed)."""
    received = b""
    while not received.endswith(end) and (data := connection.recv(65536)):
        received += data
    return received


@pytest.fixture(scope="session")
def gateway() -> Iterator[Gateway]:
    """One gateway for all tests here, with a TLS listener."""
    with ApisixServer(https="127.0.0.1:0") as server:
        yield Gateway(server)


@pytest.fixture
def upstream() -> Iterator[Callable[[Script], Upstream]]:
    """Makes upstreams that end with the test."""
    made: list[Upstream] = []

    def make(script: Script = OK) -> Upstream:
        made.append(Upstream(script))
        return made[-1]

    yield make
    for one in made:
        one.close()
