"""The gateway's clock, moved: windows, tokens, breakers and health checks of a live gateway follow it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import jwt
import pytest

from harness.emulators.apisix import ApisixServer
from harness.wait import until


class Node:
    """An HTTP server that answers its status and counts by path."""

    def __init__(self) -> None:
        self.status = 200
        self.asked: list[str] = []
        node = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                node.asked.append(self.path)
                self.send_response(node.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture(scope="module")
def server() -> Iterator[ApisixServer]:
    with ApisixServer(seed=1) as server:
        yield server


@pytest.fixture
def node() -> Iterator[Node]:
    node = Node()
    yield node
    node.close()


@pytest.fixture
def other() -> Iterator[Node]:
    node = Node()
    yield node
    node.close()


@pytest.fixture(autouse=True)
def _reset(server: ApisixServer) -> Iterator[None]:
    yield
    server.reset()


def put(server: ApisixServer, path: str, value: dict[str, Any]) -> None:
    url = f"{server.admin_url}/apisix/admin/{path}"
    answer = httpx.put(url, json=value, headers={"X-API-KEY": server.admin_key}, timeout=10)
    assert answer.status_code < 300, answer.text


def statuses(server: ApisixServer, path: str, count: int = 1, **headers: str) -> list[int]:
    return [httpx.get(server.http_url + path, headers=headers, timeout=10).status_code for _ in range(count)]


def route(server: ApisixServer, path: str, *nodes: Node, upstream: Any = None, **plugins: Any) -> None:
    listed = {one.address: 1 for one in nodes}
    conf = {"type": "roundrobin", "nodes": listed, **(upstream or {})}
    put(server, "routes/" + path.strip("/"), {"uri": path, "plugins": plugins, "upstream": conf})


@pytest.mark.parametrize(
    ("name", "conf"),
    [
        ("limit-count", {"count": 2, "time_window": 3600, "rejected_code": 429, "key": "remote_addr"}),
        ("limit-req", {"rate": 0.001, "burst": 1, "nodelay": True, "rejected_code": 429, "key": "remote_addr"}),
    ],
)
def test_limits_are_renewed(server: ApisixServer, node: Node, name: str, conf: dict[str, Any]) -> None:
    route(server, "/limited", node, **{name: conf})
    assert statuses(server, "/limited", 3) == [200, 200, 429]
    server.advance(3601)
    assert statuses(server, "/limited", 3) == [200, 200, 429]


def test_tokens_expire(server: ApisixServer, node: Node) -> None:
    put(server, "consumers/tom", {"username": "tom", "plugins": {"jwt-auth": {"key": "tom", "secret": "s" * 32}}})
    route(server, "/token", node, **{"jwt-auth": {}})
    token = jwt.encode({"key": "tom", "exp": int(time.time()) + 600}, "s" * 32, algorithm="HS256")
    assert statuses(server, "/token", authorization=token) == [200]
    server.advance(601)
    assert statuses(server, "/token", authorization=token) == [401]


def test_a_breaker_closes_again(server: ApisixServer, node: Node) -> None:
    conf = {"break_response_code": 599, "max_breaker_sec": 300, "unhealthy": {"http_statuses": [500], "failures": 1}}
    route(server, "/breaker", node, **{"api-breaker": conf})
    node.status = 500
    assert statuses(server, "/breaker", 2) == [500, 599]
    node.status = 200
    assert statuses(server, "/breaker") == [599]
    server.advance(301)
    assert statuses(server, "/breaker") == [200]


def test_health_checks_come_due(server: ApisixServer, node: Node, other: Node) -> None:
    active = {
        "http_path": "/check",
        "healthy": {"interval": 600, "successes": 1},
        "unhealthy": {"interval": 600, "http_failures": 1},
    }
    route(server, "/checked", node, other, upstream={"checks": {"active": active}})
    statuses(server, "/checked")
    node.status = 500
    server.advance(601)
    until(lambda: "/check" in node.asked and "/check" in other.asked, 10, awaited="both nodes to be checked")
    until(lambda: statuses(server, "/checked", 4) == [200] * 4, 10, awaited="the sick node to be left out")
    node.status = 200
    node.asked.clear()
    server.advance(601)
    until(lambda: "/check" in node.asked, 10, awaited="the sick node to be checked again")
    until(lambda: statuses(server, "/checked", 2) and "/checked" in node.asked, 10, awaited="it to be back")
