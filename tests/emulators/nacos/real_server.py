"""A real Nacos as the tests see it: what it can be asked, and that it has none of the emulator's own controls."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from harness.emulators.nacos import NacosServer

OPTION_HINT = "--nacos takes http://host:port or docker"
#: Seconds after each change: a real server shows a configuration after its dump, and names by events.
SETTLE = 0.7
#: What an entry of the switches is called where they are told, for those that tests turn.
SWITCHES = {
    "check": "healthCheckEnabled",
    "healthCheckTimes": "checkTimes",
    "pushEnabled": "pushEnabled",
    "clientBeatInterval": "clientBeatInterval",
    "lightBeatEnabled": "lightBeatEnabled",
}
_LISTS = Path(__file__).parent / "real_calls"
_PAGE = {"pageNo": 1, "pageSize": 500}


class RealServer:
    """A server at `url`, on which nobody is asked who they are; `version` is its major one."""

    username = password = "nacos"

    def __init__(self, url: str) -> None:
        at = urlsplit(url)
        assert at.scheme == "http" and at.hostname is not None and at.port is not None, f"{OPTION_HINT}: {url}"
        self.host, self.port, self.grpc_port = at.hostname, at.port, at.port + 1000
        self.address, self.http_url = f"{at.hostname}:{at.port}", f"http://{at.hostname}:{at.port}"
        self._client = httpx.Client(base_url=f"{self.http_url}/nacos", trust_env=False, timeout=10)
        self.version = self._major_version()
        self._calls: _Version2 | _Version3 = (_Version2 if self.version == 2 else _Version3)(self._client)
        is_emulated = self._client.get(f"{self.http_url}/_harness/connections").is_success
        self._settle = 0.0 if is_emulated else SETTLE
        self._before = (self._calls.namespaces(), self._calls.users(), self._calls.switches())
        self.reset()

    def __getattr__(self, name: str) -> Any:
        if not hasattr(NacosServer, name):
            raise AttributeError(name)
        pytest.skip(f"not applicable: a real server has no `{name}` of the emulator's own")

    def _major_version(self) -> int:
        for path in ("/v3/admin/core/state", "/v1/console/server/state"):
            answer = self._client.get(path)
            if answer.is_success:
                told = answer.json()
                return int(told.get("data", told)["version"].partition(".")[0])
        raise AssertionError(f"no Nacos that answers without a login at {self.http_url}: {answer.status_code}")

    # -- what the tests ask it -----------------------------------------------------------------------------------------

    def client(self) -> httpx.Client:
        """Plain calls; one that this server doesn't have makes the test not applicable."""
        hooks = {"response": [self._look]}
        return httpx.Client(base_url=f"{self.http_url}/nacos", trust_env=False, timeout=35, event_hooks=hooks)

    def _look(self, answer: httpx.Response) -> None:
        request = answer.request
        call = f"{request.method} {request.url.path.removeprefix('/nacos')}"
        if answer.status_code == 410:
            pytest.skip(f"not applicable: {call} is retired: this server has its compatibility switches off")
        if answer.status_code in (404, 501) and call in _known(2) | _known(3):
            answer.read()
            if call not in _known(self.version) or f"No endpoint {request.method}" in answer.text:
                pytest.skip(f"not applicable: this server has no {call}, not on this port")
        if request.method != "GET":
            time.sleep(self._settle)

    # -- between tests ---------------------------------------------------------------------------------------------

    def reset(self) -> None:
        """Remove what tests made: in the public namespace, namespaces, users; turn the switches back."""
        namespaces, users, switches = self._before
        for namespace in self._calls.namespaces() - namespaces:
            self._calls.remove_namespace(namespace)
        for user in self._calls.users() - users:
            self._calls.remove_user(user)
        now = self._calls.switches()
        for entry, name in SWITCHES.items():
            if now.get(name) != switches.get(name):
                self._calls.turn(entry, switches[name])
        self._calls.remove_configs()
        self._calls.remove_services()


def _known(version: int) -> set[str]:
    """`METHOD path` of every call of a version."""
    [file] = _LISTS.glob(f"{version}.*.txt")
    return {" ".join(line.split()[:2]) for line in file.read_text().splitlines()}


