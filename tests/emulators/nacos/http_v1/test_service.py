"""`/v1/ns/service`, catalog, operator, health over the network."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from harness.emulators.nacos import NacosServer


def test_the_life_of_an_explicit_service(http: httpx.Client) -> None:
    params: dict[str, Any] = {"serviceName": "s", "protectThreshold": "0.5", "metadata": "a=b"}
    assert http.post("/v1/ns/service", params=params).content == b"ok"
    again = http.post("/v1/ns/service", params=params)
    assert (again.status_code, again.text) == (400, "specified service DEFAULT_GROUP@@s already exists!")
    found = http.get("/v1/ns/service?serviceName=s").json()
    assert (found["name"], found["protectThreshold"], found["metadata"]) == ("s", 0.5, {"a": "b"})
    assert found["selector"]["type"] == "none"
    assert http.put("/v1/ns/service?serviceName=s&protectThreshold=0.7").content == b"ok"
    assert http.get("/v1/ns/service?serviceName=s").json()["protectThreshold"] == 0.7
    assert http.delete("/v1/ns/service?serviceName=s").content == b"ok"
    gone = http.delete("/v1/ns/service?serviceName=s")
    assert (gone.status_code, gone.text) == (400, "service DEFAULT_GROUP@@s not found!")


def test_the_protect_threshold_shows_all_as_healthy(http: httpx.Client) -> None:
    http.post("/v2/ns/service?serviceName=s&protectThreshold=0.6&ephemeral=true")
    for port, healthy in ((1, "true"), (2, "false")):
        http.post(f"/v1/ns/instance?serviceName=s&ip=1.1.1.1&port={port}&healthy={healthy}")
    found = http.get("/v1/ns/instance/list?serviceName=s").json()
    assert found["reachProtectionThreshold"] is True
    assert [host["healthy"] for host in found["hosts"]] == [True, True]


def test_lists_and_pages(http: httpx.Client) -> None:
    for number in range(5):
        http.post(f"/v1/ns/instance?serviceName=s{number}&ip=1.1.1.1&port=1")
    first = http.get("/v1/ns/service/list?pageNo=1&pageSize=2").json()
    assert (first["count"], len(first["doms"])) == (5, 2)
    assert http.get("/v1/ns/service/list?pageNo=9&pageSize=2").json() == {"count": 5, "doms": []}
    assert http.get("/v1/ns/service/list?pageNo=1&pageSize=9&groupName=G").json() == {"count": 0, "doms": []}
    shown = http.get("/v1/ns/catalog/services?withInstances=false&pageNo=1&pageSize=10&serviceNameParam=s3").json()
    assert shown["count"] == 1
    assert shown["serviceList"][0] == {
        "name": "s3",
        "groupName": "DEFAULT_GROUP",
        "clusterCount": 1,
        "ipCount": 1,
        "healthyInstanceCount": 1,
        "triggerFlag": "false",
    }


def test_only_selector_none_is_taken(http: httpx.Client) -> None:
    refused = http.post("/v1/ns/service", params={"serviceName": "s", "selector": json.dumps({"type": "label"})})
    assert refused.status_code == 400
    assert "not match any type of selector" in refused.text


def test_metrics_switches_and_health(http: httpx.Client) -> None:
    http.post("/v1/ns/instance?serviceName=s&ip=1.1.1.1&port=1")
    assert http.get("/v1/ns/operator/metrics").json() == {"status": "UP"}
    counts = http.get("/v1/ns/ops/metrics?onlyStatus=false").json()
    total = counts["serviceCount"]  # other tests' services in other namespaces are there too
    assert total >= 1
    assert counts["instanceCount"] >= counts["ephemeralIpPortClientCount"] >= 1
    assert http.get("/v1/ns/operator/switches").json()["clientBeatInterval"] == 5000
    assert f"total services: {total}," in http.get("/v1/ns/health/server").json()["msg"]
    assert http.get("/v1/core/cluster/nodes").json()["data"][0]["state"] == "UP"


def test_health_is_not_set_by_hand(http: httpx.Client) -> None:
    http.post("/v1/ns/instance?serviceName=s&ip=1.1.1.1&port=1&ephemeral=false")
    params = {"serviceName": "s", "ip": "1.1.1.1", "port": "1", "healthy": "false"}
    refused = http.put("/v1/ns/health/instance", params=params)
    assert (refused.status_code, refused.text.split(",")[0]) == (400, "health check is still working")
    checker = {"serviceName": "s", "clusterName": "DEFAULT", "checkPort": "80", "healthChecker": '{"type":"NONE"}'}
    assert http.put("/v1/ns/cluster", params=checker).content == b"ok"
    unprobed = http.put("/v1/ns/health/instance", params=params)  # allowed now, but the server then trips over itself
    assert (unprobed.status_code, "is persistent service, can't register" in unprobed.text) == (400, True)
    assert http.put("/v1/ns/health/instance", params={**params, "port": "2"}).content == b"ok"  # nobody to change


@pytest.mark.emulator("a real server has it")
def test_what_is_not_emulated_says_so(http: httpx.Client) -> None:
    answer = http.put("/v1/ns/operator/log?logName=naming-main&logLevel=DEBUG")
    assert answer.status_code == 501
    assert "log levels are the host process's" in answer.json()["data"]


@pytest.mark.nacos_3
@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/v1/none", 404), ("DELETE", "/v1/ns/catalog/services", 501), ("PUT", "/v1/cs/configs", 405)],
)
def test_unknown_paths_and_methods(http: httpx.Client, method: str, path: str, status: int) -> None:
    answer = http.request(method, path)
    assert answer.status_code == status
    assert answer.json()["path"] == f"/nacos{path}"


def test_nothing_lives_outside_the_context_path(nacos: NacosServer) -> None:
    assert httpx.get(f"{nacos.http_url}/v1/ns/operator/metrics").status_code == 404
