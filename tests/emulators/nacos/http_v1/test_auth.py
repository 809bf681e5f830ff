"""Authentication switched on, over the network: login, refusals, users, roles, permissions, the closed bypasses."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from harness.emulators.nacos import NacosServer

SECURED = "/v1/cs/configs?dataId=d&group=G"


@pytest.fixture(scope="module")
def server() -> Iterator[NacosServer]:
    with NacosServer(auth="root:pw") as running:
        yield running


def login(http: httpx.Client, user: str = "root", password: str = "pw") -> dict[str, str]:
    answer = http.post("/v1/auth/login", params={"username": user, "password": password})
    assert answer.status_code == 200
    assert answer.headers["authorization"] == f"Bearer {answer.json()['accessToken']}"
    return {"accessToken": answer.json()["accessToken"]}


def test_login_by_query_form_or_both(http: httpx.Client) -> None:
    found = http.post("/v1/auth/users/login?username=root", data={"password": "pw"}).json()
    assert (found["tokenTtl"], found["globalAdmin"], found["username"]) == (18000, True, "root")
    wrong = http.post("/v1/auth/login?username=root&password=no")
    assert wrong.status_code == 500  # what 3.0.3 makes of it
    assert wrong.json()["message"] == "Handle API Compatibility failed, please see log for detail."
    assert http.post("/v1/auth/login").status_code == 400


def test_refusals_are_spring_s(http: httpx.Client) -> None:
    answer = http.get(SECURED)
    assert answer.status_code == 403
    body = answer.json()
    assert (body["status"], body["error"], body["path"]) == (403, "Forbidden", "/nacos/v1/cs/configs")
    assert body["message"].startswith("Code: 401, Message: User not found!")


def test_every_way_to_say_who_one_is(http: httpx.Client) -> None:
    token = login(http)["accessToken"]
    assert http.get(SECURED, headers={"Authorization": f"Bearer {token}"}).status_code == 404
    assert http.get(f"{SECURED}&accessToken={token}").status_code == 404
    assert http.get(f"{SECURED}&username=root&password=pw").status_code == 404


def test_the_known_bypasses_are_closed(http: httpx.Client) -> None:
    for headers in ({"User-Agent": "Nacos-Server"}, {"serverIdentity": "security"}):
        assert http.get(SECURED, headers=headers).status_code == 403
    assert (
        http.post("/v1/auth/users?username=evil&password=x", headers={"User-Agent": "Nacos-Server"}).status_code == 403
    )
    assert http.get("/v1/auth/users?pageNo=1&pageSize=9&search=accurate").status_code == 403
    assert http.get("/v1/auth/users/?pageNo=1&pageSize=9&search=accurate").status_code == 404


@pytest.mark.parametrize(
    "path",
    [
        "/v1/console/server/state",
        "/v1/console/health/liveness",
        "/v1/console/health/readiness",
        "/v1/console/namespaces",
        "/v1/ns/operator/metrics",
        "/v3/admin/core/state/readiness",
    ],
)
def test_what_stays_open(http: httpx.Client, path: str) -> None:
    assert http.get(path).status_code == 200


def test_a_token_lapses(http: httpx.Client, nacos: NacosServer) -> None:
    token = login(http)
    nacos.advance(18001)
    answer = http.get(SECURED, params=token | {"dataId": "d", "group": "G"})
    assert "token expired!" in answer.json()["message"]


def test_users_roles_and_permissions(http: httpx.Client) -> None:
    admin = login(http)
    made = http.post("/v1/auth/users", params={**admin, "username": "dev", "password": "a"}).json()
    assert made == {"code": 200, "message": None, "data": "create user ok!", "noRight": False}
    again = http.post("/v1/auth/users", params={**admin, "username": "dev", "password": "a"})
    assert (again.status_code, again.text) == (200, "")  # 3.x says nothing
    role = {**admin, "role": "reader", "username": "dev"}
    assert http.post("/v1/auth/roles", params=role).json()["data"] == "add role ok!"
    right = {**admin, "role": "reader", "resource": "public:G:config/*", "action": "r"}
    assert http.post("/v1/auth/permissions", params=right).json()["data"] == "add permission ok!"
    dev = login(http, "dev", "a")
    key = {"dataId": "d", "group": "G"}
    assert http.get("/v1/cs/configs", params={**dev, **key}).status_code == 404
    refused = http.post("/v1/cs/configs", params={**dev, **key, "content": "x"})
    assert refused.json()["message"] == "Code: 403, Message: authorization failed!."
    assert http.put("/v1/auth/users", params={**dev, "username": "dev", "newPassword": "b"}).status_code == 200
    assert http.put("/v1/auth/users", params={**dev, "username": "root", "newPassword": "b"}).status_code == 403
    login(http, "dev", "b")
    page = {"search": "accurate", "pageNo": "1", "pageSize": "9"}
    users = http.get("/v1/auth/users", params=admin | page).json()
    assert {user["username"] for user in users["pageItems"]} == {"root", "dev"}
    assert "b" not in {user["password"] for user in users["pageItems"]}
    assert http.get("/v1/auth/users/search", params={**admin, "username": "de"}).json() == ["dev"]
    assert http.delete("/v1/auth/users", params={**admin, "username": "dev"}).json()["data"] == "delete user ok!"
    assert http.get("/v1/cs/configs", params={**dev, **key}).status_code == 403


def test_there_is_an_admin_already(http: httpx.Client) -> None:
    answer = http.post("/v1/auth/users/admin?password=x").json()
    assert answer == {"code": 409, "message": None, "data": "have admin user cannot use it", "noRight": False}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/cs/configs?dataId=d&group=G&namespaceId=mine&groupName=G"),
        ("GET", "/v2/cs/config?dataId=d&group=G&tenant=mine"),
        ("GET", "/v3/admin/cs/config?dataId=d&groupName=G&tenant=mine&group=G"),
        ("POST", "/v1/cs/configs?import=true&tenant=mine&namespace=public"),
        ("POST", "/v1/cs/configs?clone=true&tenant=public&namespaceId=mine"),
    ],
)
def test_another_version_s_parameter_opens_nothing(http: httpx.Client, method: str, path: str) -> None:
    admin = login(http)
    http.post("/v1/auth/users", params={**admin, "username": "one", "password": "a"})
    http.post("/v1/auth/roles", params={**admin, "role": "mine", "username": "one"})
    right = {"role": "mine", "resource": "mine:*:*", "action": "rw"}
    http.post("/v1/auth/permissions", params={**admin, **right})
    token = login(http, "one", "a")["accessToken"]
    bearer = {"Authorization": f"Bearer {token}"}
    assert http.get("/v1/cs/configs?dataId=d&group=G&tenant=mine", headers=bearer).status_code == 404
    assert http.request(method, path, headers=bearer).status_code == 403


def test_a_probe_is_judged_by_its_tenant(http: httpx.Client) -> None:
    admin = login(http)
    http.post("/v1/auth/users", params={**admin, "username": "two", "password": "a"})
    http.post("/v1/auth/roles", params={**admin, "role": "two", "username": "two"})
    http.post("/v1/auth/permissions", params={**admin, "role": "two", "resource": "mine:*:*", "action": "r"})
    token = login(http, "two", "a")
    for tenant, status in (("mine", 200), ("other", 403)):
        probe = {"Listening-Configs": f"d\x02G\x02x\x02{tenant}\x01"}
        assert http.post("/v1/cs/configs/listener", params=token, data=probe).status_code == status
