"""HTTP/2 on the client's side: prior knowledge and ALPN, many streams, bodies, flow control, resets."""

from __future__ import annotations

import asyncio
import socket
import threading
from typing import Any

import h2.connection
import h2.events
import httpx

from .conftest import says  # type: ignore[import-not-found]
from .h2_client import H2Client  # type: ignore[import-not-found]


def client(gateway: Any) -> httpx.Client:
    return httpx.Client(base_url=gateway.server.http_url, http1=False, http2=True, timeout=10)


def test_get_and_post_by_prior_knowledge(gateway: Any, upstream: Any) -> None:
    node = upstream()
    gateway.route("/h2", node.node)
    with client(gateway) as http:
        answers = [http.get("/h2?a=1", headers={"X-A": "b"}), http.post("/h2", content=b"body")]
    assert [(answer.status_code, answer.http_version, answer.text) for answer in answers] == [(200, "HTTP/2", "ok")] * 2
    assert node.seen[0].startswith(b"GET /h2?a=1 HTTP/1.1\r\nHost: 127.0.0.1:")
    assert b"x-a: b\r\n" in node.seen[0].lower()
    assert node.seen[1].endswith(b"\r\n\r\nbody")


def test_a_body_larger_than_the_windows_both_ways(gateway: Any, upstream: Any) -> None:
    def back(up: Any, to: socket.socket, request: bytes) -> bool:
        body = request.partition(b"\r\n\r\n")[2]
        to.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
        return True

    gateway.route("/h2-large", upstream(back).node)
    body = bytes(range(256)) * 8192
    with client(gateway) as http:
        assert http.post("/h2-large", content=body).content == body


def test_our_own_answers(gateway: Any) -> None:
    with client(gateway) as http:
        missing = http.get("/nowhere")
        head = http.head("/nowhere")
    assert (missing.status_code, missing.json()) == (404, {"error_msg": "404 Route Not Found"})
    assert "transfer-encoding" not in missing.headers
    assert (head.status_code, head.content) == (404, b"")


def test_many_streams_on_one_connection(gateway: Any, upstream: Any) -> None:
    barrier = threading.Barrier(8, timeout=20)

    def together(up: Any, to: socket.socket, request: bytes) -> bool:
        barrier.wait()  # all are under way at once, or this breaks
        to.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        return True

    gateway.route("/h2-many", upstream(together).node)

    async def ask() -> list[int]:
        # in one thread: threads that share a client may send their streams' heads in another order than the ids
        url = gateway.server.http_url
        async with httpx.AsyncClient(base_url=url, http1=False, http2=True, timeout=30) as http:
            return [answer.status_code for answer in await asyncio.gather(*(http.get("/h2-many") for _ in range(8)))]

    assert asyncio.run(ask()) == [200] * 8


def test_chunked_upstream_and_an_answer_that_breaks_off(gateway: Any, upstream: Any) -> None:
    whole = upstream(says(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"))
    half = upstream(says(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", keep=False))
    gateway.route("/h2-whole", whole.node, id_="whole")
    gateway.route("/h2-half", half.node, id_="half")
    with client(gateway) as http:
        assert http.get("/h2-whole").text == "abc"
        try:
            http.get("/h2-half")
        except httpx.RemoteProtocolError:
            broke = True
        else:
            broke = False
    assert broke


def test_a_request_without_authority_is_a_400(gateway: Any) -> None:
    state = h2.connection.H2Connection()
    state.config.validate_outbound_headers = False
    state.initiate_connection()
    state.send_headers(
        1, [(":method", "GET"), (":path", "/"), (":scheme", "http"), (":authority", "a b")], end_stream=True
    )
    with gateway.connect() as connection:
        connection.sendall(state.data_to_send())
        status = ""
        while not status:
            for event in state.receive_data(connection.recv(65536)):
                if isinstance(event, h2.events.ResponseReceived):
                    status = dict(event.headers)[b":status"].decode()
    assert status == "400"


def test_nonsense_after_the_preface_ends_the_connection(gateway: Any) -> None:
    answer = gateway.raw(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\x00\x00\x01" + b"\x00" * 6 + b"x")
    assert answer  # settings, then GOAWAY


def test_a_switch_of_protocols_that_nobody_asked_for_is_a_502(gateway: Any, upstream: Any) -> None:
    gateway.route("/h2-101", upstream(says(b"HTTP/1.1 101 Sw\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nhi")).node)
    with H2Client(gateway.address) as http:
        stream = http.begin(path="/h2-101")
        http.send()
        assert http.status(stream) == "502"
