"""HTTP/1 on the client's side, on live connections: framing, keep-alive, pipelining, bodies, refusals, slow readers."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

import pytest

from harness.wait import until

from .conftest import read_until, says  # type: ignore[import-not-found]


def _closed(connection: socket.socket) -> bool:
    return connection.recv(1) == b""


def test_two_requests_at_once_are_answered_in_order(gateway: Any, upstream: Callable[..., Any]) -> None:
    node = upstream(lambda up, to, request: to.sendall(_sized(request.split(b" ")[1])) or True)
    gateway.route("/pipe/*", node.node)
    answer = gateway.raw(
        b"GET /pipe/1 HTTP/1.1\r\nHost: h\r\n\r\nPOST /pipe/2 HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc"
        b"GET /pipe/3 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
    )
    assert [answer.index(b"/pipe/%d" % number) for number in (1, 2, 3)] == sorted(
        answer.index(b"/pipe/%d" % number) for number in (1, 2, 3)
    )
    assert answer.count(b"HTTP/1.1 200 OK") == 3


def _sized(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


def test_an_answer_without_length_is_chunked_and_the_connection_stays(gateway: Any, upstream: Any) -> None:
    node = upstream(says(b"HTTP/1.1 200 OK\r\n\r\nuntil close", keep=False))
    gateway.route("/until", node.node)
    with gateway.connect() as connection:
        for _ in range(2):
            connection.sendall(b"GET /until HTTP/1.1\r\nHost: h\r\n\r\n")
            answer = read_until(connection, b"0\r\n\r\n")
            assert b"Transfer-Encoding: chunked\r\n" in answer
            assert b"Connection: keep-alive\r\n" in answer
            assert b"b\r\nuntil close\r\n" in answer


def test_http10_gets_no_chunks(gateway: Any, upstream: Any) -> None:
    node = upstream(says(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"))
    gateway.route("/old", node.node)
    answer = gateway.raw(b"GET /old HTTP/1.0\r\n\r\n")
    assert answer.endswith(b"\r\n\r\nabc")
    assert b"chunked" not in answer


def test_http09_is_answered_bare(gateway: Any, upstream: Any) -> None:
    gateway.route("/bare", upstream().node)
    assert gateway.raw(b"GET /bare\r\n") == b"ok"


def test_head_has_the_length_but_no_body(gateway: Any, upstream: Any) -> None:
    node = upstream(says(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"))
    gateway.route("/head", node.node)
    answer = gateway.raw(b"HEAD /head HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
    assert b"Content-Length: 5\r\n" in answer
    assert answer.endswith(b"\r\n\r\n")
    assert node.seen[0].startswith(b"HEAD /head ")


def test_continue_is_said_before_the_body_is_sent(gateway: Any, upstream: Any) -> None:
    node = upstream()
    gateway.route("/continue", node.node)
    with gateway.connect() as connection:
        connection.sendall(b"PUT /continue HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n")
        assert read_until(connection, b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(b"body")
        assert b"200 OK" in read_until(connection, b"ok")
    assert node.seen[0].endswith(b"\r\n\r\nbody")
    assert b"Expect" not in node.seen[0]


def test_chunks_reach_the_upstream_with_a_length(gateway: Any, upstream: Any) -> None:
    node = upstream()
    gateway.route("/chunks", node.node)
    answer = gateway.raw(
        b"POST /chunks HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
        b"3\r\none\r\n4;x=y\r\n two\r\n0\r\nX-T: 1\r\n\r\n"
    )
    assert b"200 OK" in answer
    assert node.seen[0].endswith(b"\r\n\r\none two")
    assert b"Content-Length: 7\r\n" in node.seen[0]


def test_bad_chunks_are_the_gateways_own_400(gateway: Any, upstream: Any) -> None:
    node = upstream()
    gateway.route("/bad-chunks", node.node)
    answer = gateway.raw(b"POST /bad-chunks HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n")
    assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert b"Server: APISIX/3.18.0\r\n" in answer
    assert node.seen == []


def test_what_cant_be_read_is_openrestys_400(gateway: Any) -> None:
    answer = gateway.raw(b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\nDate: ") or b"Server: openresty\r\n" in answer
    assert answer.count(b"HTTP/1.1") == 1


def test_a_body_nobody_wants_is_read_away(gateway: Any) -> None:
    with gateway.connect() as connection:
        connection.sendall(b"POST /nowhere HTTP/1.1\r\nHost: h\r\nContent-Length: 300000\r\n\r\n" + b"x" * 100_000)
        first = read_until(connection, b"0\r\n\r\n")
        assert first.startswith(b"HTTP/1.1 404 Not Found\r\n")
        connection.sendall(b"x" * 200_000 + b"GET /nowhere HTTP/1.1\r\nHost: h\r\n\r\n")
        assert read_until(connection, b"0\r\n\r\n").startswith(b"HTTP/1.1 404 Not Found\r\n")


def test_large_bodies_both_ways(gateway: Any, upstream: Any) -> None:
    node = upstream(lambda up, to, request: to.sendall(_sized(request.partition(b"\r\n\r\n")[2])) or True)
    gateway.route("/large", node.node)
    body = bytes(range(256)) * 40_000  # more than the gateway keeps in memory
    answer = gateway.raw(
        b"POST /large HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    )
    assert answer.partition(b"\r\n\r\n")[2] == body


def test_a_slow_reader_holds_the_upstream_back(gateway: Any, upstream: Any) -> None:
    sent = [0]
    total = 64 * 1024 * 1024

    def pour(up: Any, to: socket.socket, request: bytes) -> bool:
        to.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % total)
        while sent[0] < total:
            sent[0] += to.send(b"x" * 65536)
        return False

    node = upstream(pour)
    gateway.route("/pour", node.node)
    with gateway.connect() as connection:
        connection.sendall(b"GET /pour HTTP/1.1\r\nHost: h\r\n\r\n")
        seen = [-1]

        def stalled() -> bool:
            before, seen[0] = seen[0], sent[0]
            return 0 < before == sent[0]

        until(stalled, 10, awaited="the upstream to be held back")
        assert sent[0] < total / 2
        received = 0
        while received < total:
            received += len(connection.recv(1 << 20))
    assert sent[0] == total


def test_server_sent_events_come_one_by_one(gateway: Any, upstream: Any) -> None:
    import threading

    go = threading.Semaphore(0)

    def events(up: Any, to: socket.socket, request: bytes) -> bool:
        to.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        for number in range(3):
            assert go.acquire(timeout=5)
            to.sendall(b"9\r\ndata: %d\n\n\r\n" % number)
        to.sendall(b"0\r\n\r\n")
        return True

    gateway.route("/events", upstream(events).node)
    with gateway.connect() as connection:
        connection.sendall(b"GET /events HTTP/1.1\r\nHost: h\r\n\r\n")
        for number in range(3):
            go.release()
            said = b""
            while b"data: %d\n\n" % number not in said:
                said += connection.recv(4096)


@pytest.mark.parametrize("said", [b"Connection: close\r\n", b"Connection: CLOSE\r\n"])
def test_close_closes(gateway: Any, upstream: Any, said: bytes) -> None:
    gateway.route("/close", upstream().node)
    with gateway.connect() as connection:
        connection.sendall(b"GET /close HTTP/1.1\r\nHost: h\r\n" + said + b"\r\n")
        assert b"Connection: close\r\n" in read_until(connection, b"ok")
        assert _closed(connection)


def test_a_thousand_requests_then_the_connection_ends(gateway: Any) -> None:
    with gateway.connect() as connection:
        for _ in range(999):
            connection.sendall(b"GET /none HTTP/1.1\r\nHost: h\r\n\r\n")
            assert b"Connection: keep-alive\r\n" in read_until(connection, b"0\r\n\r\n")
        connection.sendall(b"GET /none HTTP/1.1\r\nHost: h\r\n\r\n")
        assert b"Connection: close\r\n" in read_until(connection, b"0\r\n\r\n")
        assert _closed(connection)


def test_a_refusal_is_read_by_a_client_that_still_sends(gateway: Any) -> None:
    with gateway.connect() as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n")
        connection.sendall(b"x" * 4_000_000)  # nobody reads it, but it must not cost the answer
        assert connection.recv(65536).startswith(b"HTTP/1.1 400 Bad Request\r\n")
