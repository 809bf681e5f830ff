"""Random bytes and frames at both ports: nobody else notices, nothing is logged as an error, nothing is left behind."""

from __future__ import annotations

import json
import logging
import socket
import struct
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.emulators.nacos import NacosServer
from harness.emulators.nacos.grpc import wire
from harness.emulators.nacos.grpc.handlers import HANDLERS
from harness.wait import until

QUICK = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
#: Members that some handler reads, and values that fit some of them.
NAMES = [
    *("serviceName", "groupName", "namespace", "instance", "instances", "type", "subscribe", "clusters", "ip", "port"),
    *("dataId", "group", "tenant", "content", "additionMap", "configListenContexts", "listen", "md5", "metadata"),
    *("groupKeyPattern", "watchType", "receivedGroupKeys", "lockInstance", "lockOperationEnum", "headers", "labels"),
    *("abilityTable", "requestId", "pageNo", "pageSize", "weight", "key", "lockType", "expiredTime", "clientVersion"),
]
ATOMS = st.sampled_from(
    ["", "s", "G", "registerInstance", "WATCH", "public>>G>>*", "ACQUIRE", "NACOS_LOCK", "1.1.1.1", "\ud800", "@@"]
) | st.none() | st.booleans() | st.integers() | st.floats()  # fmt: skip
VALUES = st.recursive(
    ATOMS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=4),
    max_leaves=8,
)
BODIES = st.binary(max_size=60) | st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=8).map(
    lambda body: json.dumps(body).encode()
)
TYPES = st.sampled_from([*(handler.request for handler in HANDLERS), "ConnectionSetupRequest", "AnyResponse", ""])
PAYLOADS = st.binary(max_size=80) | st.builds(wire.encode, TYPES, BODIES)
MESSAGES = PAYLOADS.map(lambda data: b"\0" + struct.pack(">I", len(data)) + data) | st.binary(max_size=40)

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def head(path: bytes) -> bytes:
    pairs = ((b":method", b"POST"), (b":scheme", b"http"), (b":path", path), (b":authority", b"x"))
    return b"".join(b"\0" + bytes([len(one)]) + one + bytes([len(two)]) + two for one, two in pairs)


SETTINGS, STREAM = frame(4, 0, 0, b""), frame(1, 4, 1, head(b"/BiRequestStream/requestBiStream"))
SETUP = wire.encode("ConnectionSetupRequest", b'{"clientVersion":"x","abilityTable":{}}')
REGISTERED = PREFACE + SETTINGS + STREAM + frame(0, 0, 1, b"\0" + struct.pack(">I", len(SETUP)) + SETUP)


@st.composite
def calls(draw: Callable[[Any], Any]) -> bytes:
    """A connection's bytes: calls, stream messages and frames of any kind, the streams in their order."""
    out = [REGISTERED]
    for number in range(draw(st.integers(1, 8))):
        kind = draw(st.sampled_from(["call", "call", "message", "frame"]))
        if kind == "call":
            stream = 3 + 2 * number
            out.append(frame(1, 4, stream, head(b"/Request/request")) + frame(0, 1, stream, draw(MESSAGES)))
        elif kind == "message":
            out.append(frame(0, draw(st.sampled_from([0, 0, 1, 8])), 1, draw(MESSAGES)))
        else:
            octet = st.integers(0, 255)
            out.append(frame(draw(octet), draw(octet), draw(st.integers(0, 20)), draw(st.binary(max_size=40))))
    return b"".join(out)


@pytest.fixture
def witness(nacos: NacosServer, grpc_client: Callable[[], Any], caplog: pytest.LogCaptureFixture) -> Any:
    """A client of good manners, which checks that all is well."""
    client = grpc_client()
    connection_id = client.set_up()

    def check() -> None:
        assert client.ask("HealthCheckRequest")["success"]
        assert connection_id in [one["id"] for one in nacos.connections()]
        assert [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR] == []

    return check


def exchange(port: int, data: bytes) -> None:
    with socket.create_connection(("127.0.0.1", port)) as rude:
        rude.settimeout(0.02)
        try:
            rude.sendall(data)
            rude.recv(65536)
        except (TimeoutError, ConnectionError):
            pass


@QUICK
@given(data=calls())
def test_frames(nacos: NacosServer, witness: Callable[[], None], data: bytes) -> None:
    exchange(nacos.grpc_port, data)
    witness()


@QUICK
@given(cut=st.integers(0, len(REGISTERED)), rest=st.binary(max_size=60))
def test_beginnings(nacos: NacosServer, witness: Callable[[], None], cut: int, rest: bytes) -> None:
    exchange(nacos.grpc_port, REGISTERED[:cut] + rest)
    witness()


PATHS = st.sampled_from(
    ["/nacos/v1/ns/instance", "/nacos/v1/cs/configs", "/nacos/v2/ns/service", "/nacos/v3/admin/ns/instance", "/x", "*"]
)
QUERIES = st.dictionaries(st.sampled_from(NAMES), st.text(max_size=20), max_size=5).map(
    lambda query: str(httpx.QueryParams(query))
) | st.text("%&=+;aZ0", max_size=20)


@QUICK
@given(
    method=st.sampled_from(["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "TRACE", "PRI", "FOO"]),
    path=PATHS,
    query=QUERIES,
    headers=st.binary(max_size=60),
    body=st.binary(max_size=100),
)
def test_requests(
    nacos: NacosServer, witness: Callable[[], None], method: str, path: str, query: str, headers: bytes, body: bytes
) -> None:
    line = f"{method} {path}?{query} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n".encode()
    exchange(nacos.port, line + b"Content-Type: application/x-www-form-urlencoded\r\n\r\n" + body)
    exchange(nacos.port, line + headers + b"\r\n\r\n" + body)
    witness()


def test_nothing_is_left_of_a_connection(nacos: NacosServer, grpc_client: Callable[[], Any]) -> None:
    client = grpc_client()
    connection_id = client.set_up(abilityTable={})
    client.acknowledge = False
    instance = {"ip": "1.1.1.1", "port": 1}
    service = {"groupName": "G", "serviceName": "s"}
    client.ask("SubscribeServiceRequest", {**service, "subscribe": True})
    client.ask("InstanceRequest", {**service, "type": "registerInstance", "instance": instance})
    for module in ("Naming", "Config"):
        client.ask(f"{module}FuzzyWatchRequest", {"groupKeyPattern": "public>>*>>*", "watchType": "WATCH"})
    listened = [{"dataId": "d", "group": "G", "tenant": "", "md5": ""}]
    client.ask("ConfigBatchListenRequest", {"listen": True, "configListenContexts": listened})
    nacos.drop(connection_id)
    until(lambda: nacos.connections() == [], 5, awaited="the end of it")

    def left(node: Any) -> list[object]:
        registry, listeners = node.site.domain.registry, node.site.domain.listeners
        watches = (node.site.domain.service_watches, node.site.domain.config_watches)
        return [
            *(registry.published_by, registry.subscribed_by, registry.subscribers, node.fuzzy._unanswered),
            *(listeners.by_connection, listeners.by_key, node.site.connections._by_link, node.site.connections.by_id),
            *(held.clients for one in watches for held in one._patterns.values()),
        ]

    assert [held for held in nacos.call(left) if held] == []
