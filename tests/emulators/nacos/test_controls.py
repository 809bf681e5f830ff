"""What a test may do to a server, from Python and over HTTP, seen by clients of both protocols."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import grpc
import httpx
import pytest

from harness.emulators.nacos import NacosServer
from harness.wait import until

pytestmark = pytest.mark.emulator("the emulator's own controls")
Clients = Callable[[], Any]
SERVICE = {"namespace": "public", "groupName": "G", "serviceName": "s"}
CONFIG = {"dataId": "d", "group": "G", "tenant": ""}


@pytest.fixture
def control(nacos: NacosServer) -> httpx.Client:
    return httpx.Client(base_url=f"{nacos.http_url}/_harness", trust_env=False)


def persistent(http: httpx.Client, port: int) -> None:
    query = {"serviceName": "s", "groupName": "G", "ip": "1.1.1.1", "port": port, "ephemeral": "false"}
    assert http.post("/v1/ns/instance", params=query).text == "ok"


def test_a_restore_is_told_to_everyone(grpc_client: Clients, nacos: NacosServer, http: httpx.Client) -> None:
    persistent(http, 1)
    http.post("/v1/cs/configs", data={**CONFIG, "content": "before"})
    kept = nacos.snapshot()
    persistent(http, 2)
    http.post("/v1/cs/configs", data={**CONFIG, "content": "after"})
    md5 = http.get("/v1/cs/configs", params=CONFIG).headers["content-md5"]

    client = grpc_client()
    client.set_up()
    client.ask("SubscribeServiceRequest", {**SERVICE, "subscribe": True})
    client.ask("ConfigBatchListenRequest", {"listen": True, "configListenContexts": [{**CONFIG, "md5": md5}]})
    client.ask("NamingFuzzyWatchRequest", {"groupKeyPattern": "public>>G>>*", "watchType": "WATCH"})
    until(lambda: client.pushed("NotifySubscriberRequest"), 5, awaited="the push to a new subscriber")
    polled: list[str] = []
    listening = f"d\x02G\x02{md5}\x01"
    header = {"Long-Pulling-Timeout": "20000"}
    poll = threading.Thread(
        target=lambda: polled.append(
            http.post("/v1/cs/configs/listener", data={"Listening-Configs": listening}, headers=header, timeout=30).text
        )
    )
    poll.start()
    until(lambda: nacos.call(lambda node: bool(node.site.polls._waiting)), 5, awaited="the long poll")
    nacos.restore(kept)
    poll.join(10)
    assert polled == ["d%02G%01\n"]
    until(lambda: client.pushed("ConfigChangeNotifyRequest"), 5, awaited="the notice")
    shown = lambda: client.pushed("NotifySubscriberRequest")[-1]["serviceInfo"]["hosts"]  # noqa: E731
    until(lambda: [host["port"] for host in shown()] == [1], 5, awaited="the push")
    nacos.reset()
    until(lambda: client.pushed("NamingFuzzyWatchChangeNotifyRequest"), 5, awaited="the end of the service")


def test_connections_and_pushes_are_listed_and_cut_over_http(
    grpc_client: Clients, nacos: NacosServer, control: httpx.Client
) -> None:
    client = grpc_client()
    connection_id = client.set_up()
    client.ask("SubscribeServiceRequest", {**SERVICE, "subscribe": True})
    until(lambda: nacos.pushes() and nacos.pushes()[-1]["ack_ms"] is not None, 5, awaited="the acknowledgement")
    [push] = control.get("/pushes").json()
    assert (push["connection"], push["type"]) == (connection_id, "NotifySubscriberRequest")
    assert (push["subject"], push["tries"], push["ack_ms"] >= 0) == ("public/G/s", 1, True)
    assert [one["id"] for one in control.get("/connections").json()] == [connection_id]
    assert control.post(f"/connections/{connection_id}/drop").status_code == 200
    until(lambda: control.get("/connections").json() == [], 5, awaited="the end of the connection")


@pytest.mark.parametrize("kind", ["ServiceQueryRequest", "*"])
def test_grpc_calls_fail_on_demand(grpc_client: Clients, control: httpx.Client, kind: str) -> None:
    client = grpc_client()
    client.set_up()
    assert control.post("/fail-next", json={"type": kind, "status": 503, "message": "no", "times": 2}).is_success
    for _ in range(2):
        answered, body = client.call("ServiceQueryRequest", SERVICE)
        assert (answered, body["errorCode"], body["message"]) == ("QueryServiceResponse", 503, "no")
    assert client.ask("ServiceQueryRequest", SERVICE)["success"]


def test_a_frozen_server_takes_calls_of_both_protocols(
    grpc_client: Clients, http: httpx.Client, control: httpx.Client
) -> None:
    client = grpc_client()
    client.set_up()
    assert control.post("/freeze").is_success
    with pytest.raises(grpc.RpcError):
        client.call("ServiceQueryRequest", SERVICE, timeout=0.2)
    with pytest.raises(httpx.TimeoutException):
        http.get("/v1/ns/operator/metrics", timeout=0.2)
    assert control.post("/thaw").is_success
    assert client.ask("ServiceQueryRequest", SERVICE)["success"]
    assert http.get("/v1/ns/operator/metrics").is_success
