"""HTTP v2 over the network: the envelope, its codes, and every group of calls once."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import httpx
import pytest

INSTANCE = {"serviceName": "s", "groupName": "G", "ip": "10.0.0.1", "port": "80"}
#: A name of its own: a real server keeps the history of what is gone.
CONFIG = {"dataId": f"d-{uuid4().hex[:8]}", "group": "G"}


def data(answer: httpx.Response) -> Any:
    body = answer.json()
    assert (answer.status_code, body["code"], body["message"]) == (200, 0, "success")
    return body["data"]


def test_instances(http: httpx.Client) -> None:
    assert data(http.post("/v2/ns/instance", params=INSTANCE)) == "ok"
    found = data(http.get("/v2/ns/instance", params=INSTANCE))
    assert (found["serviceName"], found["instanceId"]) == ("G@@s", None)
    info = data(http.get("/v2/ns/instance/list?serviceName=s&groupName=G"))
    assert (info["name"], len(info["hosts"])) == ("G@@s", 1)
    assert data(http.put("/v2/ns/instance", params={**INSTANCE, "weight": "2"})) == "ok"
    assert http.patch("/v2/ns/instance", params={**INSTANCE, "weight": "3", "enabled": "true"}).text == "ok"
    assert http.put("/v2/ns/instance/beat", params=INSTANCE).json()["code"] == 20002  # its group has to be inside
    assert http.put("/v2/ns/instance/beat", params={**INSTANCE, "serviceName": "G@@s"}).json()["code"] == 10200
    assert data(http.get("/v2/ns/catalog/instances?serviceName=G@@s&pageNo=1&pageSize=9"))["count"] == 1
    assert data(http.delete("/v2/ns/instance", params=INSTANCE)) == "ok"
    missing = http.get("/v2/ns/instance", params=INSTANCE)
    assert (missing.status_code, missing.json()["code"]) == (404, 20004)


def test_services(http: httpx.Client) -> None:
    assert data(http.post("/v2/ns/service?serviceName=s&ephemeral=true")) == "ok"
    again = http.post("/v2/ns/service?serviceName=s").json()
    assert (again["code"], again["message"]) == (21007, "service already exist")
    found = data(http.get("/v2/ns/service?serviceName=s"))
    assert (found["namespace"], found["ephemeral"]) == ("public", True)
    assert data(http.get("/v2/ns/service/list?pageNo=1&pageSize=9")) == {"count": 1, "services": ["s"]}
    assert data(http.delete("/v2/ns/service?serviceName=s")) == "ok"
    unknown = http.get("/v2/ns/service?serviceName=s").json()
    assert (unknown["code"], unknown["message"]) == (21008, "service not exist")


def test_clients(http: httpx.Client) -> None:
    http.post("/v2/ns/instance", params=INSTANCE)
    client = "10.0.0.1:80#true"
    assert client in data(http.get("/v2/ns/client/list"))
    assert data(http.get("/v2/ns/client", params={"clientId": client}))["clientType"] == "ipPort"
    published = data(http.get("/v2/ns/client/publish/list", params={"clientId": client}))
    place = {"ip": "10.0.0.1", "port": 80, "cluster": "DEFAULT"}
    assert place in [one["registeredInstance"] for one in published if one["serviceName"] == "s"]
    assert data(http.get("/v2/ns/client/service/publisher/list?serviceName=s&groupName=G")) == []  # of no address
    [publisher] = data(http.get("/v2/ns/client/service/publisher/list?serviceName=s&groupName=G&ip=10.0.0.1&port=80"))
    assert publisher["clientId"] == client
    assert http.get("/v2/ns/client?clientId=nobody").status_code == 404


def test_configuration_and_history(http: httpx.Client) -> None:
    missing = http.get("/v2/cs/config", params=CONFIG)
    assert missing.status_code == 404
    assert missing.json() == {"code": 20004, "message": "resource not found", "data": "config data not exist"}
    assert data(http.post("/v2/cs/config", data={**CONFIG, "content": "x", "configTags": "t"})) is True
    assert data(http.get("/v2/cs/config", params={**CONFIG, "namespaceId": "public"})) == "x"
    refused = http.post("/v2/cs/config", data={**CONFIG, "content": "y"}, headers={"casMd5": "0"})
    assert (refused.status_code, refused.json()["code"]) == (500, 20005)
    search = {**CONFIG, "config_detail": "", "pageNo": 1, "pageSize": 9}
    assert http.get("/v2/cs/config/searchDetail", params=search).json()["totalCount"] == 1
    [row] = data(http.get("/v2/cs/history/list", params=CONFIG))["pageItems"]
    assert data(http.get("/v2/cs/history", params={**CONFIG, "nid": row["id"]}))["content"] == "x"
    assert data(http.delete("/v2/cs/config", params=CONFIG)) is True


@pytest.mark.nacos_3
def test_namespaces(http: httpx.Client) -> None:
    params = {"namespaceId": "ns", "namespaceName": "mine", "namespaceDesc": "d"}
    assert data(http.post("/v2/console/namespace", params=params)) is True
    again = http.post("/v2/console/namespace", params=params)
    assert (again.status_code, again.json()["code"]) == (400, 22002)
    assert again.json()["data"] == "namespaceId [ns] already exist."
    assert data(http.put("/v2/console/namespace", params={**params, "namespaceName": "ours"})) is True
    assert data(http.get("/v2/console/namespace?namespaceId=ns"))["namespaceShowName"] == "ours"
    assert {one["namespace"] for one in data(http.get("/v2/console/namespace/list"))} == {"public", "ns"}
    assert data(http.delete("/v2/console/namespace?namespaceId=ns")) is True
    assert http.get("/v2/console/namespace?namespaceId=ns").json()["code"] == 22001
    assert http.post("/v2/console/namespace", params={**params, "namespaceId": "a/b"}).status_code == 400


def test_a_missing_parameter(http: httpx.Client) -> None:
    answer = http.get("/v2/ns/instance/list")
    assert answer.status_code == 400
    assert answer.json() == {
        "code": 10000,
        "message": "parameter missing",
        "data": "Required request parameter 'serviceName' for method parameter type String is not present",
    }


@pytest.mark.parametrize(
    "path", ["/v2/console/health/liveness", "/v2/core/cluster/node/self", "/v2/ns/operator/metrics"]
)
def test_what_asks_for_nothing(http: httpx.Client, path: str) -> None:
    assert data(http.get(path))
