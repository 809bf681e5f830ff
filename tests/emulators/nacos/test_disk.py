"""State on disk survives `kill -9` without losing what was acknowledged; what lives with a client does not."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from harness.emulators.nacos import NacosServer
from harness.errors import SpecError

KEY = {"dataId": "d", "group": "G"}


def url(nacos: NacosServer, path: str) -> str:
    return f"{nacos.http_url}/nacos{path}"


def test_everything_kept_comes_back(tmp_path: Path) -> None:
    with NacosServer(data_dir=tmp_path) as nacos:
        httpx.post(url(nacos, "/v1/cs/configs"), data={**KEY, "content": "one", "type": "yaml", "desc": "first"})
        httpx.post(url(nacos, "/v1/cs/configs"), data={**KEY, "content": "two"})
        httpx.post(url(nacos, "/v1/cs/configs"), data={**KEY, "content": "few"}, headers={"betaIps": "9.9.9.9"})
        httpx.post(url(nacos, "/v1/cs/configs"), data={**KEY, "content": "blue", "tag": "blue"})
        httpx.post(url(nacos, "/v1/cs/configs"), data={**KEY, "dataId": "gone", "content": "x"})
        httpx.delete(url(nacos, "/v1/cs/configs?dataId=gone&group=G"))
        httpx.post(url(nacos, "/v1/ns/instance?serviceName=p&ip=1.1.1.1&port=1&ephemeral=false&metadata=a=b"))
        httpx.put(url(nacos, "/v1/ns/instance?serviceName=p&ip=1.1.1.1&port=1&weight=3"))
        httpx.post(url(nacos, "/v1/ns/instance?serviceName=e&ip=1.1.1.1&port=1"))
        httpx.post(url(nacos, "/v1/ns/service?serviceName=x&protectThreshold=0.4"))
        httpx.post(url(nacos, "/v1/console/namespaces?customNamespaceId=ns&namespaceName=mine"))
        httpx.post(url(nacos, "/v1/auth/users?username=dev&password=a"))
    with NacosServer(data_dir=tmp_path) as nacos:
        assert httpx.get(url(nacos, "/v1/cs/configs"), params=KEY).text == "two"
        beta = {"X-Real-IP": "9.9.9.9"}
        assert httpx.get(url(nacos, "/v1/cs/configs"), params=KEY, headers=beta).text == "few"
        assert httpx.get(url(nacos, "/v1/cs/configs"), params={**KEY, "tag": "blue"}).text == "blue"
        assert httpx.get(url(nacos, "/v1/cs/configs?dataId=gone&group=G")).status_code == 404
        rows = httpx.get(url(nacos, "/v1/cs/history"), params={**KEY, "search": "accurate"}).json()
        assert rows["totalCount"] == 4
        [host] = httpx.get(url(nacos, "/v1/ns/instance/list?serviceName=p")).json()["hosts"]
        assert (host["weight"], host["ephemeral"]) == (3.0, False)
        assert httpx.get(url(nacos, "/v1/ns/instance/list?serviceName=e")).json()["hosts"] == []
        assert httpx.get(url(nacos, "/v1/ns/service?serviceName=x")).json()["protectThreshold"] == 0.4
        assert "ns" in {one["namespace"] for one in httpx.get(url(nacos, "/v1/console/namespaces")).json()["data"]}
        assert httpx.post(url(nacos, "/v1/auth/login?username=dev&password=a")).status_code == 200


def test_a_reset_is_kept_too(tmp_path: Path) -> None:
    with NacosServer(data_dir=tmp_path) as nacos:
        httpx.post(url(nacos, "/v1/cs/configs"), data={**KEY, "content": "x"})
        httpx.post(url(nacos, "/v1/ns/instance?serviceName=p&ip=1.1.1.1&port=1&ephemeral=false"))
        nacos.reset()
    with NacosServer(data_dir=tmp_path) as nacos:
        assert httpx.get(url(nacos, "/v1/cs/configs"), params=KEY).status_code == 404
        assert httpx.get(url(nacos, "/v1/ns/instance/list?serviceName=p")).json()["hosts"] == []


def test_a_directory_has_one_user(tmp_path: Path) -> None:
    with NacosServer(data_dir=tmp_path), pytest.raises(SpecError, match="data directory"):
        NacosServer(data_dir=tmp_path).start()


def test_the_account_of_the_command_line_is_always_there(tmp_path: Path) -> None:
    with NacosServer(data_dir=tmp_path, auth="root:old"):
        pass
    with NacosServer(data_dir=tmp_path, auth="root:new") as nacos:
        assert httpx.post(url(nacos, "/v1/auth/login?username=root&password=old")).status_code == 500
        assert httpx.post(url(nacos, "/v1/auth/login?username=root&password=new")).status_code == 200


def test_kill_9_loses_nothing_acknowledged(tmp_path: Path) -> None:
    code = f"from harness.emulators.nacos.serve import run; run(port=0, data_dir={str(tmp_path)!r})"
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        base = process.stdout.readline().split('"')[3]
        with httpx.Client(base_url=f"{base}/nacos", trust_env=False) as http:
            for number in range(50):
                data = {**KEY, "dataId": f"d{number}", "content": str(number)}
                assert http.post("/v1/cs/configs", data=data).text == "true"
    finally:
        process.kill()
        process.wait()
    with NacosServer(data_dir=tmp_path) as nacos:
        found = httpx.get(url(nacos, "/v1/cs/configs?search=blur&dataId=&group=&pageNo=1&pageSize=100")).json()
        assert {item["dataId"]: item["content"] for item in found["pageItems"]} == {f"d{n}": str(n) for n in range(50)}
