"""Probes over sockets of the loopback: what an answer is, whom they leave alone, and what a running server does."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

import httpx
import pytest

from harness.emulators.nacos import NacosServer
from harness.emulators.nacos.naming.model import ServiceKey
from harness.emulators.nacos.naming.probes import Answer, Outcome, Probe, Target
from harness.emulators.nacos.prober import LOOPBACK, Permitted, ask, request_of
from harness.errors import SpecError
from harness.ports import free_port
from harness.wait import until

KEY = ServiceKey("public", "G", "s")


@contextmanager
def answering(*answers: bytes, hold: bool = False) -> Iterator[tuple[int, list[bytes]]]:
    """A server that says these, one a connection: its port, and the requests it got. `hold` leaves them open."""
    got: list[bytes] = []
    held: list[socket.socket] = []
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:

        def serve() -> None:
            for answer in answers:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                got.append(connection.recv(65536))
                connection.sendall(answer)
                held.append(connection)
                if not hold:
                    connection.close()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listener.getsockname()[1], got
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()
    for connection in held:
        connection.close()


def http_probe(port: int, path: str = "/up", **headers: str) -> Probe:
    return Probe(1, "c", KEY, "HTTP", "127.0.0.1", port, path, headers)


def asked(probe: Probe) -> Answer:
    return asyncio.run(ask(probe, Permitted()))


def test_tcp() -> None:
    port = free_port()
    probe = Probe(1, "c", KEY, "TCP", "127.0.0.1", port)
    assert asked(probe) is Outcome.REFUSED
    with closing(socket.create_server(("127.0.0.1", port))):
        assert asked(probe) is Outcome.CONNECTED


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", 200),
        (b"HTTP/1.1 200 OK\r\n\r\nuntil it closes", 200),
        (b"HTTP/1.1 204 No Content\r\n\r\n", 204),
        (b"HTTP/1.1 503 Service Unavailable\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 503),
        (b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n", 302),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nok", Outcome.ERROR),
        (b"SSH-2.0-x\r\n", Outcome.ERROR),
        (b"", Outcome.ERROR),
    ],
)
def test_http(said: bytes, answer: Answer) -> None:
    with answering(said) as (port, _):
        assert asked(http_probe(port)) == answer


def test_http_that_is_silent() -> None:
    with answering(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", hold=True) as (port, _):
        assert asked(http_probe(port)) is Outcome.TIMEOUT


def test_the_request() -> None:
    with answering(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n") as (port, got):
        asked(http_probe(port, "/up?a=b", **{"X-Own": "1", "user-agent": "mine"}))
    assert got[0].decode().split("\r\n") == [
        "GET /up?a=b HTTP/1.1",
        f"Host: 127.0.0.1:{port}",
        "Connection: close",
        "Content-Type: application/json",
        "Accept-Charset: UTF-8",
        "User-Agent: mine",
        "X-Own: 1",
        "",
        "",
    ]


@pytest.mark.parametrize(("path", "headers"), [("/a b", {}), ("/\u00e4", {}), ("/", {"A": "1\r\nB: 2"})])
def test_what_a_request_cannot_hold_is_not_sent(path: str, headers: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="can't hold"):
        request_of(Target("127.0.0.1", 1, path), headers)


def test_redirects_are_followed_but_not_in_circles_nor_away() -> None:
    ok = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
    with answering(_moved("/b"), ok) as (port, got):
        assert asked(http_probe(port)) == 200
    assert got[1].startswith(b"GET /b ")
    with answering(_moved("/b"), _moved("/b")) as (port, _):
        assert asked(http_probe(port)) is Outcome.ERROR
    with answering(_moved("http://10.0.0.1/")) as (port, _):
        assert asked(http_probe(port)) is Outcome.ERROR


def _moved(where: str) -> bytes:
    return f"HTTP/1.1 302 Found\r\nLocation: {where}\r\nContent-Length: 0\r\n\r\n".encode()


# -- whom they leave alone ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("networks", "host", "permitted"),
    [
        (LOOPBACK, "127.0.0.1", True),
        (LOOPBACK, "127.9.9.9", True),
        (LOOPBACK, "::1", True),
        (LOOPBACK, "localhost", True),
        (LOOPBACK, "10.0.0.1", False),
        (LOOPBACK, "0.0.0.0", False),
        (LOOPBACK, "::ffff:10.0.0.1", False),
        (LOOPBACK, "127.1", False),
        (LOOPBACK, "example.com", False),
        (LOOPBACK, "", False),
        (("10.0.0.0/8",), "10.0.0.1", True),
        (("10.0.0.0/8",), "127.0.0.1", False),
        (("10.0.0.0/8",), "example.com", False),
        (("0.0.0.0/0",), "example.com", True),
        ((), "127.0.0.1", False),
    ],
)
def test_the_loopback_alone_unless_networks_are_named(networks: tuple[str, ...], host: str, permitted: bool) -> None:
    assert Permitted(networks)(host) is permitted


def test_a_bad_network_is_told() -> None:
    with pytest.raises(SpecError, match="can be probed"):
        NacosServer(probe=["10.0.0.1/8"]).start()


# -- a running server --------------------------------------------------------------------------------------------------


@pytest.fixture
def hosts(nacos: NacosServer, http: httpx.Client) -> Callable[[], list[bool]]:
    def healthy() -> list[bool]:
        listed = http.get("/v1/ns/instance/list", params={"serviceName": "s"}).json()["hosts"]
        return [one["healthy"] for one in listed]

    return healthy


def test_an_instance_falls_ill_and_recovers(
    nacos: NacosServer, http: httpx.Client, hosts: Callable[[], list[bool]]
) -> None:
    port = free_port()
    http.post("/v1/ns/instance", params=_place(port))
    assert hosts() == [True]
    nacos.advance(7)
    until(lambda: hosts() == [False], 5, awaited="an instance that nobody serves to be unhealthy")
    catalog = http.get("/v1/ns/catalog/instances", params={"serviceName": "s", "clusterName": "DEFAULT"})
    assert [one["healthy"] for one in catalog.json()["list"]] == [False]
    with closing(socket.create_server(("127.0.0.1", port))):
        nacos.advance(30)
        until(lambda: hosts() == [True], 5, awaited="an instance that is served again to be healthy")


def test_http_checks_as_a_cluster_asks(nacos: NacosServer, http: httpx.Client) -> None:
    gone = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
    with answering(*[gone] * 5) as (port, got):
        http.post("/v1/ns/instance", params=_place(1, healthy="true"))
        checker = {"type": "HTTP", "path": "up", "headers": "X-Own:1"}
        cluster = {"clusterName": "DEFAULT", "checkPort": port, "useInstancePort4Check": "false"}
        settings = {"serviceName": "s", "healthChecker": json.dumps(checker), **cluster}
        assert http.put("/v1/ns/cluster", params=settings).text == "ok"
        nacos.advance(7)
        until(lambda: _catalog(http) == [False], 5, awaited="an instance whose page is gone to be unhealthy")
    assert got[0].startswith(b"GET /up HTTP/1.1\r\n")
    assert b"\r\nX-Own: 1\r\n" in got[0]


def test_subscribers_are_told(nacos: NacosServer, http: httpx.Client, grpc_client: Callable[[], Any]) -> None:
    client = grpc_client()
    client.set_up()
    http.post("/v1/ns/instance", params=_place(free_port()))
    client.ask("SubscribeServiceRequest", {"serviceName": "s", "groupName": "DEFAULT_GROUP", "subscribe": True})
    nacos.advance(7)
    client.until_pushed(lambda info: [one["healthy"] for one in info["hosts"]] == [False])


def test_addresses_elsewhere_keep_their_health(nacos: NacosServer, http: httpx.Client) -> None:
    port = free_port()
    for ip, name in (("10.0.0.1", "elsewhere"), ("127.0.0.1", "s")):
        http.post("/v1/ns/instance", params={**_place(port), "ip": ip, "serviceName": name})
    nacos.advance(60)
    until(lambda: _catalog(http) == [False], 5, awaited="the instance on the loopback to be unhealthy")
    assert _catalog(http, "elsewhere") == [True]


def test_a_reset_starts_anew(nacos: NacosServer, http: httpx.Client) -> None:
    port = free_port()
    http.post("/v1/ns/instance", params=_place(port))
    saved = nacos.snapshot()
    nacos.advance(3600)
    until(lambda: _catalog(http) == [False], 5, awaited="the instance to be unhealthy")
    nacos.restore(saved)
    assert _catalog(http) == [True]
    nacos.advance(7)
    until(lambda: _catalog(http) == [False], 5, awaited="the instance to be unhealthy again")


def _place(port: int, **more: str) -> dict[str, Any]:
    return {"serviceName": "s", "ip": "127.0.0.1", "port": port, "ephemeral": "false", **more}


def _catalog(http: httpx.Client, service: str = "s") -> list[bool]:
    listed = http.get("/v1/ns/catalog/instances", params={"serviceName": service, "clusterName": "DEFAULT"})
    return [one["healthy"] for one in listed.json()["list"]]
