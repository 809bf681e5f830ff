"""The way to the upstream: kept connections, tries, time-outs, what breaks off, WebSocket."""

from __future__ import annotations

import base64
import socket
import threading
from typing import Any

import httpx
import pytest

from harness.wait import until

from .conftest import Upstream, read_until, says  # type: ignore[import-not-found]

CLOSED = "127.0.0.1:9"


def get(gateway: Any, path: str, **more: Any) -> httpx.Response:
    return httpx.get(gateway.server.http_url + path, timeout=10, **more)


def drop(up: Upstream, to: socket.socket, request: bytes) -> bool:
    return False


def test_connections_are_kept(gateway: Any, upstream: Any) -> None:
    node = upstream()
    gateway.route("/kept", node.node)
    assert [get(gateway, "/kept").status_code for _ in range(5)] == [200] * 5
    assert node.connections == 1


def test_the_head_that_the_upstream_gets(gateway: Any, upstream: Any) -> None:
    node = upstream()
    gateway.route("/seen", node.node)
    gateway.raw(
        b"GET /seen?a=%20 HTTP/1.1\r\nHost: H.test:81\r\nX-A: 1\r\nConnection: close\r\nX-Forwarded-For: 1.2.3.4\r\n"
        b"X-Forwarded-Proto: https\r\nTE: trailers\r\nForwarded: for=x\r\n\r\n"
    )
    assert node.seen == [
        b"GET /seen?a=%20 HTTP/1.1\r\nHost: H.test:81\r\n"
        b"X-Real-IP: 127.0.0.1\r\nX-Forwarded-For: 1.2.3.4, 127.0.0.1\r\n"
        b"X-A: 1\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Host: H.test:81\r\nX-Forwarded-Port: 81\r\n\r\n"
    ]


def test_a_refused_connection_is_tried_at_the_next_node(gateway: Any, upstream: Any) -> None:
    node = upstream()
    gateway.route("/next", CLOSED, node.node)
    answer = httpx.post(gateway.server.http_url + "/next", content=b"kept", timeout=10)
    assert answer.status_code == 200
    assert node.seen[0].endswith(b"kept")


def test_a_dropped_get_is_repeated_but_a_post_is_not(gateway: Any, upstream: Any) -> None:
    bad, good = upstream(drop), upstream()
    gateway.route("/drop", bad.node, good.node)
    assert get(gateway, "/drop").status_code == 200
    refused = httpx.post(gateway.server.http_url + "/drop", content=b"x", timeout=10)
    assert (refused.status_code, refused.headers["x-apisix-upstream-status"]) == (502, "502")
    assert len(good.seen) == 1


def test_all_tries_are_told(gateway: Any) -> None:
    gateway.route("/none-left", CLOSED, "127.0.0.1:7")
    answer = get(gateway, "/none-left")
    assert (answer.status_code, answer.headers["x-apisix-upstream-status"]) == (502, "502, 502")
    assert answer.headers["server"] == "APISIX/3.18.0"
    tries = gateway.server.journal(1)[0]["upstream"]["tries"]
    assert [attempt["node"] for attempt in tries] == [CLOSED, "127.0.0.1:7"]


def test_a_slow_answer_is_a_504(gateway: Any, upstream: Any) -> None:
    never = threading.Event()
    node = upstream(lambda up, to, request: never.wait(5))
    gateway.route("/slow", node.node, upstream={"timeout": {"connect": 1, "send": 1, "read": 0.1}, "retries": 0})
    answer = get(gateway, "/slow")
    assert (answer.status_code, answer.headers["x-apisix-upstream-status"]) == (504, "504")
    never.set()


