"""Pushes that nobody acknowledges, clients that fall silent, clients that are sent away."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from harness.emulators.nacos import NacosServer
from harness.emulators.nacos.grpc import pushing
from harness.wait import until

Clients = Callable[[], Any]


def test_unacknowledged_pushes_are_sent_again(
    grpc_client: Clients, nacos: NacosServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pushing, "NAMING_ACK_SECONDS", 0.0)
    monkeypatch.setattr(pushing, "CONFIG_ACK_SECONDS", 0.0)
    client = grpc_client()
    client.set_up()
    client.acknowledge = False
    client.ask("SubscribeServiceRequest", {"serviceName": "s", "groupName": "G", "subscribe": True})
    listened = [{"dataId": "d", "group": "G", "tenant": "", "md5": ""}]
    client.ask("ConfigBatchListenRequest", {"listen": True, "configListenContexts": listened})
    httpx.post(f"{nacos.http_url}/nacos/v1/ns/instance?serviceName=s&groupName=G&ip=1.1.1.1&port=1")
    httpx.post(f"{nacos.http_url}/nacos/v1/cs/configs", data={"dataId": "d", "group": "G", "content": "x"})
    for kind in ("NotifySubscriberRequest", "ConfigChangeNotifyRequest"):
        until(lambda kind=kind: len(client.pushed(kind)) >= 2, 5, awaited=f"{kind} again")
    assert max(push["tries"] for push in nacos.pushes()) >= 2
    client.acknowledge = True


def test_a_silent_client_is_asked_and_then_dropped(
    grpc_client: Clients, nacos: NacosServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pushing, "SILENCE_SECONDS", 0.0)
    monkeypatch.setattr(pushing, "DETECTION_SECONDS", 0.0)
    client = grpc_client()
    connection_id = client.set_up()
    client.acknowledge = False
    until(lambda: client.pushed("ClientDetectionRequest"), 5, awaited="the question")
    until(lambda: connection_id not in [one["id"] for one in nacos.connections()], 5, awaited="the end of it")


def test_who_answers_the_question_stays(
    grpc_client: Clients, nacos: NacosServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pushing, "SILENCE_SECONDS", 0.0)
    client = grpc_client()
    connection_id = client.set_up()
    until(lambda: len(client.pushed("ClientDetectionRequest")) >= 2, 5, awaited="the question, twice")
    assert connection_id in [one["id"] for one in nacos.connections()]


@pytest.mark.parametrize("half", [b"", b"PRI * HTTP/2.0\r\n\r\nS"])
def test_who_never_says_hello_is_cut(
    grpc_client: Clients, nacos: NacosServer, monkeypatch: pytest.MonkeyPatch, half: bytes
) -> None:
    client = grpc_client()
    client.set_up()
    with socket.create_connection(("127.0.0.1", nacos.grpc_port)) as rude:
        rude.settimeout(10)
        rude.sendall(half)
        monkeypatch.setattr(pushing, "HANDSHAKE_SECONDS", 0.0)
        try:
            while rude.recv(65536):
                pass
        except ConnectionResetError:
            pass
    assert client.ask("HealthCheckRequest")["success"]


def test_a_client_is_asked_to_connect_anew(grpc_client: Clients, nacos: NacosServer) -> None:
    client = grpc_client()
    connection_id = client.set_up()
    nacos.send_away(connection_id)
    until(lambda: client.pushed("ConnectResetRequest"), 5, awaited="the request")
    assert client.pushed("ConnectResetRequest")[0]["connectionId"] == connection_id
    answer = httpx.post(f"{nacos.http_url}/_harness/connections/{connection_id}/send-away")
    assert answer.status_code == 200


def test_the_end_of_the_stream_is_the_end_of_the_connection(grpc_client: Clients, nacos: NacosServer) -> None:
    client = grpc_client()
    client.set_up()
    body = {"serviceName": "s", "groupName": "G", "type": "registerInstance", "instance": {"ip": "1.1.1.1", "port": 1}}
    client.ask("InstanceRequest", body)
    client.responses.cancel()
    until(lambda: nacos.connections() == [], 5, awaited="the connection to go")
    listing = f"{nacos.http_url}/nacos/v1/ns/instance/list?serviceName=s&groupName=G"
    assert httpx.get(listing).json()["hosts"] == []
