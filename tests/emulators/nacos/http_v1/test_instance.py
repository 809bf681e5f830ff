"""`/v1/ns/instance` over the network."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from harness.emulators.nacos import NacosServer

BASE = {"serviceName": "s", "ip": "10.0.0.1", "port": "80"}


def hosts(http: httpx.Client, **params: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = http.get("/v1/ns/instance/list", params={"serviceName": "s", **params}).json()[
        "hosts"
    ]
    return found


def register(http: httpx.Client, **params: Any) -> httpx.Response:
    return http.post("/v1/ns/instance", params={**BASE, **params})


@pytest.mark.nacos_3
def test_the_list_in_full(http: httpx.Client) -> None:
    register(http, metadata='{"zone":"a"}', weight="2.5", groupName="G")
    found = http.get("/v1/ns/instance/list?serviceName=s&groupName=G&clusters=DEFAULT").json()
    assert found.pop("lastRefTime") > 0
    [host] = found.pop("hosts")
    assert found == {
        "name": "G@@s",
        "groupName": "G",
        "clusters": "DEFAULT",
        "cacheMillis": 10000,
        "checksum": "",
        "allIps": False,
        "reachProtectionThreshold": False,
        "valid": True,
    }
    assert (host["weight"], host["metadata"], host["instanceId"]) == (2.5, {"zone": "a"}, "10.0.0.1#80#DEFAULT#G@@s")


def test_an_unknown_service_is_empty_not_missing(http: httpx.Client) -> None:
    found = http.get("/v1/ns/instance/list?serviceName=nobody&healthyOnly=true", headers={"Accept": "application/json"})
    assert (found.status_code, found.json()["hosts"]) == (200, [])
    assert found.headers["content-type"].startswith("application/json")


def test_parameters_come_by_query_and_by_form(http: httpx.Client) -> None:
    assert http.post("/v1/ns/instance?serviceName=s", data={"ip": "10.0.0.1", "port": "80"}).content == b"ok"
    assert [host["port"] for host in hosts(http)] == [80]


def test_booleans_of_python_1(http: httpx.Client) -> None:
    register(http, enable="True", healthy="False", ephemeral="True", clusterName="None")
    [host] = hosts(http)
    assert (host["enabled"], host["healthy"], host["clusterName"]) == (True, False, "None")
    assert hosts(http, healthyOnly="true") == []


def test_namespaces_groups_and_clusters_keep_apart(http: httpx.Client) -> None:
    register(http, namespaceId="other")
    register(http, port="81", clusterName="A")
    register(http, serviceName="G@@s", port="82", groupName="ignored")
    assert [host["port"] for host in hosts(http)] == [81]
    assert hosts(http, clusters="B") == []
    assert [host["port"] for host in hosts(http, namespaceId="other")] == [80]
    assert [host["port"] for host in hosts(http, groupName="G")] == [82]


def test_disabled_instances_are_not_listed(http: httpx.Client) -> None:
    register(http, enabled="false")
    assert hosts(http) == []
    assert (
        http.get("/v1/ns/catalog/instances?serviceName=s&clusterName=DEFAULT&pageNo=1&pageSize=10").json()["count"] == 1
    )


def test_deregister_is_fine_twice(http: httpx.Client) -> None:
    register(http)
    for _ in range(2):
        assert http.delete("/v1/ns/instance", params=BASE).content == b"ok"
    assert hosts(http) == []


def test_persistent_instances_stay(http: httpx.Client, nacos: NacosServer) -> None:
    register(http, ephemeral="false")
    nacos.advance(3600)
    assert [host["ephemeral"] for host in hosts(http)] == [False]
    refused = register(http, port="81")
    assert refused.status_code == 400
    why = "Current service DEFAULT_GROUP@@s is persistent service, can't register ephemeral instance."
    assert refused.text == f"errCode: 400, errMsg: {why} "


def test_update_and_patch_lie_over_the_registration(http: httpx.Client) -> None:
    register(http, metadata="v=1")
    assert http.put("/v1/ns/instance", params={**BASE, "weight": "5", "metadata": "zone=b"}).content == b"ok"
    assert http.patch("/v1/ns/instance", params={**BASE, "weight": "7"}).content == b"ok"
    register(http, metadata="v=2")
    [host] = hosts(http)
    assert (host["weight"], host["metadata"]) == (7.0, {"v": "2", "zone": "b"})
    missing = http.patch("/v1/ns/instance", params={**BASE, "port": "99", "weight": "1"})
    assert (missing.status_code, missing.text) == (404, "no matched ip found!")


def test_get_one(http: httpx.Client) -> None:
    register(http)
    found = http.get("/v1/ns/instance", params=BASE).json()
    assert (found["service"], found["ip"], found["port"], found["healthy"]) == (
        "DEFAULT_GROUP@@s",
        "10.0.0.1",
        80,
        True,
    )
    missing = http.get("/v1/ns/instance", params={**BASE, "serviceName": "t"})
    assert (missing.status_code, missing.text) == (404, "no ips found for cluster DEFAULT in service DEFAULT_GROUP@@t")


def beat(http: httpx.Client, **params: Any) -> dict[str, Any]:
    answer: dict[str, Any] = http.put("/v1/ns/instance/beat", params={"serviceName": "s", **params}).json()
    return answer


def test_heart_beats(http: httpx.Client, nacos: NacosServer) -> None:
    light = {"ip": "10.0.0.1", "port": "80"}
    assert beat(http, **light)["code"] == 20404
    full = json.dumps({"ip": "10.0.0.1", "port": 80, "weight": 1, "cluster": "DEFAULT", "metadata": {}})
    assert beat(http, beat=full) == {"clientBeatInterval": 5000, "code": 10200, "lightBeatEnabled": True}
    nacos.advance(20)
    assert [host["healthy"] for host in hosts(http)] == [False]
    assert beat(http, **light)["code"] == 10200
    assert [host["healthy"] for host in hosts(http)] == [True]


def test_metadata_of_many(http: httpx.Client) -> None:
    register(http)
    register(http, port="81")
    places = json.dumps([{"ip": "10.0.0.1", "port": 81, "clusterName": "DEFAULT"}])
    params = {"serviceName": "s", "consistencyType": "ephemeral", "instances": places, "metadata": "a=b"}
    changed = http.put("/v1/ns/instance/metadata/batch", params=params).json()
    assert changed == {"updated": ["10.0.0.1:81:unknown:DEFAULT:ephemeral"]}
    assert {host["port"]: host["metadata"] for host in hosts(http)} == {80: {}, 81: {"a": "b"}}
    http.delete("/v1/ns/instance/metadata/batch", params=params)
    assert {host["port"]: host["metadata"] for host in hosts(http)} == {80: {}, 81: {}}


def test_statuses(http: httpx.Client) -> None:
    register(http)
    found = http.get("/v1/ns/instance/statuses", params={"key": "public##DEFAULT_GROUP@@s"}).json()
    assert found == {"ips": ["10.0.0.1:80_true"]}


@pytest.mark.parametrize(
    ("params", "body"),
    [
        ({"serviceName": ""}, "Param 'serviceName' is required."),
        ({"ip": ""}, "Param 'ip' is required."),
        ({"port": "abc"}, "Param 'port' is illegal, the value should be between 0 and 65535.\r\n"),
        ({"port": "70000"}, "Param 'port' is illegal, the value should be between 0 and 65535.\r\n"),
        ({"weight": "10001"}, "instance format invalid: The weights range from 0.0 to 10000.0"),
        ({"weight": "nan"}, 'For input string: "nan"'),
        (
            {"serviceName": "a b"},
            "Param 'serviceName' is illegal, illegal characters should not appear in the param.\r\n",
        ),
        ({"groupName": "a/b"}, "Param 'group' is illegal, illegal characters should not appear in the param.\r\n"),
        ({"serviceName": "x" * 513}, "Param 'serviceName' is illegal, the param length should not exceed 512.\r\n"),
        ({"clusterName": "a_b"}, "Instance 'clusterName' should be characters with only 0-9a-zA-Z-. (current: a_b)"),
    ],
)
def test_refusals_are_text_with_400(http: httpx.Client, params: dict[str, str], body: str) -> None:
    answer = register(http, **params)
    assert (answer.status_code, answer.text) == (400, body)