def test_an_answer_that_breaks_off_breaks_off(gateway: Any, upstream: Any) -> None:
    node = upstream(says(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf", keep=False))
    gateway.route("/half", node.node)
    answer = gateway.raw(b"GET /half HTTP/1.1\r\nHost: h\r\n\r\n")
    assert answer.endswith(b"half")


def test_no_http_is_passed_on_bare(gateway: Any, upstream: Any) -> None:
    node = upstream(says(b"this is not http", keep=False))
    gateway.route("/garbage", node.node)
    assert gateway.raw(b"GET /garbage HTTP/1.1\r\nHost: h\r\n\r\n") == b"this is not http"


def test_interim_answers_are_passed_over(gateway: Any, upstream: Any) -> None:
    node = upstream(says(b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"))
    gateway.route("/interim", node.node)
    assert get(gateway, "/interim").text == "ok"


def test_a_client_that_leaves_ends_the_request(gateway: Any, upstream: Any) -> None:
    arrived, left = threading.Event(), threading.Event()

    def wait(up: Upstream, to: socket.socket, request: bytes) -> bool:
        arrived.set()
        to.settimeout(10)
        if to.recv(1) == b"":
            left.set()
        return False

    gateway.route("/leave", upstream(wait).node)
    before = len(gateway.server.journal(500))
    with gateway.connect() as connection:
        connection.sendall(b"GET /leave HTTP/1.1\r\nHost: h\r\n\r\n")
        assert arrived.wait(10)
    assert left.wait(10)
    until(lambda: len(gateway.server.journal(500)) > before, 5, awaited="the journal")
    assert gateway.server.journal(1)[0]["response"]["status"] == 499


def test_a_killed_replica_under_traffic_fails_no_get(gateway: Any, upstream: Any) -> None:
    doomed, other = upstream(), upstream()
    nodes = {doomed.node: 1, other.node: 1}
    gateway.put("routes/kill", {"uri": "/kill", "upstream": {"type": "roundrobin", "nodes": nodes}})
    with httpx.Client(base_url=gateway.server.http_url, timeout=10) as client:
        statuses = [client.get("/kill").status_code for _ in range(20)]
        doomed.close()
        statuses += [client.get("/kill").status_code for _ in range(40)]
    assert set(statuses) == {200}


def test_a_change_of_routes_under_traffic_fails_no_request(gateway: Any, upstream: Any) -> None:
    node = upstream()
    statuses: list[int] = []
    stop = threading.Event()
    gateway.route("/change", node.node)

    def ask() -> None:
        with httpx.Client(base_url=gateway.server.http_url, timeout=10) as client:
            while not stop.is_set():
                statuses.append(client.get("/change").status_code)

    asking = threading.Thread(target=ask)
    asking.start()
    until(lambda: bool(statuses), 10, awaited="the first answer")
    for number in range(30):
        gateway.route("/change", node.node, desc=str(number))
    stop.set()
    asking.join()
    assert set(statuses) == {200}


def echo_frames(up: Upstream, to: socket.socket, request: bytes) -> bool:
    to.sendall(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nX-Up: 1\r\n\r\n")
    while data := to.recv(65536):
        to.sendall(data.upper())
    return False


def test_websocket_goes_both_ways(gateway: Any, upstream: Any) -> None:
    node = upstream(echo_frames)
    gateway.route("/ws", node.node, enable_websocket=True)
    key = base64.b64encode(b"0" * 16)
    with gateway.connect() as connection:
        connection.sendall(
            b"GET /ws HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: "
            + key
            + b"\r\n\r\n"
        )
        head = read_until(connection, b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101 Switching Protocols\r\n")
        assert b"X-Up: 1\r\n" in head
        for message in (b"one", b"x" * 200_000):
            connection.sendall(message)
            got = b""
            while len(got) < len(message):
                got += connection.recv(65536)
            assert got == message.upper()
    assert b"Upgrade: websocket\r\nConnection: Upgrade\r\n" in node.seen[0]


def test_without_enable_websocket_the_upgrade_stays_here(gateway: Any, upstream: Any) -> None:
    node = upstream()
    gateway.route("/no-ws", node.node)
    gateway.raw(b"GET /no-ws HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade, close\r\n\r\n")
    assert b"pgrade" not in node.seen[0]


@pytest.mark.parametrize("scheme", ["rewrite", "node", "pass"])
def test_pass_host(gateway: Any, upstream: Any, scheme: str) -> None:
    node = upstream()
    more = {"pass_host": scheme} | ({"upstream_host": "other.test"} if scheme == "rewrite" else {})
    gateway.route("/host", node.node, upstream=more)
    get(gateway, "/host", headers={"Host": "asked.test"})
    wanted = {"rewrite": "other.test", "node": node.node, "pass": "asked.test"}[scheme]
    assert f"Host: {wanted}\r\n".encode() in node.seen[0]


def once(up: Upstream, to: socket.socket, request: bytes) -> bool:
    """Answers the first request of a connection and hangs up on the second."""
    if getattr(up, "answered", None) == to.fileno():
        return False
    up.answered = to.fileno()
    to.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    return True


def test_a_kept_connection_that_was_closed_is_a_try_like_any_other(gateway: Any, upstream: Any) -> None:
    # nginx would try again for nothing; OpenResty's balancer takes that back (ngx_http_lua_balancer_notify_peer)
    gateway.route("/stale", upstream(once).node)
    assert [get(gateway, "/stale").status_code for _ in range(4)] == [200, 502, 200, 502]


@pytest.mark.parametrize(
    ("conf", "statuses"),
    [
        ({"retries": 1}, "502, 502"),
        ({"retries": 5}, "502, 502 :"),
    ],
)
def test_a_try_for_which_no_node_is_left_is_told(gateway: Any, conf: dict[str, Any], statuses: str) -> None:
    gateway.route("/tries", CLOSED, "127.0.0.1:7", upstream=conf)
    answer = get(gateway, "/tries")
    assert (answer.status_code, answer.headers["x-apisix-upstream-status"].strip()) == (502, statuses)


def test_after_the_retry_timeout_it_is_the_balancers_502(gateway: Any, upstream: Any) -> None:
    never = threading.Event()
    slow = [upstream(lambda up, to, request: never.wait(5)).node for _ in range(3)]
    timeout = {"connect": 1, "send": 1, "read": 0.2}
    gateway.route("/late", *slow, upstream={"timeout": timeout, "retry_timeout": 0.1})
    answer = get(gateway, "/late")
    never.set()
    assert (answer.status_code, answer.headers["x-apisix-upstream-status"].strip()) == (502, "504 :")
