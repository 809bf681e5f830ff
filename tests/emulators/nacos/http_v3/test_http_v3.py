"""HTTP v3 over the network: client, admin, auth and the console's own port."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import httpx
import pytest

from harness.emulators.nacos import NacosServer

INSTANCE = {"serviceName": "s", "ip": "10.0.0.1", "port": "80"}
#: A name of its own: a real server keeps the history of what is gone.
CONFIG = {"dataId": f"d-{uuid4().hex[:8]}", "groupName": "G"}


def data(answer: httpx.Response) -> Any:
    body = answer.json()
    assert (answer.status_code, body["code"], body["message"]) == (200, 0, "success"), body
    return body["data"]


def test_clients_register_beat_and_list(http: httpx.Client) -> None:
    unknown = http.post("/v3/client/ns/instance", params={**INSTANCE, "heartBeat": "true"})
    assert (unknown.status_code, unknown.json()) == (
        200,
        {"code": 21003, "message": "instance not found", "data": None},
    )
    assert data(http.post("/v3/client/ns/instance", params=INSTANCE)) == "ok"
    assert data(http.post("/v3/client/ns/instance", params={**INSTANCE, "heartBeat": "true"})) == "ok"
    assert [host["port"] for host in data(http.get("/v3/client/ns/instance/list?serviceName=s"))] == [80]
    assert data(http.delete("/v3/client/ns/instance", params=INSTANCE)) == "ok"


def test_clients_read_configuration(http: httpx.Client) -> None:
    missing = http.get("/v3/client/cs/config", params=CONFIG)
    assert (missing.status_code, missing.json()["code"]) == (200, 20004)
    data(http.post("/v3/admin/cs/config", data={**CONFIG, "content": "x", "type": "json"}))
    found = data(http.get("/v3/client/cs/config", params=CONFIG))
    assert (found["content"], found["contentType"], found["success"]) == ("x", "json", True)
    wrong = http.get("/v3/client/cs/config?dataId=d&group=G")
    assert (wrong.status_code, wrong.text) == (
        400,
        "caused: Required parameter 'groupName' type String is not present;",
    )


def test_admins_and_configuration(http: httpx.Client) -> None:
    before = data(http.get("/v3/admin/cs/history/list", params=CONFIG))["totalCount"]
    data(http.post("/v3/admin/cs/config", data={**CONFIG, "content": "x", "desc": "first", "configTags": "a"}))
    found = data(http.get("/v3/admin/cs/config", params=CONFIG))
    assert (found["namespaceId"], found["content"], found["desc"], found["configTags"]) == ("public", "x", "first", "a")
    [line] = data(http.get("/v3/admin/cs/config/list?search=blur&dataId=d*&groupName=&pageNo=1&pageSize=9"))[
        "pageItems"
    ]
    assert "content" not in line
    data(http.post("/v3/admin/cs/config", data={**CONFIG, "content": "few"}, headers={"betaIps": "9.9.9.9"}))
    assert "9.9.9.9" in data(http.get("/v3/admin/cs/config/beta", params=CONFIG))["grayRule"]
    assert data(http.delete("/v3/admin/cs/config/beta", params=CONFIG)) is True
    assert http.get("/v3/admin/cs/config/beta", params=CONFIG).json()["code"] == 20004
    assert data(http.get("/v3/admin/cs/history/list", params=CONFIG))["totalCount"] == before + 3
    assert data(http.get("/v3/admin/cs/config/listener", params=CONFIG))["queryType"] == "config"
    exported = http.get("/v3/admin/cs/config/export?dataId=&groupName=")
    data(http.post("/v3/admin/core/namespace?namespaceId=ns&namespaceName=mine"))
    files = {"file": ("x.zip", exported.content, "application/zip")}
    assert data(http.post("/v3/admin/cs/config/import?namespaceId=ns", files=files))["succCount"] == 1
    assert http.post("/v3/admin/cs/config/import?namespaceId=no", files=files).json()["code"] == 22001
    cloned = http.post("/v3/admin/cs/config/clone?namespaceId=ns&policy=SKIP", json=[{"configId": int(line["id"])}])
    assert data(cloned)["skipCount"] == 1
    assert data(http.delete(f"/v3/admin/cs/config/batch?ids={line['id']}")) is True
    assert http.get("/v3/admin/cs/config", params=CONFIG).status_code == 404


def test_a_clone_has_the_name_and_the_user_that_are_wanted(http: httpx.Client) -> None:
    data(http.post("/v3/admin/cs/config", data={**CONFIG, "content": "x"}))
    config_id = int(data(http.get("/v3/admin/cs/config", params=CONFIG))["id"])
    wanted = [{"configId": config_id, "targetDataId": "copy", "targetGroupName": "OTHER"}]
    assert data(http.post("/v3/admin/cs/config/clone?namespaceId=public&src_user=me", json=wanted))["succCount"] == 1
    copy = data(http.get("/v3/admin/cs/config?dataId=copy&groupName=OTHER"))
    assert (copy["content"], copy["createUser"]) == ("x", "me")


def test_connections(http: httpx.Client, grpc_client: Callable[[], Any]) -> None:
    connection_id = grpc_client().set_up()
    told = data(http.get("/v3/admin/core/loader/current"))[connection_id]
    assert (told["traced"], told["connected"]) == (False, True)
    meta = told["metaInfo"]
    assert (meta["connectionId"], meta["connectType"], meta["version"]) == (connection_id, "GRPC", "Test:v1")
    assert (meta["appName"], meta["labels"]["module"]) == ("app", "naming")


def test_admins_and_naming(http: httpx.Client) -> None:
    data(http.post("/v3/admin/ns/instance", params=INSTANCE))
    assert data(http.get("/v3/admin/ns/instance", params=INSTANCE))["ip"] == "10.0.0.1"
    data(http.put("/v3/admin/ns/instance/partial", params={**INSTANCE, "weight": "4"}))
    assert [one["weight"] for one in data(http.get("/v3/admin/ns/instance/list?serviceName=s"))] == [4.0]
    assert data(http.get("/v3/admin/ns/service?serviceName=s"))["clusterMap"] == {}  # those with settings alone
    assert data(http.get("/v3/admin/ns/service/list?serviceNameParam=s"))["pageItems"][0]["ipCount"] == 1
    assert data(http.get("/v3/admin/ns/ops/metrics?onlyStatus=false"))["instanceCount"] >= 1
    full = http.delete("/v3/admin/ns/service?serviceName=s").json()
    assert (full["code"], full["message"]) == (21009, "service delete failure")
    data(http.post("/v3/admin/ns/service?serviceName=t"))
    assert http.post("/v3/admin/ns/service?serviceName=t").json()["code"] == 21007
    assert http.get("/v3/admin/ns/service?serviceName=u").status_code == 400


def test_state_and_members(http: httpx.Client) -> None:
    assert data(http.get("/v3/admin/core/state"))["version"]
    assert data(http.get("/v3/admin/core/state/readiness")) == "ok"
    assert data(http.get("/v3/admin/core/cluster/node/list"))[0]["state"] == "UP"
    assert data(http.get("/v3/admin/core/namespace/check?namespaceId=public")) == 1


@pytest.fixture
def console() -> Iterator[httpx.Client]:
    with (
        NacosServer(console_port=0, auth="root:pw") as nacos,
        httpx.Client(base_url=f"http://127.0.0.1:{nacos.console_port}", trust_env=False) as client,
    ):
        yield client


def test_the_console_s_own_port(console: httpx.Client) -> None:
    assert console.get("/v3/console/server/state").json()["auth_enabled"] == "true"
    assert data(console.get("/v3/console/health/readiness")) == "ok"
    assert console.get("/v3/console/cs/config/list").status_code == 403
    login = console.post("/v3/auth/user/login", data={"username": "root", "password": "pw"}).json()
    console.headers["Authorization"] = f"Bearer {login['accessToken']}"
    data(console.post("/v3/console/core/namespace?customNamespaceId=ns&namespaceName=mine"))
    assert data(console.get("/v3/console/core/namespace/exist?customNamespaceId=ns")) is True
    data(console.post("/v3/console/cs/config", data={**CONFIG, "content": "x"}))
    assert data(console.get("/v3/console/cs/config/list?dataId=&groupName="))["totalCount"] == 1
    assert data(console.get("/v3/console/ns/service/list")) == {
        "totalCount": 0,
        "pageNumber": 1,
        "pagesAvailable": 0,
        "pageItems": [],
    }
    nowhere = console.get("/nacos/v1/ns/operator/metrics")
    assert (nowhere.status_code, nowhere.text) == (
        500,
        "caused: No static resource nacos/v1/ns/operator/metrics.;",
    )


def test_accounts(console: httpx.Client) -> None:
    wrong = console.post("/v3/auth/user/login", data={"username": "root", "password": "no"})
    assert (wrong.status_code, wrong.text) == (403, "User not found! Please check user exist or password is right!")
    login = console.post("/v3/auth/user/login", data={"username": "root", "password": "pw"}).json()
    console.headers["Authorization"] = f"Bearer {login['accessToken']}"
    assert data(console.post("/v3/auth/user", data={"username": "dev", "password": "a"})) == "create user ok!"
    assert data(console.post("/v3/auth/role", data={"username": "dev", "role": "r"})) == "add role ok!"
    right = {"role": "r", "resource": "public:*:*", "action": "rw"}
    assert data(console.post("/v3/auth/permission", data=right)) == "add permission ok!"
    assert data(console.get("/v3/auth/permission", params=right)) is True
    assert data(console.get("/v3/auth/role/list?search=blur&role=r&pageNo=1&pageSize=9"))["totalCount"] == 1
    assert console.post("/v3/auth/user/admin", data={"password": "x"}).json()["code"] == 409
    again = console.post("/v3/auth/user", data={"username": "dev", "password": "a"})
    assert (again.status_code, again.text) == (400, "caused: user 'dev' already exist!;")
    unbound = console.get("/v3/auth/role/list")
    missing = "Required request parameter &#39;pageNo&#39; for method parameter type int is not present"
    assert (unbound.status_code, unbound.text) == (500, f"caused: {missing};")
