"""Both of the gateway's sides against h11, a strict state machine of HTTP/1.1 that others wrote.

The client is h11's and so is the upstream; what either calls a protocol error fails the test.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import h11
import pytest

from .conftest import Accepting  # type: ignore[import-not-found]

_TEXT = ("Content-Type", "text/plain")


class Peer:
    """One side of a connection."""

    def __init__(self, connection: socket.socket, role: type[h11.CLIENT] | type[h11.SERVER]) -> None:
        self.socket = connection
        self.h11 = h11.Connection(role, max_incomplete_event_size=65536)
        #: the statuses of interim answers
        self.interim: list[int] = []

    def send(self, *events: Any) -> None:
        """Send events, in one piece."""
        self.socket.sendall(b"".join(self.h11.send(event) or b"" for event in events))

    def next(self) -> Any:
        """The next event."""
        while True:
            event = self.h11.next_event()
            if event is not h11.NEED_DATA:
                return event
            self.h11.receive_data(self.socket.recv(65536))

    def message(self) -> tuple[Any, bytes, list[tuple[bytes, bytes]]]:
        """A whole message: its head, its content, its trailers."""
        head = self.next()
        while isinstance(head, h11.InformationalResponse) and head.status_code != 101:
            self.interim.append(head.status_code)
            head = self.next()
        content = b""
        while isinstance(event := self.next(), h11.Data):
            content += event.data
        assert isinstance(event, h11.EndOfMessage), event
        return head, content, list(event.headers)

    def again(self) -> None:
        """The next request on the same connection."""
        self.h11.start_next_cycle()


class Node(Accepting):
    """An upstream that answers as the target says; `problems` is what h11 had to complain of."""

    def __init__(self) -> None:
        self.problems: list[str] = []
        self.requests: list[tuple[Any, bytes]] = []
        super().__init__()

    def serve_one(self, connection: socket.socket) -> None:
        peer = Peer(connection, h11.SERVER)
        with connection:
            try:
                # with enable_websocket a client's Connection: close comes through
                while self._one(peer) and peer.h11.our_state is h11.DONE:
                    peer.again()
            except h11.ProtocolError as error:
                self.problems.append(repr(error))
            except OSError:
                return

    def _one(self, peer: Peer) -> bool:
        first = peer.next()
        if isinstance(first, h11.ConnectionClosed):
            return False
        name = first.target.split(b"/")[2].decode()
        if name == "early":
            peer.send(
                h11.Response(status_code=403, headers=[("Content-Length", "5"), ("Connection", "close")]),
                h11.Data(b"early"),
            )
            peer.send(h11.EndOfMessage())
            return False
        content = b""
        while isinstance(event := peer.next(), h11.Data):
            content += event.data
        if any(name == b"upgrade" for name, _ in first.headers):
            return self._switch(peer)
        self.requests.append((first, content))
        return bool(getattr(self, "_" + name)(peer, first, content))

    def _echo(self, peer: Peer, first: Any, content: bytes) -> bool:
        length = ("Content-Length", str(len(content) or 4))
        peer.send(h11.Response(status_code=200, headers=[_TEXT, length]))
        if first.method != b"HEAD":
            peer.send(h11.Data(content or b"none"))
        peer.send(h11.EndOfMessage())
        return True

    def _chunks(self, peer: Peer, first: Any, content: bytes) -> bool:
        peer.send(
            h11.Response(status_code=200, headers=[_TEXT, ("Transfer-Encoding", "chunked"), ("Trailer", "X-Sum")])
        )
        if first.method != b"HEAD":
            for piece in (b"one ", b"two ", content or b"three"):
                peer.send(h11.Data(piece))
        peer.send(h11.EndOfMessage(headers=[("X-Sum", "3")] if first.method != b"HEAD" else []))
        return True

    def _until(self, peer: Peer, first: Any, content: bytes) -> bool:
        peer.send(h11.Response(status_code=200, headers=[_TEXT, ("Connection", "close")]), h11.Data(b"until close"))
        peer.send(h11.EndOfMessage())
        return False

    def _nothing(self, peer: Peer, first: Any, content: bytes) -> bool:
        peer.send(h11.Response(status_code=204, headers=[]), h11.EndOfMessage())
        return True

    def _switch(self, peer: Peer) -> bool:
        headers = [("Upgrade", "websocket"), ("Connection", "upgrade")]
        peer.send(h11.InformationalResponse(status_code=101, headers=headers))
        peer.socket.sendall(b"hello ")
        peer.socket.sendall(peer.h11.trailing_data[0] or peer.socket.recv(100))
        return False


@pytest.fixture(scope="module")
def node(gateway: Any) -> Iterator[Node]:
    made = Node()
    gateway.route("/h11/*", made.node, id_="h11", enable_websocket=True)
    yield made
    made.close()


@pytest.fixture
def client(gateway: Any, node: Node) -> Iterator[Peer]:
    """A connection to the gateway; in the end neither it nor the upstream's side had to complain."""
    node.problems.clear()
    node.requests.clear()
    with gateway.connect() as connection:
        yield Peer(connection, h11.CLIENT)
    assert node.problems == []


