"""State on disk survives `kill -9` without losing what was acknowledged; what lives with a client does not."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from harness.emulators.nacos import NacosServer
from harness.errors import SpecError
from harness.wait import until

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


def test_kill_9_amid_writes_loses_nothing_acknowledged(tmp_path: Path) -> None:
    """Killed at any moment, time and again: what was acknowledged is there, and what was not is whole or absent."""
    told: dict[str, str] = {}
    asked: dict[str, set[str]] = {}
    for round_number in range(6):
        process, address = serve(tmp_path)
        writers = [threading.Thread(target=write, args=(address, name, round_number, told, asked)) for name in "abcd"]
        for writer in writers:
            writer.start()
        wanted = len(told) + 20 + 7 * round_number
        until(lambda wanted=wanted: len(told) >= wanted, 20, awaited="acknowledged writes")
        process.kill()
        process.wait()
        for writer in writers:
            writer.join()
        with NacosServer(data_dir=tmp_path) as nacos:
            assert lost(nacos, told, asked) == []


def serve(folder: Path) -> tuple[subprocess.Popen[str], str]:
    code = f"from harness.emulators.nacos.serve import run; run(port=0, data_dir={str(folder)!r})"
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, process.stdout.readline().split('"')[3]


def write(address: str, name: str, round_number: int, told: dict[str, str], asked: dict[str, set[str]]) -> None:
    """One new configuration, one changed one and one persistent instance after the other, until the server is gone."""
    with httpx.Client(base_url=f"{address}/nacos", trust_env=False) as http:
        try:
            for number in range(100_000):
                value = f"{round_number}.{number}"
                for data_id in (f"new-{name}-{value}", f"same-{name}"):
                    asked.setdefault(data_id, set()).add(value)
                    answer = http.post("/v1/cs/configs", data={**KEY, "dataId": data_id, "content": value})
                    assert answer.text == "true"
                    told[data_id] = value
                port = round_number * 1000 + number + 1
                place = f"serviceName=s-{name}&ip=1.1.1.1&port={port}&ephemeral=false"
                assert http.post(f"/v1/ns/instance?{place}").text == "ok"
                told[f"instance {name} {port}"] = ""
        except httpx.TransportError:
            return


def lost(nacos: NacosServer, told: dict[str, str], asked: dict[str, set[str]]) -> list[str]:
    """What was acknowledged and is not there; a changed one may hold what was asked for last."""
    state = nacos.call(lambda node: node.site.domain.config.state)
    contents = {key.data_id: entry.content for key, entry in state.entries.items()}
    inserted = {record.entry.key.data_id for record in state.history if record.operation == "I"}
    services = nacos.call(lambda node: dict(node.site.domain.registry.services))
    places = {f"instance {key.name[2:]} {one.port}" for key, held in services.items() for one in held.instances}
    found = [name for name in told if name.startswith("instance ") and name not in places]
    for data_id, value in told.items():
        if not data_id.startswith("instance "):
            content = contents.get(data_id, "")
            whole = content in asked[data_id] and tuple(map(int, content.split("."))) >= tuple(
                map(int, value.split("."))
            )
            found += [] if whole and data_id in inserted else [f"{data_id}: {content!r} for {value!r}"]
    return found


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda file: file.write_bytes(b"nonsense" * 1000), "file is not a database"),
        (lambda file: execute(file, "PRAGMA user_version=99"), "its layout is 99, this version knows 1"),
        (lambda file: execute(file, "UPDATE config SET body = '{'"), "JSONDecodeError"),
        (lambda file: execute(file, """UPDATE config SET body = '{"entry": {"id": 1}}'"""), "KeyError"),
        (lambda file: execute(file, "DROP TABLE state; CREATE TABLE state (x)"), "no such column"),
    ],
)
def test_a_file_that_cannot_be_read_is_a_clear_error(tmp_path: Path, spoil: Callable[[Path], None], words: str) -> None:
    with NacosServer(data_dir=tmp_path) as nacos:
        httpx.post(url(nacos, "/v1/cs/configs"), data={**KEY, "content": "x"})
    spoil(tmp_path / "nacos.db")
    for _ in range(2):  # the failed start lets go of the file
        with pytest.raises(SpecError, match=words) as refused:
            NacosServer(data_dir=tmp_path).start()
        assert "nacos.db" in str(refused.value)


def execute(file: Path, statements: str) -> None:
    connection = sqlite3.connect(file)
    connection.executescript(statements)
    connection.commit()
    connection.close()


def test_locks_are_kept(tmp_path: Path) -> None:
    with NacosServer(data_dir=tmp_path) as nacos:
        assert nacos.call(lambda node: node.site.domain.locks.lock("NACOS_LOCK", "k", 60_000))
    with NacosServer(data_dir=tmp_path) as nacos:
        assert not nacos.call(lambda node: node.site.domain.locks.lock("NACOS_LOCK", "k", 60_000))