class _Version2:
    """What 2.x is asked between tests."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    def namespaces(self) -> set[str]:
        found = self._client.get("/v1/console/namespaces").json()["data"]
        return {one["namespace"] for one in found if one["namespace"]}

    def remove_namespace(self, name: str) -> None:
        self._client.delete("/v1/console/namespaces", params={"namespaceId": name})

    def users(self) -> set[str]:
        found = self._client.get("/v1/auth/users", params={**_PAGE, "search": "accurate"})
        return {one["username"] for one in found.json()["pageItems"]} if found.is_success else set()

    def remove_user(self, name: str) -> None:
        self._client.delete("/v1/auth/users", params={"username": name})

    def switches(self) -> dict[str, Any]:
        return dict(self._client.get("/v1/ns/operator/switches").json())

    def turn(self, entry: str, value: Any) -> None:
        self._client.put("/v1/ns/operator/switches", params={"entry": entry, "value": str(value).lower()})

    def remove_configs(self) -> None:
        search = {**_PAGE, "search": "blur", "dataId": "", "group": ""}
        for one in self._client.get("/v1/cs/configs", params=search).json()["pageItems"]:
            key = {"dataId": one["dataId"], "group": one["group"]}
            self._client.delete("/v1/cs/configs", params={**key, "beta": "true"})
            self._client.delete("/v1/cs/configs", params=key)

    def remove_services(self) -> None:
        found = self._client.get("/v1/ns/catalog/services", params={**_PAGE, "withInstances": "false"})
        for one in found.json()["serviceList"]:
            service = {"serviceName": one["name"], "groupName": one["groupName"]}
            for place in self._places(service):
                self._client.delete("/v1/ns/instance", params={**service, **place})
            self._client.delete("/v1/ns/service", params=service)

    def _places(self, service: dict[str, str]) -> Iterator[dict[str, Any]]:
        for kind in self._client.get("/v1/ns/catalog/service", params=service).json()["clusters"]:
            cluster = {"clusterName": kind["name"]}
            found = self._client.get("/v1/ns/catalog/instances", params={**service, **cluster, **_PAGE})
            yield from (_place(one) for one in (found.json()["list"] if found.is_success else ()))


class _Version3:
    """What 3.x is asked between tests: its admin API alone, whatever switches it has."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    def _data(self, path: str, **params: Any) -> Any:
        return self._client.get(f"/v3/{path}", params=params).json()["data"]

    def namespaces(self) -> set[str]:
        return {one["namespace"] for one in self._data("admin/core/namespace/list")}

    def remove_namespace(self, name: str) -> None:
        self._client.delete("/v3/admin/core/namespace", params={"namespaceId": name})

    def users(self) -> set[str]:
        found = self._data("auth/user/list", search="accurate", **_PAGE)
        return {one["username"] for one in found["pageItems"]} if found else set()

    def remove_user(self, name: str) -> None:
        self._client.delete("/v3/auth/user", params={"username": name})

    def switches(self) -> dict[str, Any]:
        return dict(self._data("admin/ns/ops/switches"))

    def turn(self, entry: str, value: Any) -> None:
        self._client.put("/v3/admin/ns/ops/switches", params={"entry": entry, "value": str(value).lower()})

    def remove_configs(self) -> None:
        for one in self._data("admin/cs/config/list", search="blur", **_PAGE)["pageItems"]:
            key = {"dataId": one["dataId"], "groupName": one["groupName"]}
            self._client.delete("/v3/admin/cs/config/beta", params=key)
            self._client.delete("/v3/admin/cs/config", params=key)

    def remove_services(self) -> None:
        for one in self._data("admin/ns/service/list", withInstances="true", **_PAGE)["pageItems"]:
            service = {"serviceName": one["serviceName"], "groupName": one["groupName"]}
            for host in (host for cluster in one["clusterMap"].values() for host in cluster["hosts"]):
                self._client.delete("/v3/admin/ns/instance", params={**service, **_place(host)})
            self._client.delete("/v3/admin/ns/service", params=service)


def _place(one: dict[str, Any]) -> dict[str, Any]:
    ephemeral = str(one["ephemeral"]).lower()
    return {"ip": one["ip"], "port": one["port"], "clusterName": one["clusterName"], "ephemeral": ephemeral}
