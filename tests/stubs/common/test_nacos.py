"""A replica and its Nacos: registered with its metadata, configured while running, gone when it ends."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from harness.emulators.nacos import NacosServer
from harness.ports import free_port
from harness.wait import until

GOOD = "template: 'first {message}'\ntoken_ms: 0\n"


class Nacos:
    """The emulator by its HTTP API, as an operator would use it."""

    def __init__(self, server: NacosServer) -> None:
        self.server = server
        self.address = server.address
        self._http = httpx.Client(base_url=f"{server.http_url}/nacos")

    def instances(self, service: str, namespace: str = "public", group: str = "DEFAULT_GROUP") -> list[dict[str, Any]]:
        query = {"serviceName": service, "namespaceId": namespace, "groupName": group}
        hosts: list[dict[str, Any]] = self._http.get("/v1/ns/instance/list", params=query).json()["hosts"]
        return hosts

    def publish(self, content: str, data_id: str = "bi-chat.yaml", group: str = "DEFAULT_GROUP") -> None:
        form = {"dataId": data_id, "group": group, "content": content}
        assert self._http.post("/v1/cs/configs", data=form).text == "true"

    def remove(self, data_id: str = "bi-chat.yaml", group: str = "DEFAULT_GROUP") -> None:
        assert self._http.delete("/v1/cs/configs", params={"dataId": data_id, "group": group}).text == "true"


@pytest.fixture(scope="module")
def nacos() -> Iterator[Nacos]:
    with NacosServer() as server:
        yield Nacos(server)


def config(replica) -> dict[str, Any]:
    found: dict[str, Any] = replica.http.get("/_stub/config").json()
    return found


def answer(replica) -> str:
    question = {"message": "x", "stream": False}
    return str(replica.http.post("/v1/chat", json=question).json()["text"])


def test_a_ready_replica_is_registered_with_its_metadata(warm, nacos):
    replica = warm.start("bi-basic", "basic-n", NACOS_ADDR=nacos.address, VERSION="2.0.1", ZONE="z2")
    (instance,) = nacos.instances("bi-basic")
    assert (instance["ip"], instance["port"]) == ("127.0.0.1", replica.http.base_url.port)
    assert instance["metadata"] == {
        "version": "2.0.1",
        "protocol": "http",
        "gRPC_port": replica.grpc_address.rpartition(":")[2],
        "zone": "z2",
        "replica": "basic-n",
    }
    assert instance["ephemeral"] and instance["healthy"]
    os.kill(replica.pid, signal.SIGTERM)
    warm.event("exited", id="basic-n", code=0)
    assert nacos.instances("bi-basic") == []


def test_namespace_group_and_advertised_address_are_followed(warm, nacos):
    env = {"NACOS_NAMESPACE": "team-a", "NACOS_GROUP": "BI", "ADVERTISE_IP": "10.1.2.3"}
    warm.start("bi-basic", "basic-ns", NACOS_ADDR=nacos.address, **env)
    assert [instance["ip"] for instance in nacos.instances("bi-basic", "team-a", "BI")] == ["10.1.2.3"]
    assert nacos.instances("bi-basic") == []


def test_configuration_is_there_before_readiness_and_changes_while_running(warm, nacos):
    group = {"group": "CHANGING"}
    nacos.publish(GOOD, **group)
    replica = warm.start("bi-chat", "chat-n", NACOS_ADDR=nacos.address, NACOS_GROUP="CHANGING")
    assert (answer(replica), config(replica)["source"], config(replica)["version"]) == ("first x", "nacos", 1)
    nacos.publish(GOOD.replace("first", "second"), **group)
    until(lambda: answer(replica) == "second x", 1, awaited="the new template")
    nacos.publish("template: 'third {message}'\ntoken_ms: -1\nsecret_typo: hush\n", **group)
    error = until(lambda: config(replica)["last_error"], 1, awaited="the refusal")
    assert "token_ms: Input should be greater than or equal to 0" in error["reason"]
    assert "secret_typo: Extra inputs" in error["reason"] and "hush" not in replica.log.read_text()
    assert (answer(replica), config(replica)["version"]) == ("second x", 2)
    assert [line["reason"] for line in replica.lines("configuration refused, the last good one stays")] == [
        error["reason"]
    ]
    nacos.remove(**group)
    until(lambda: replica.lines("configuration not found, what is in force stays"), 2, awaited="the warning")
    assert answer(replica) == "second x"
    nacos.publish(GOOD, **group)
    until(lambda: answer(replica) == "first x", 1, awaited="the template again")
    assert config(replica)["last_error"] is None


def test_configuration_that_comes_after_the_start_is_taken(warm, nacos):
    replica = warm.start("bi-chat", "chat-late", NACOS_ADDR=nacos.address, NACOS_GROUP="LATE")
    assert config(replica)["source"] == "defaults"
    nacos.publish(GOOD, group="LATE")
    until(lambda: answer(replica) == "first x", 1, awaited="the template")


def test_credentials_are_used_and_never_logged(warm):
    with NacosServer(auth="svc:pass-w0rd") as server:
        env = {"NACOS_ADDR": server.address, "NACOS_USERNAME": "svc", "NACOS_PASSWORD": "pass-w0rd"}
        replica = warm.start("bi-basic", "basic-auth", **env)
        os.kill(replica.pid, signal.SIGTERM)
        warm.event("exited", id="basic-auth", code=0)
        warm.order("bi-basic", "basic-denied", **{**env, "NACOS_PASSWORD": "wr0ng-pass"})
        denied = warm.log("basic-denied")
        until(lambda: "trying again" in denied.read_text(), 10, awaited="the refused log-in in the log")
    text = replica.log.read_text() + denied.read_text()
    assert "pass-w0rd" not in text and "wr0ng-pass" not in text and "eyJ" not in text


def test_a_replica_waits_for_its_nacos_and_serves_meanwhile(warm):
    nacos_port, port = free_port(offset=1000), free_port()
    warm.order("bi-api-leke", "leke-waits", NACOS_ADDR=f"127.0.0.1:{nacos_port}", HTTP_PORT=str(port))
    with httpx.Client(base_url=f"http://127.0.0.1:{port}") as http:
        until(lambda: reachable(http), 5, awaited="the HTTP port")
        waiting = http.get("/readyz")
        assert (waiting.status_code, waiting.json()["status"]) == (503, "waiting for Nacos")
        assert [http.get(path).status_code for path in ("/healthz", "/v1/products")] == [200, 200]
        with NacosServer(port=nacos_port) as server:
            warm.event("ready", id="leke-waits")
            assert http.get("/readyz").status_code == 200
            assert len(Nacos(server).instances("bi-api-leke")) == 1


def reachable(http: httpx.Client) -> bool:
    try:
        return http.get("/healthz").is_success
    except httpx.TransportError:
        return False


def test_a_replica_registers_again_with_a_nacos_that_came_back(warm):
    with NacosServer() as server:
        port = server.port
        warm.start("bi-api-leke", "leke-back", NACOS_ADDR=server.address)
    with NacosServer(port=port) as server:
        nacos = Nacos(server)
        until(lambda: nacos.instances("bi-api-leke"), 20, awaited="the registration")


def test_nothing_of_the_sdk_is_left_behind(warm, nacos):
    replica = warm.start("bi-chat", "chat-tidy", NACOS_ADDR=nacos.address, STATE_DIR=str(warm.log("x").parent))
    state = Path(warm.log("x").parent)
    assert list(state.glob("bi-stub-*"))
    before = set(state.glob("bi-stub-*"))
    os.kill(replica.pid, signal.SIGTERM)
    warm.event("exited", id="chat-tidy", code=0)
    assert len(before - set(state.glob("bi-stub-*"))) == 1
