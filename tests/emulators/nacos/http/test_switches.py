"""The switches over HTTP: turned by every API version, told by all of them, and what they do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from harness.emulators.nacos import NacosServer

PATHS = [
    "/v1/ns/operator/switches",
    "/v1/ns/ops/switches",
    "/v2/ns/operator/switches",
    "/v2/ns/ops/switches",
    "/v3/admin/ns/ops/switches",
]
PLACE = {"serviceName": "s", "ip": "127.0.0.1", "port": 9}


def _told(http: httpx.Client, path: str) -> Any:
    told = http.get(path).json()
    return told if path.startswith("/v1/") else told["data"]


@pytest.mark.parametrize("path", PATHS)
def test_what_one_turns_all_tell(http: httpx.Client, path: str) -> None:
    turned = http.put(path, params={"entry": "healthCheckTimes", "value": "5"})
    assert turned.text == "ok" if path.startswith("/v1/") else turned.json()["data"] == "ok"
    assert [_told(http, one)["checkTimes"] for one in PATHS] == [5] * len(PATHS)
    assert http.put(path, params={"entry": "healthCheckTimes", "value": "3"}).status_code == 200


@pytest.mark.parametrize("path", PATHS)
def test_a_bad_value(http: httpx.Client, path: str) -> None:
    refused = http.put(path, params={"entry": "healthCheckTimes", "value": "x"})
    if path.startswith("/v1/"):
        assert (refused.status_code, refused.text) == (400, 'For input string: "x"')
    else:
        assert refused.status_code == 500
        assert refused.json() == {"code": 30000, "message": "server error", "data": 'For input string: "x"'}


def test_a_reset_turns_them_back(http: httpx.Client, nacos: NacosServer) -> None:
    http.put(PATHS[0], params={"entry": "check", "value": "false"})
    nacos.reset()
    assert _told(http, PATHS[0])["healthCheckEnabled"] is True


def test_heart_beats_are_told_what_the_switches_say(http: httpx.Client) -> None:
    http.put(PATHS[0], params={"entry": "clientBeatInterval", "value": "7000"})
    http.put(PATHS[0], params={"entry": "lightBeatEnabled", "value": "false"})
    beaten = http.put("/v1/ns/instance/beat", params=PLACE).json()
    assert (beaten["clientBeatInterval"], beaten["lightBeatEnabled"]) == (7000, False)


def test_missed_heart_beats_count_while_health_is_checked(http: httpx.Client, nacos: NacosServer) -> None:
    http.post("/v1/ns/instance", params=PLACE)
    http.put(PATHS[0], params={"entry": "check", "value": "false"})
    nacos.advance(60)
    assert len(http.get("/v1/ns/instance/list", params=PLACE).json()["hosts"]) == 1
    http.put(PATHS[0], params={"entry": "check", "value": "true"})
    nacos.advance(0)
    assert http.get("/v1/ns/instance/list", params=PLACE).json()["hosts"] == []


def test_pushes_wait_until_they_are_turned_on(
    http: httpx.Client, nacos: NacosServer, grpc_client: Callable[[], Any]
) -> None:
    client = grpc_client()
    client.set_up()
    service = {"serviceName": "s", "groupName": "DEFAULT_GROUP", "subscribe": True}
    client.ask("SubscribeServiceRequest", service)
    client.until_pushed(lambda info: info["hosts"] == [])
    http.put(PATHS[0], params={"entry": "pushEnabled", "value": "false"})
    http.post("/v1/ns/instance", params=PLACE)
    nacos.call(lambda node: node.pusher._flush_services())  # what the timer does some ms later
    assert all(push["serviceInfo"]["hosts"] == [] for push in client.pushed("NotifySubscriberRequest"))
    http.put(PATHS[0], params={"entry": "pushEnabled", "value": "true"})
    client.until_pushed(lambda info: len(info["hosts"]) == 1)


def test_they_outlive_a_restart(tmp_path: Path) -> None:
    for told in (3, 4):
        with NacosServer(data_dir=tmp_path) as nacos, httpx.Client(base_url=f"{nacos.http_url}/nacos") as http:
            assert _told(http, PATHS[0])["checkTimes"] == told
            http.put(PATHS[0], params={"entry": "healthCheckTimes", "value": "4"})
