"""Requests' bodies on their way to the upstream: out of a file, or streamed; slow sides, early answers, nonsense."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import h2.events
import httpx
import pytest

from harness.emulators.apisix.proxy.body import IN_MEMORY
from harness.emulators.apisix.proxy.upload import JOINED
from harness.wait import until

from .conftest import Accepting, read_until, says  # type: ignore[import-not-found]
from .h2_client import H2Client  # type: ignore[import-not-found]

_OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
_UNBUFFERED = {"proxy-control": {"request_buffering": False}}
Serve = Callable[[socket.socket], None]


class Raw(Accepting):
    """A server whose connections are served by a function, from the first byte on."""

    def __init__(self, serve: Serve) -> None:
        self._serve = serve
        super().__init__()

    def serve_one(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            self._serve(connection)


@pytest.fixture
def raw() -> Iterator[Callable[[Serve], Raw]]:
    made: list[Raw] = []

    def make(serve: Serve) -> Raw:
        made.append(Raw(serve))
        return made[-1]

    yield make
    for one in made:
        one.close()


def large(extra: int = 1000) -> bytes:
    """More than is kept in memory."""
    return bytes(range(251)) * ((IN_MEMORY + extra) // 251 + 1)


@pytest.mark.parametrize("size", [JOINED, JOINED + 1, 1_000_000, IN_MEMORY, IN_MEMORY + 1])
def test_a_body_is_sent_again_to_the_next_node_whole(gateway: Any, upstream: Any, size: int) -> None:
    bad, good = upstream(lambda up, to, request: False), upstream()
    gateway.route("/file", bad.node, good.node)
    body = large()[:size]
    answer = httpx.put(gateway.server.http_url + "/file", content=body, timeout=20)
    assert answer.status_code == 200
    assert [node.seen[0].partition(b"\r\n\r\n")[2] == body for node in (bad, good)] == [True, True]


def test_a_slow_upstream_gets_a_large_body_whole(gateway: Any, raw: Any) -> None:
    got = bytearray()
    size = len(large())
    go = threading.Event()

    def slow(connection: socket.socket) -> None:
        read_until(connection, b"\r\n\r\n")
        assert go.wait(10)
        while len(got) < size:
            got.extend(connection.recv(1 << 20))
        connection.sendall(_OK)

    def read_until(connection: socket.socket, end: bytes) -> None:
        held = b""
        while end not in held:
            held += connection.recv(65536)
        got.extend(held.partition(end)[2])

    gateway.route("/slow-upload", raw(slow).node)
    threading.Timer(0.1, go.set).start()
    answer = httpx.post(gateway.server.http_url + "/slow-upload", content=large(), timeout=20)
    assert answer.status_code == 200
    assert bytes(got) == large()


@pytest.mark.parametrize("coded", ["length", "chunks"])
def test_unbuffered_pieces_reach_the_upstream_as_they_come(gateway: Any, raw: Any, coded: str) -> None:
    got = bytearray()

    def serve(connection: socket.socket) -> None:
        while not got.endswith((b"three", b"0\r\n\r\n")):
            got.extend(connection.recv(65536))
        connection.sendall(_OK)

    gateway.route("/stream", raw(serve).node, plugins=_UNBUFFERED)
    with gateway.connect() as client:
        head = "Content-Length: 11" if coded == "length" else "Transfer-Encoding: chunked"
        client.sendall(f"POST /stream HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n{head}\r\n\r\n".encode())
        assert read_until(client, b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        for piece in (b"one", b"two", b"three"):
            client.sendall(piece if coded == "length" else b"%x\r\n%b\r\n" % (len(piece), piece))
            until(lambda piece=piece: piece in got, 5, awaited=f"{piece!r} at the upstream")  # type: ignore[misc]
        if coded == "chunks":
            client.sendall(b"0\r\n\r\n")
        assert read_until(client, b"ok").startswith(b"HTTP/1.1 200 OK\r\n")
    wanted = b"\r\nContent-Length: 11\r\n" if coded == "length" else b"\r\nTransfer-Encoding: chunked\r\n"
    assert wanted in got
    assert got.endswith(b"\r\n\r\nonetwothree" if coded == "length" else b"3\r\ntwo\r\n5\r\nthree\r\n0\r\n\r\n")


def test_unbuffered_over_http2(gateway: Any, raw: Any) -> None:
    got = bytearray()

    def serve(connection: socket.socket) -> None:
        while not got.endswith(b"0\r\n\r\n"):
            got.extend(connection.recv(65536))
        connection.sendall(_OK)

    gateway.route("/stream2", raw(serve).node, plugins=_UNBUFFERED)
    body = b"x" * 300_000
    with H2Client(gateway.address) as http:
        stream = http.begin(end=False, path="/stream2", method="POST")
        http.connection.send_data(stream, b"first")
        http.send()
        until(lambda: b"first" in got, 5, awaited="the first piece at the upstream")
        sent = 0
        while sent < len(body):
            room = min(http.connection.local_flow_control_window(stream), 16384, len(body) - sent)
            if room:
                http.connection.send_data(stream, body[sent : sent + room])
                sent += room
                http.send()
            else:
                http.read()
        http.connection.end_stream(stream)
        http.send()
        assert http.status(stream) == "200"
        assert http.body(stream) == b"ok"
    assert got.count(b"x") >= len(body)


def test_a_slow_upstream_holds_an_unbuffered_client_back(gateway: Any, raw: Any) -> None:
    go = threading.Event()
    total = 64 * 1024 * 1024

    def serve(connection: socket.socket) -> None:
        assert go.wait(20)
        got = 0
        while got < total:
            got += len(connection.recv(1 << 20))
        connection.sendall(_OK)

    gateway.route("/held", raw(serve).node, plugins=_UNBUFFERED)
    sent = [0]
    with gateway.connect() as client:
        client.settimeout(20)
        client.sendall(b"POST /held HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n" % total)

        def pour() -> None:
            while sent[0] < total:
                sent[0] += client.send(b"x" * min(65536, total - sent[0]))

        pouring = threading.Thread(target=pour)
        pouring.start()
        seen = [-1]

        def stalled() -> bool:
            before, seen[0] = seen[0], sent[0]
            return 0 < before == sent[0]

        until(stalled, 10, awaited="the client to be held back")
        assert sent[0] < total / 2
        go.set()
        assert read_until(client, b"ok").startswith(b"HTTP/1.1 200 OK\r\n")
        pouring.join()


def test_nonsense_in_an_unbuffered_body_is_a_400_and_ends_the_upstreams_request(gateway: Any, raw: Any) -> None:
    begun, ended = threading.Event(), threading.Event()

    def serve(connection: socket.socket) -> None:
        got = b""
        with contextlib.suppress(OSError):
            while piece := connection.recv(65536):
                got += piece
                if b"one" in got:
                    begun.set()
        if not got.endswith(b"0\r\n\r\n"):
            ended.set()

    gateway.route("/nonsense", raw(serve).node, plugins=_UNBUFFERED)
    with gateway.connect() as client:
        client.sendall(b"POST /nonsense HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n")
        assert begun.wait(5)
        client.sendall(b"zz\r\n")
        assert read_until(client, b"</html>\r\n").startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert ended.wait(5)


def test_an_unbuffered_body_over_the_limit_is_a_413(gateway: Any, raw: Any) -> None:
    plugins = {**_UNBUFFERED, "client-control": {"max_body_size": 1000}}

    def serve(connection: socket.socket) -> None:
        while connection.recv(65536):
            pass

    gateway.route("/over", raw(serve).node, plugins=plugins)
    with gateway.connect() as client:
        client.sendall(b"POST /over HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n")
        client.sendall(b"800\r\n" + b"x" * 0x800 + b"\r\n")
        assert read_until(client, b"</html>\r\n").startswith(b"HTTP/1.1 413 Request Entity Too Large\r\n")


def test_a_connection_with_half_a_body_on_it_is_used_by_nobody_else(gateway: Any, raw: Any) -> None:
    def early(connection: socket.socket) -> None:
        held = b""
        while b"\r\n\r\n" not in held:
            held += connection.recv(65536)
        connection.sendall(_OK)
        connection.recv(1)

    server = raw(early)
    gateway.route("/early", server.node, plugins=_UNBUFFERED)
    with gateway.connect() as client:
        client.sendall(b"POST /early HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\nhalf")
        assert b"200 OK" in read_until(client, b"ok")
        client.sendall(b"x" * 96 + b"GET /early HTTP/1.1\r\nHost: h\r\n\r\n")
        assert b"200 OK" in read_until(client, b"ok")
    assert server.connections == 2


def test_a_413_is_read_by_a_client_that_still_sends(gateway: Any, upstream: Any) -> None:
    gateway.route("/limit", upstream().node, plugins={"client-control": {"max_body_size": 10}})
    size = 8 * 1024 * 1024
    with gateway.connect() as client:
        client.sendall(b"POST /limit HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n" % size)
        client.sendall(b"x" * size)  # the answer is there long before: it isn't lost to a reset
        assert client.recv(65536).startswith(b"HTTP/1.1 413 Request Entity Too Large\r\n")


def test_a_413_over_http2(gateway: Any, upstream: Any) -> None:
    gateway.route("/limit2", upstream(says(_OK)).node, plugins={"client-control": {"max_body_size": 10}})
    with H2Client(gateway.address) as http:
        stream = http.begin(("content-length", "50000"), end=False, path="/limit2", method="POST")
        http.connection.send_data(stream, b"x" * 16384)
        http.send()
        assert http.status(stream) == "413"
        http.until(h2.events.StreamReset, stream)


@pytest.mark.parametrize("coded", ["Content-Length", "chunked"])
def test_a_plugins_own_reading_has_the_limit_too(gateway: Any, upstream: Any, coded: str) -> None:
    """The body is all there before the plugin asks for it, and client-control comes before that."""
    read = {"phase": "access", "functions": ["return function(conf, ctx) ngx.req.read_body() end"]}
    plugins = {"serverless-post-function": read, "client-control": {"max_body_size": 10}}
    node = upstream()
    gateway.route("/upload-read", node.node, id_="uploadread", plugins=plugins)
    framing = b"Content-Length: %d" if coded == "Content-Length" else b"Transfer-Encoding: chunked"
    for size, status in ((10, b"200"), (11, b"413")):
        content = b"x" * size
        head = b"POST /upload-read HTTP/1.1\r\nHost: h\r\nConnection: close\r\n"
        head += framing % size if coded == "Content-Length" else framing
        body = content if coded == "Content-Length" else b"%x\r\n%b\r\n0\r\n\r\n" % (size, content)
        assert gateway.raw(head + b"\r\n\r\n" + body).startswith(b"HTTP/1.1 " + status)
    assert len(node.seen) == 1
