"""WebSocket through the gateway, with real libraries on both sides: frames, sizes, closing, death, silence."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, ConnectionClosedOK
from websockets.sync.client import ClientConnection, connect
from websockets.sync.server import Server, ServerConnection, serve

from harness.wait import until

from .conftest import read_all, read_until  # type: ignore[import-not-found]

Handle = Callable[[ServerConnection], None]


@pytest.fixture
def served(gateway: Any) -> Iterator[Callable[..., Any]]:
    """served(handle, **upstream) → connect() through the gateway to a WebSocket server of that handler."""
    servers: list[Server] = []

    def make(handle: Handle, **upstream: Any) -> Callable[..., ClientConnection]:
        server = serve(handle, "127.0.0.1", 0, max_size=None)
        servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        node = f"127.0.0.1:{server.socket.getsockname()[1]}"
        gateway.route("/chat", node, id_="chat", enable_websocket=True, upstream=upstream)
        url = "ws://{}:{}/chat".format(*gateway.address)
        return lambda **more: connect(url, max_size=None, open_timeout=10, **more)

    yield make
    for server in servers:
        server.shutdown()


def echo(connection: ServerConnection) -> None:
    for message in connection:
        connection.send(message)


def test_text_binary_and_large_messages_both_ways(served: Any) -> None:
    with served(echo)() as chat:
        for message in ("text", b"\0\xff binary", "é" * 70_000, os.urandom(3_000_000)):
            chat.send(message)
            assert chat.recv(timeout=10) == message


def test_a_fragmented_message_arrives_in_its_fragments(served: Any) -> None:
    def fragments(connection: ServerConnection) -> None:
        connection.send([str(len(piece)) for piece in connection.recv_streaming()])

    with served(fragments)() as chat:
        chat.send(["one", "three", "seven!!"])
        assert list(chat.recv_streaming()) == ["3", "5", "7", "0", ""]


def test_pings_are_answered_by_the_other_side(served: Any) -> None:
    with served(echo)() as chat:
        assert chat.ping().wait(10)


def test_close_code_and_reason_come_through(served: Any) -> None:
    with served(lambda connection: connection.close(4001, "enough"))() as chat:
        with pytest.raises(ConnectionClosed):
            chat.recv(timeout=10)
        assert (chat.close_code, chat.close_reason) == (4001, "enough")


def test_the_clients_close_reaches_the_upstream(served: Any) -> None:
    told: list[Any] = []

    def handle(connection: ServerConnection) -> None:
        try:
            connection.recv()
        except ConnectionClosedOK as closed:
            told.append(closed.rcvd and closed.rcvd.reason)

    with served(handle)() as chat:
        chat.close(reason="bye")
    until(lambda: told == ["bye"], 10, awaited="the upstream to be told")


def test_an_upstream_that_dies_ends_the_clients_connection(served: Any) -> None:
    def die(connection: ServerConnection) -> None:
        connection.recv()
        connection.socket.shutdown(socket.SHUT_RDWR)

    with served(die)() as chat:
        chat.send("go")
        with pytest.raises(ConnectionClosed):
            chat.recv(timeout=10)


def test_a_refused_handshake_is_an_ordinary_answer(gateway: Any, upstream: Any) -> None:
    node = upstream(
        lambda up, to, request: to.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno") or True
    )
    gateway.route("/chat-no", node.node, id_="chatno", enable_websocket=True)
    with gateway.connect() as client:
        ask = b"GET /chat-no HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
        for _ in range(2):  # the connection stays
            client.sendall(ask)
            assert read_until(client, b"no").startswith(b"HTTP/1.1 403 Forbidden\r\n")


def test_silence_longer_than_the_read_timeout_ends_it(served: Any) -> None:
    timeout = {"connect": 5, "send": 5, "read": 0.5}
    with served(echo, timeout=timeout)() as chat:
        chat.send("still here")
        assert chat.recv(timeout=10) == "still here"
        with pytest.raises(ConnectionClosed):
            chat.recv(timeout=10)


def test_either_side_that_speaks_keeps_it_open(gateway: Any) -> None:
    """One side says something every 0.2 s for longer than the read time-out of 0.5 s."""
    server = socket.create_server(("127.0.0.1", 0))
    node = f"127.0.0.1:{server.getsockname()[1]}"
    upstream = {"timeout": {"connect": 5, "send": 5, "read": 0.5}}
    gateway.route("/half-open", node, id_="halfopen", enable_websocket=True, upstream=upstream)
    got = bytearray()
    enough = threading.Event()

    def listen() -> None:
        to, _ = server.accept()
        with to:
            to.recv(65536)
            to.sendall(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
            while len(got) < 5:
                got.extend(to.recv(65536) or b"closed")
            enough.set()
            to.sendall(b"end")

    threading.Thread(target=listen, daemon=True).start()
    with server, gateway.connect() as client:
        client.sendall(b"GET /half-open HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
        read_until(client, b"\r\n\r\n")
        while not enough.wait(0.2):
            client.sendall(b".")
        assert read_all(client) == b"end"
    assert got == b"....."