def ask(method: str, target: str, *headers: tuple[str, str], version: str = "1.1") -> h11.Request:
    """A request's head."""
    request = h11.Request(method=method, target=f"/h11/{target}", headers=[("Host", "h.test"), *headers])
    if version != "1.1":
        object.__setattr__(request, "http_version", version.encode())
    return request


def test_a_kept_connection_carries_every_kind_of_answer(client: Peer, node: Node) -> None:
    expected = {
        "echo": (200, b"none"),
        "chunks": (200, b"one two three"),
        "until": (200, b"until close"),
        "nothing": (204, b""),
    }
    for target in [*expected, *expected]:
        client.send(ask("GET", target), h11.EndOfMessage())
        head, content, trailers = client.message()
        assert (head.status_code, content) == expected[target]
        assert trailers == []  # nginx passes none on to HTTP/1
        client.again()


def test_pipelined_requests_are_answered_one_by_one(client: Peer, gateway: Any) -> None:
    writer = h11.Connection(h11.CLIENT)
    requests = b""
    for number in range(20):
        body = b"x" * number
        requests += writer.send(ask("POST", "echo", ("Content-Length", str(len(body))))) or b""
        requests += (writer.send(h11.Data(body)) or b"") + (writer.send(h11.EndOfMessage()) or b"")
        writer = h11.Connection(h11.CLIENT)
    client.socket.sendall(requests)
    for number in range(20):
        # h11's client must have asked for what it reads
        client.h11.send(ask("POST", "echo", ("Content-Length", "0")))
        client.h11.send(h11.EndOfMessage())
        head, content, _ = client.message()
        assert (head.status_code, content) == (200, b"x" * number or b"none")
        client.again()


@pytest.mark.parametrize("target", ["echo", "chunks"])
def test_chunks_and_trailers_of_a_client_arrive_whole(client: Peer, node: Node, target: str) -> None:
    client.send(ask("POST", target, ("Transfer-Encoding", "chunked"), ("Trailer", "X-T")))
    for piece in (b"a" * 10, b"b" * 70_000, b"c"):
        client.send(h11.Data(piece))
    client.send(h11.EndOfMessage(headers=[("X-T", "1")]))
    head, content, _ = client.message()
    whole = b"a" * 10 + b"b" * 70_000 + b"c"
    assert head.status_code == 200 and content.endswith(whole)
    asked, arrived = node.requests[-1]
    assert arrived == whole
    names = [name for name, _ in asked.headers]
    assert b"content-length" in names and b"transfer-encoding" not in names and b"x-t" not in names
    assert client.h11.our_state is h11.DONE


@pytest.mark.parametrize("target", ["echo", "chunks", "nothing"])
def test_head_has_no_body_and_the_connection_goes_on(client: Peer, target: str) -> None:
    for _ in range(2):
        client.send(ask("HEAD", target), h11.EndOfMessage())
        head, content, _ = client.message()
        assert head.status_code in (200, 204) and content == b""
        client.again()


