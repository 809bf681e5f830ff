"""UDP pushes to v1 clients."""

from __future__ import annotations

import gzip
import json
import socket
from collections.abc import Iterator

import httpx
import pytest

from harness.emulators.nacos import NacosServer
from harness.emulators.nacos.udp import is_capable
from harness.wait import until

NODE = {"User-Agent": "Nacos-Java-Client:v1.0.0"}


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.settimeout(5)
        yield sock


def poll(http: httpx.Client, listener: socket.socket, headers: dict[str, str]) -> None:
    port = listener.getsockname()[1]
    params = {"serviceName": "s", "clusters": "DEFAULT", "clientIP": "127.0.0.1", "udpPort": port}
    http.get("/v1/ns/instance/list", params=params, headers=headers)


def test_a_change_is_pushed_and_acknowledged(nacos: NacosServer, http: httpx.Client, listener: socket.socket) -> None:
    poll(http, listener, NODE)
    http.post("/v1/ns/instance?serviceName=s&ip=1.1.1.1&port=1")
    packet, server = listener.recvfrom(65536)
    message = json.loads(packet)
    info = json.loads(message["data"])
    assert (message["type"], info["name"], info["clusters"]) == ("dom", "DEFAULT_GROUP@@s", "DEFAULT")
    assert [host["port"] for host in info["hosts"]] == [1]
    assert nacos.call(lambda node: len(node.site.udp._waiting)) == 1
    ack = {"type": "push-ack", "lastRefTime": message["lastRefTime"], "data": ""}
    listener.sendto(json.dumps(ack).encode(), server)
    until(lambda: nacos.call(lambda node: not node.site.udp._waiting), 5, awaited="the acknowledgement")


def test_large_packets_are_gzipped(http: httpx.Client, listener: socket.socket) -> None:
    poll(http, listener, NODE)
    http.post("/v1/ns/instance", params={"serviceName": "s", "ip": "1.1.1.1", "port": 1, "metadata": "a=" + "x" * 1000})
    packet = listener.recv(65536)
    assert packet[:2] == b"\x1f\x8b"
    assert json.loads(gzip.decompress(packet))["type"] == "dom"


@pytest.mark.emulator("it moves the clock")
def test_who_polls_no_longer_is_forgotten(nacos: NacosServer, http: httpx.Client, listener: socket.socket) -> None:
    poll(http, listener, NODE)
    assert http.get("/v1/ns/service/subscribers?serviceName=s").json()["count"] == 1
    nacos.advance(31)
    until(
        lambda: http.get("/v1/ns/service/subscribers?serviceName=s").json()["count"] == 0,
        5,
        awaited="the subscription to lapse",
    )


@pytest.mark.parametrize(
    ("agent", "capable"),
    [
        ("Nacos-Java-Client:v1.0.0", True),
        ("Nacos-Java-Client:v0.0.9", False),
        ("Nacos-Go-Client:v1.0.1", True),
        ("Nacos-C-Client:v1.0.11", False),
        ("Nacos-Python-Client:v1.0.0", False),
        ("curl/8", False),
        ("", False),
    ],
)
def test_who_listens_to_udp(agent: str, capable: bool) -> None:
    assert is_capable(agent) is capable
