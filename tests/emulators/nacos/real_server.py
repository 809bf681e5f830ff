"""A real Nacos as the tests see it: what it can be asked, and that it has none of the emulator's own controls."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest


class RealServer:
    """A server at `url`, on which nobody is asked who they are."""

    username = password = "nacos"

    def __init__(self, url: str) -> None:
        at = urlsplit(url)
        assert at.hostname is not None and at.port is not None, f"{OPTION_HINT}: {url}"
        self.host, self.port, self.grpc_port = at.hostname, at.port, at.port + 1000
        self.address, self.http_url = f"{at.hostname}:{at.port}", f"http://{at.hostname}:{at.port}"
        self._client = httpx.Client(base_url=f"{self.http_url}/nacos", trust_env=False, timeout=10)

    def __getattr__(self, name: str) -> Any:
        pytest.skip(f"not applicable: a real server has no `{name}` of the emulator's own")

    def reset(self) -> None:
        """Remove what the public namespace holds."""
        page = {"search": "blur", "dataId": "", "group": "", "pageNo": 1, "pageSize": 500}
        found = self._client.get("/v1/cs/configs", params=page)
        for one in found.json()["pageItems"] if found.is_success else ():
            self._client.delete("/v1/cs/configs", params={"dataId": one["dataId"], "group": one["group"]})
        catalog = {"withInstances": "false", "pageNo": 1, "pageSize": 500}
        found = self._client.get("/v1/ns/catalog/services", params=catalog)
        for one in found.json()["serviceList"] if found.is_success else ():
            self._remove(one["groupName"], one["name"])

    def _remove(self, group: str, name: str) -> None:
        service = {"serviceName": name, "groupName": group}
        listed = self._client.get("/v1/ns/instance/list", params=service)
        for host in listed.json()["hosts"] if listed.is_success else ():
            place = {"ip": host["ip"], "port": host["port"], "clusterName": host["clusterName"]}
            ephemeral = {"ephemeral": str(host["ephemeral"]).lower()}
            self._client.delete("/v1/ns/instance", params={**service, **place, **ephemeral})
        self._client.delete("/v1/ns/service", params=service)


OPTION_HINT = "--nacos takes http://host:port or docker"