def test_a_client_that_expects_a_100_gets_one(client: Peer) -> None:
    client.send(ask("PUT", "echo", ("Expect", "100-continue"), ("Content-Length", "4")))
    assert client.h11.they_are_waiting_for_100_continue is False  # that is the server's to say
    event = client.next()
    assert isinstance(event, h11.InformationalResponse) and event.status_code == 100
    client.send(h11.Data(b"body"), h11.EndOfMessage())
    assert client.message()[1] == b"body"


def test_a_refusal_instead_of_a_100_ends_the_request(client: Peer) -> None:
    """No route takes it, nobody reads the body: 404 at once, and a client that doesn't send it anyway hangs up."""
    request = h11.Request(
        method="PUT", target="/nowhere", headers=[("Host", "h"), ("Expect", "100-continue"), ("Content-Length", "4")]
    )
    client.send(request)
    head = client.next()
    assert isinstance(head, h11.Response) and head.status_code == 404
    assert client.interim == []


def test_an_answer_that_comes_before_the_body_is_sent_is_passed_on(client: Peer, gateway: Any) -> None:
    plugins = {"proxy-control": {"request_buffering": False}}
    node_address = gateway.admin.get("/routes/h11").json()["value"]["upstream"]["nodes"][0]
    gateway.route("/h11/early", f"{node_address['host']}:{node_address['port']}", id_="h11early", plugins=plugins)
    client.send(ask("POST", "early", ("Content-Length", "1000000")))
    client.send(h11.Data(b"x" * 1000))
    head, content, _ = client.message()
    assert (head.status_code, content) == (403, b"early")
    assert client.h11.our_state is h11.SEND_BODY


def test_http10_is_answered_until_the_end_of_the_connection(client: Peer) -> None:
    client.socket.sendall(b"GET /h11/chunks HTTP/1.0\r\nHost: h\r\n\r\n")
    # h11's client speaks 1.1; what it reads is judged all the same
    client.h11.send(ask("GET", "chunks"))
    client.h11.send(h11.EndOfMessage())
    head, content, _ = client.message()
    assert (head.status_code, content) == (200, b"one two three")
    assert client.h11.their_state in (h11.MUST_CLOSE, h11.CLOSED)
    assert isinstance(client.next(), h11.ConnectionClosed)


def test_http10_with_keep_alive_and_a_length_goes_on(client: Peer) -> None:
    for _ in range(2):
        client.socket.sendall(b"GET /h11/echo HTTP/1.0\r\nHost: h\r\nConnection: keep-alive\r\n\r\n")
        client.h11.send(ask("GET", "echo"))
        client.h11.send(h11.EndOfMessage())
        assert client.message()[1] == b"none"
        client.again()


def test_an_upgrade_switches_both_sides(client: Peer) -> None:
    client.send(ask("GET", "echo", ("Upgrade", "websocket"), ("Connection", "upgrade")), h11.EndOfMessage())
    head = client.next()
    assert isinstance(head, h11.InformationalResponse) and head.status_code == 101
    assert client.next() is h11.PAUSED
    received = client.h11.trailing_data[0]
    client.socket.sendall(b"there")
    while piece := client.socket.recv(100):
        received += piece
    assert received == b"hello there"


def test_close_is_said_and_done(client: Peer) -> None:
    client.send(ask("GET", "echo", ("Connection", "close")), h11.EndOfMessage())
    head, _, _ = client.message()
    assert (b"connection", b"close") in head.headers
    assert isinstance(client.next(), h11.ConnectionClosed)


def test_one_upstream_connection_serves_many_clients(gateway: Any, node: Node, client: Peer) -> None:
    before = node.connections
    for _ in range(10):
        with gateway.connect() as connection:
            peer = Peer(connection, h11.CLIENT)
            peer.send(ask("GET", "echo"), h11.EndOfMessage())
            assert peer.message()[0].status_code == 200
    assert node.connections <= before + 1
