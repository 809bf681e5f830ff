"""Fuzzy watches and locks over the network, as the 3.x Java client uses them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from harness.emulators.nacos import NacosServer, watches
from harness.emulators.nacos.grpc import fuzzy_pushing
from harness.wait import until

Clients = Callable[[], Any]
SYNC, CHANGE = "NamingFuzzyWatchSyncRequest", "NamingFuzzyWatchChangeNotifyRequest"
CONFIG_SYNC, CONFIG_CHANGE = "ConfigFuzzyWatchSyncRequest", "ConfigFuzzyWatchChangeNotifyRequest"


@pytest.fixture
def client(grpc_client: Clients) -> Any:
    made = grpc_client()
    made.set_up(abilityTable={"fuzzyWatch": True, "lock": True})
    return made


def register(client: Any, name: str, port: int = 1) -> None:
    instance = {"ip": "1.1.1.1", "port": port}
    body = {"groupName": "G", "serviceName": name, "type": "registerInstance", "instance": instance}
    assert client.ask("InstanceRequest", body)["success"]


def deregister(client: Any, name: str) -> None:
    body = {
        "groupName": "G",
        "serviceName": name,
        "type": "deregisterInstance",
        "instance": {"ip": "1.1.1.1", "port": 1},
    }
    assert client.ask("InstanceRequest", body)["success"]


def publish(client: Any, name: str, content: str = "x") -> None:
    assert client.ask("ConfigPublishRequest", {"dataId": name, "group": "G", "content": content})["success"]


def watch(client: Any, module: str = "Naming", **more: Any) -> dict[str, Any]:
    body = {"groupKeyPattern": "public>>G>>app*", "watchType": "WATCH", "initializing": True, **more}
    return client.ask(f"{module}FuzzyWatchRequest", body)  # type: ignore[no-any-return]


def finished(client: Any, kind: str = SYNC) -> bool:
    return any(push["syncType"] == "FINISH_FUZZY_WATCH_INIT_NOTIFY" for push in client.pushed(kind))


def told(client: Any, kind: str, key: str) -> list[tuple[str, str, str]]:
    """(sync type, key, change) of every name in the syncs so far."""
    return [
        (push["syncType"], one[key], one["changedType"])
        for push in client.pushed(kind)
        for one in push.get("contexts", [])
    ]


def test_abilities_say_so(client: Any) -> None:
    until(lambda: client.pushed("SetupAckRequest"), 5, awaited="the abilities")
    table = client.pushed("SetupAckRequest")[0]["abilityTable"]
    assert (table["fuzzyWatch"], table["lock"], table["mcp"]) == (True, True, False)


def test_services_from_the_first_look_to_the_last_change(client: Any, grpc_client: Clients, nacos: NacosServer) -> None:
    other = grpc_client()
    other.set_up()
    for number in range(12):
        register(other, f"app{number}")
    register(other, "else")
    assert watch(client)["success"]
    until(lambda: finished(client), 5, awaited="the end of the first look")
    batches = [push for push in client.pushed(SYNC) if push["syncType"] == "FUZZY_WATCH_INIT_NOTIFY"]
    assert [(one["currentBatch"], one["totalBatch"], len(one["contexts"])) for one in batches] == [
        (1, 2, 10),
        (2, 2, 2),
    ]
    assert set(told(client, SYNC, "serviceKey")) == {
        ("FUZZY_WATCH_INIT_NOTIFY", f"public@@G@@app{number}", "ADD_SERVICE") for number in range(12)
    }
    end = client.pushed(SYNC)[-1]
    assert (end["contexts"], end["totalBatch"], end["module"]) == ([], 1, "naming")
    register(other, "app-new")
    register(other, "app-new", 2)
    register(other, "other")
    until(lambda: client.pushed(CHANGE), 5, awaited="the new service")
    deregister(other, "app-new")
    until(lambda: len(client.pushed(CHANGE)) > 1, 5, awaited="its end")
    changes = [(one["syncType"], one["serviceKey"], one["changedType"]) for one in client.pushed(CHANGE)]
    assert changes == [
        ("FUZZY_WATCH_RESOURCE_CHANGED", "public@@G@@app-new", "ADD_SERVICE"),
        ("FUZZY_WATCH_RESOURCE_CHANGED", "public@@G@@app-new", "DELETE_SERVICE"),
    ]


def test_a_death_and_a_reset_are_told_too(client: Any, grpc_client: Clients, nacos: NacosServer) -> None:
    dying = grpc_client()
    connection_id = dying.set_up()
    register(dying, "app-of-a-connection")
    httpx.post(f"{nacos.http_url}/nacos/v1/ns/instance?serviceName=app-of-http&groupName=G&ip=1.1.1.1&port=1")
    watch(client)
    until(lambda: finished(client), 5, awaited="the end of the first look")
    nacos.drop(connection_id)
    until(lambda: client.pushed(CHANGE), 5, awaited="the death")
    nacos.reset()
    until(lambda: len(client.pushed(CHANGE)) > 1, 5, awaited="the reset")
    assert {(one["serviceKey"], one["changedType"]) for one in client.pushed(CHANGE)} == {
        ("public@@G@@app-of-a-connection", "DELETE_SERVICE"),
        ("public@@G@@app-of-http", "DELETE_SERVICE"),
    }


def test_a_later_look_tells_the_differences(client: Any) -> None:
    register(client, "app1")
    received = ["public@@G@@app0"]
    assert watch(client, initializing=False, receivedGroupKeys=received)["success"]
    until(lambda: client.pushed(SYNC), 5, awaited="the differences")
    assert told(client, SYNC, "serviceKey") == [
        ("FUZZY_WATCH_DIFF_SYNC_NOTIFY", "public@@G@@app1", "ADD_SERVICE"),
        ("FUZZY_WATCH_DIFF_SYNC_NOTIFY", "public@@G@@app0", "DELETE_SERVICE"),
    ]
    assert watch(client, initializing=False, receivedGroupKeys=["public@@G@@app1"])["success"]
    assert client.ask("HealthCheckRequest")["success"]
    assert len(client.pushed(SYNC)) == 1


def test_who_cancels_is_told_nothing(client: Any, grpc_client: Clients) -> None:
    other = grpc_client()
    other.set_up()
    for one in (client, other):
        watch(one)
        until(lambda one=one: finished(one), 5, awaited="the end of the first look")
    assert watch(client, watchType="CANCEL_WATCH")["success"]
    register(other, "app1")
    until(lambda: other.pushed(CHANGE), 5, awaited="the change")
    assert client.ask("HealthCheckRequest")["success"]
    assert client.pushed(CHANGE) == []


def test_configurations_from_the_first_look_to_the_last_change(client: Any, grpc_client: Clients) -> None:
    other = grpc_client()
    other.set_up()
    for number in range(21):
        publish(other, f"app{number}")
    assert watch(client, "Config")["success"]
    until(lambda: finished(client, CONFIG_SYNC), 5, awaited="the end of the first look")
    assert set(told(client, CONFIG_SYNC, "groupKey")) == {
        ("FUZZY_WATCH_INIT_NOTIFY", f"app{number}+G+public", "ADD_CONFIG") for number in range(21)
    }
    end = client.pushed(CONFIG_SYNC)[-1]
    assert ("contexts" in end, end["totalBatch"], end["module"]) == (False, 0, "config")
    publish(other, "app-new")
    publish(other, "app-new", "y")
    other.ask("ConfigRemoveRequest", {"dataId": "app-new", "group": "G"})
    until(lambda: len(client.pushed(CONFIG_CHANGE)) > 1, 5, awaited="both changes")
    assert [(one["groupKey"], one["changeType"]) for one in client.pushed(CONFIG_CHANGE)] == [
        ("app-new+G+public", "CONFIG_CHANGED"),
        ("app-new+G+public", "DELETE_CONFIG"),
    ]


@pytest.mark.parametrize("module", ["Naming", "Config"])
def test_limits(client: Any, module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watches, "MAX_PATTERNS", 2)
    monkeypatch.setattr(watches, "MAX_MATCHED", 1)
    (register if module == "Naming" else publish)(client, "app1")
    full = watch(client, module)
    assert (full["success"], full["errorCode"]) == (False, 50311)
    assert full["message"] == "fuzzy watch pattern matched count over limit"
    assert watch(client, module, groupKeyPattern=f"public>>{module}>>*")["success"]
    refused = watch(client, module, groupKeyPattern="public>>third>>*")
    assert (refused["errorCode"], refused["message"]) == (50310, "fuzzy watch pattern over limit")


def test_what_is_no_watch(client: Any) -> None:
    kind, body = client.call("NamingFuzzyWatchRequest", {"groupKeyPattern": "public>>G>>*", "watchType": "LOOK"})
    assert (kind, body["errorCode"], body["message"]) == ("ErrorResponse", 400, "Unsupported request type LOOK")
    assert watch(client, "Config", watchType="LOOK")["success"]
    assert watch(client, groupKeyPattern="public")["errorCode"] == 500
    assert watch(client, "Config", groupKeyPattern="a b>>G>>*")["success"], "the server checks no namespace here"
    assert watch(client, receivedGroupKeys="x")["errorCode"] == 502


def test_unacknowledged_syncs_come_again(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fuzzy_pushing, "ACK_SECONDS", 0.0)
    register(client, "app1")
    client.acknowledge = False
    watch(client)
    until(lambda: len(client.pushed(SYNC)) > 1, 5, awaited="the batch again")
    assert not finished(client)
    client.acknowledge = True
    until(lambda: finished(client), 5, awaited="the end of the first look")


def operate(client: Any, act: str | None, **instance: Any) -> tuple[str, dict[str, Any]]:
    lock = {"key": "k", "lockType": "NACOS_LOCK", "expiredTime": 10_000, **instance}
    return client.call("LockOperationRequest", {"lockInstance": lock, "lockOperationEnum": act})  # type: ignore[no-any-return]


def test_locks(client: Any, grpc_client: Clients, nacos: NacosServer) -> None:
    other = grpc_client()
    other.set_up()
    results = [operate(one, act)[1]["result"] for one in (client, other) for act in ("ACQUIRE",)]
    assert results == [True, False]
    assert operate(other, "RELEASE")[1]["result"] is True
    assert operate(other, "ACQUIRE")[1]["result"] is True
    nacos.advance(11)
    assert operate(client, "ACQUIRE")[1]["result"] is True
    nacos.reset()
    assert operate(client, "ACQUIRE")[1]["result"] is True


@pytest.mark.parametrize(
    ("act", "instance", "kind", "code", "words"),
    [
        ("EXPIRE", {}, "LockOperationResponse", 0, "no Handler"),
        (None, {}, "LockOperationResponse", 0, "no Handler"),
        ("ACQUIRE", {"lockType": "X"}, "LockOperationResponse", 0, "lockType: X is not exist."),
        ("ACQUIRE", {"key": None}, "LockOperationResponse", 0, "is null"),
        ("STEAL", {}, "ErrorResponse", 502, "deserialize failed"),
        ("ACQUIRE", {"expiredTime": None}, "ErrorResponse", 500, "getExpiredTime()"),
    ],
)
def test_locks_refused(
    client: Any, act: str | None, instance: dict[str, Any], kind: str, code: int, words: str
) -> None:
    answered, body = operate(client, act, **instance)
    assert (answered, body["resultCode"], body["errorCode"], words in body["message"]) == (kind, 500, code, True)
    if kind == "LockOperationResponse":
        assert body["result"] is False
