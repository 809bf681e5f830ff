"""Clients that do not read: others are served as ever, and what waits for them is bounded."""

from __future__ import annotations

import json
import resource
import socket
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.emulators.nacos import NacosServer
from harness.emulators.nacos.grpc import wire
from harness.emulators.nacos.grpc.connections import LAZY_BACKLOG
from harness.emulators.nacos.grpc.transport import HIGH_WATER
from harness.wait import until

Clients = Callable[[], Any]
SERVICE = {"namespace": "public", "groupName": "G", "serviceName": "s"}
#: 64 pushes of about this size would be 32 MB for each client.
FILLER = "x" * 1000


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def head(path: bytes) -> bytes:
    pairs = ((b":method", b"POST"), (b":scheme", b"http"), (b":path", path), (b":authority", b"x"))
    return b"".join(b"\0" + bytes([len(one)]) + one + bytes([len(two)]) + two for one, two in pairs)


def message(kind: str, body: object) -> bytes:
    data = wire.encode(kind, json.dumps(body).encode())
    return b"\0" + struct.pack(">I", len(data)) + data


class Deaf:
    """A raw client that subscribes and then reads nothing; `window` is what it allows to be sent unread."""

    def __init__(self, port: int, window: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.settimeout(10)
        self.socket.sendall(
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
            + frame(4, 0, 0, struct.pack(">HI", 4, window))
            + (frame(8, 0, 0, struct.pack(">I", window - 65535)) if window > 65535 else b"")
            + frame(1, 4, 1, head(b"/BiRequestStream/requestBiStream"))
            + frame(0, 0, 1, message("ConnectionSetupRequest", {"clientVersion": "deaf"}))
            + self.call(3, "SubscribeServiceRequest", {**SERVICE, "subscribe": True})
        )

    @staticmethod
    def call(stream: int, kind: str, body: object) -> bytes:
        return frame(1, 4, stream, head(b"/Request/request")) + frame(0, 1, stream, message(kind, body))


@pytest.fixture
def deaf(nacos: NacosServer) -> Iterator[Callable[[int], Deaf]]:
    made = []

    def make(window: int) -> Deaf:
        made.append(Deaf(nacos.grpc_port, window))
        return made[-1]

    yield make
    for one in made:
        one.socket.close()


def resident() -> float:
    """MiB that this process, with the server in it, holds."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / (1 << 20)


def register(client: Any, run: int) -> None:
    """Half a megabyte of instances."""
    many = [{"ip": "1.1.1.1", "port": port, "metadata": {"run": str(run), "x": FILLER}} for port in range(1, 401)]
    body = {**SERVICE, "type": "batchRegisterInstance", "instances": many}
    assert client.ask("BatchInstanceRequest", body)["success"]


@pytest.mark.parametrize("window", [65535, (1 << 31) - 1], ids=["by flow control", "by the socket"])
def test_subscribers_that_read_nothing(
    grpc_client: Clients, nacos: NacosServer, deaf: Callable[[int], Deaf], window: int
) -> None:
    reading, working = grpc_client(), grpc_client()
    reading.set_up()
    working.set_up()
    reading.ask("SubscribeServiceRequest", {**SERVICE, "subscribe": True})
    silent = [deaf(window) for _ in range(4)]
    until(lambda: len(nacos.connections()) == 6, 5, awaited="the deaf clients")
    register(working, 0)
    before = resident()
    for run in range(1, 30):
        register(working, run)
        until(
            lambda run=run: any(
                host["metadata"]["run"] == str(run)
                for push in reading.pushed("NotifySubscriberRequest")[-1:]
                for host in push["serviceInfo"]["hosts"][:1]
            ),
            5,
            awaited="the push to the one who reads",
        )
        reading.pushes.clear()
    waiting = nacos.call(lambda node: [_waiting(link) for link in node.site.connections.links()])
    assert max(waiting) <= HIGH_WATER + LAZY_BACKLOG + (2 << 20), waiting
    assert resident() - before < 60
    assert len(silent) == 4


def _waiting(link: Any) -> int:
    held = link._transport.get_write_buffer_size() if link._transport else 0
    return int(held) + sum(stream.backlog for stream in link.streams.values())


def test_who_asks_and_does_not_read_is_not_read_from(
    grpc_client: Clients, nacos: NacosServer, deaf: Callable[[int], Deaf]
) -> None:
    witness = grpc_client()
    witness.set_up()
    register(witness, 0)
    greedy = deaf((1 << 31) - 1)
    greedy.socket.settimeout(0.5)
    with pytest.raises(TimeoutError):
        for stream in range(5, 2_000_001, 2):
            greedy.socket.sendall(Deaf.call(stream, "ServiceQueryRequest", SERVICE))
    assert witness.ask("HealthCheckRequest")["success"]
    waiting = nacos.call(lambda node: [_waiting(link) for link in node.site.connections.links()])
    assert max(waiting) < 16 << 20, waiting


def test_a_subscriber_that_reads_again_gets_the_newest_state(
    grpc_client: Clients, nacos: NacosServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    from harness.emulators.nacos.grpc import connections, pushing

    monkeypatch.setattr(connections, "LAZY_BACKLOG", 0)
    monkeypatch.setattr(pushing, "NAMING_ACK_SECONDS", 0.2)
    client = grpc_client()
    client.set_up()
    client.ask("SubscribeServiceRequest", {**SERVICE, "subscribe": True})
    for port in (1, 2):
        instance = {"ip": "1.1.1.1", "port": port}
        client.ask("InstanceRequest", {**SERVICE, "type": "registerInstance", "instance": instance})
    monkeypatch.setattr(connections, "LAZY_BACKLOG", LAZY_BACKLOG)
    pushed = until(lambda: client.pushed("NotifySubscriberRequest"), 5, awaited="the retry")
    assert [host["port"] for host in pushed[0]["serviceInfo"]["hosts"]] == [2]
