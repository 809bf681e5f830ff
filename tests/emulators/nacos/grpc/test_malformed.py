"""Requests that are none, answered in the words of a real server (asked of 3.0.3)."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import grpc
import pytest

Clients = Callable[[], Any]
WRONG = (500, 502, "errCode: 101, errMsg: Nacos deserialize failed.  ")
REGISTER = {"namespace": "public", "groupName": "G", "serviceName": "s", "type": "registerInstance"}


def registration(instance: Any, **more: Any) -> bytes:
    return json.dumps({**REGISTER, "instance": instance, **more}).encode()


HOST = {"ip": "1.1.1.1", "port": 1}
BLANK_NAME = (500, 500, "Param 'serviceName' is illegal, serviceName is blank")
BLANK_GROUP = (500, 500, "Param 'groupName' is illegal, groupName is blank")


@pytest.mark.parametrize(
    ("body", "answer"),
    [
        (b"{", WRONG),
        (b"[]", WRONG),
        (b"5", WRONG),
        (b"\xff\xfe", WRONG),
        (b"[" * 5000, WRONG),
        (b'{"a":NaN}', WRONG),
        (b'{"headers":5}', WRONG),
        (b'{"serviceName":{}}', WRONG),
        (b"null", (500, 502, "Invalid request")),
        (b"", BLANK_NAME),
        (b"{} x", BLANK_NAME),
        ('{"serviceName":"x"}'.encode("utf-16"), BLANK_GROUP),
        (b'{"serviceName":"a","serviceName":"b"}', BLANK_GROUP),
        (registration(None), (400, 400, "Instance can not be null.")),
        (registration("x"), WRONG),
        (registration({**HOST, "port": "x"}), WRONG),
        (registration({**HOST, "port": 99999999999999999999}), WRONG),
        (registration({**HOST, "metadata": []}), WRONG),
        (registration({**HOST, "metadata": {"a": {}}}), WRONG),
        (registration(HOST, type="x"), (400, 400, "Unsupported request type x")),
    ],
)
def test_bodies_refused(grpc_client: Clients, body: bytes, answer: tuple[int, int, str]) -> None:
    client = grpc_client()
    client.set_up()
    kind, found = client.call("InstanceRequest", body)
    assert (kind, (found["resultCode"], found["errorCode"], found["message"])) == ("ErrorResponse", answer)
    assert client.ask("HealthCheckRequest") == {"resultCode": 200, "errorCode": 0, "success": True}


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (registration({**HOST, "port": 70000}), "Param 'port' is illegal, the value should be between 0 and 65535."),
        (registration({**HOST, "port": -1}), "Param 'port' is illegal, the value should be between 0 and 65535."),
        (
            registration({**HOST, "ip": "a b"}),
            "Param 'ip' is illegal, illegal characters should not appear in the param.",
        ),
        (
            registration(HOST, serviceName="x" * 600),
            "Param 'serviceName' is illegal, the param length should not exceed 512.",
        ),
    ],
)
def test_parameters_refused(grpc_client: Clients, body: bytes, words: str) -> None:
    client = grpc_client()
    client.set_up()
    kind, found = client.call("InstanceRequest", body)
    assert (kind, found["resultCode"], found["errorCode"]) == ("InstanceResponse", 500, 400)
    assert found["message"] == f"Param check invalid:{words}"


@pytest.mark.parametrize("instance", [{**HOST, "port": 1.5}, {**HOST, "healthy": 5}, {**HOST, "metadata": {"a": 5}}])
def test_jackson_takes_more_than_one_would_think(grpc_client: Clients, instance: dict[str, Any]) -> None:
    client = grpc_client()
    client.set_up()
    assert client.ask("InstanceRequest", registration(instance))["success"]
    [host] = client.ask("ServiceQueryRequest", REGISTER)["serviceInfo"]["hosts"]
    assert (host["port"], host["healthy"]) == (1, True)


@pytest.mark.parametrize("kind", ["SubscribeServiceRequest", "BatchInstanceRequest", "PersistentInstanceRequest"])
def test_names_are_needed(grpc_client: Clients, kind: str) -> None:
    client = grpc_client()
    client.set_up()
    assert client.ask(kind, {})["message"] == BLANK_NAME[2]
    assert client.ask(kind, {"serviceName": "s"})["message"] == BLANK_GROUP[2]


@pytest.mark.parametrize("data", [b"\x12\xff\xff", b"\x12\x04\x1a\x02\xff\xfe"])
def test_messages_that_are_no_payload(grpc_client: Clients, data: bytes) -> None:
    client = grpc_client()
    client.set_up()
    raw = client.channel.unary_unary("/Request/request", request_serializer=bytes, response_deserializer=bytes)
    with pytest.raises(grpc.RpcError) as refused:
        raw(data, timeout=5)
    assert (refused.value.code(), refused.value.details()) == (
        grpc.StatusCode.UNKNOWN,
        "Application error processing RPC",
    )
    assert b'"errorCode":302' in raw(b"", timeout=5)
    assert client.ask("HealthCheckRequest")["success"]
