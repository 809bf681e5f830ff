"""The gRPC surface over the network: the connection's life, naming, configuration, pushes, garbage."""

from __future__ import annotations

import hashlib
import socket
from collections.abc import Callable, Iterator
from typing import Any

import grpc
import httpx
import pytest

from harness.emulators.nacos import NacosServer
from harness.wait import until

Clients = Callable[[], Any]
SERVICE = {"namespace": "public", "groupName": "G", "serviceName": "s"}


def instance(port: int = 80, **more: Any) -> dict[str, Any]:
    return {"ip": "10.0.0.1", "port": port, **more}


def register(client: Any, port: int = 80, **more: Any) -> dict[str, Any]:
    body = {**SERVICE, "type": "registerInstance", "instance": instance(port), **more}
    return client.ask("InstanceRequest", body)  # type: ignore[no-any-return]


def ports(client: Any) -> list[int]:
    found = client.ask("ServiceQueryRequest", SERVICE)["serviceInfo"]["hosts"]
    return sorted(host["port"] for host in found)


def pushed_ports(client: Any) -> list[list[int]]:
    """The ports of each push so far."""
    shown = (push["serviceInfo"]["hosts"] for push in client.pushed("NotifySubscriberRequest"))
    return [sorted(host["port"] for host in hosts) for hosts in shown]


# -- the connection ----------------------------------------------------------------------------------------------------


def test_server_check_comes_before_registration(grpc_client: Clients) -> None:
    kind, body = grpc_client().call("ServerCheckRequest")
    assert kind == "ServerCheckResponse"
    assert (body["success"], body["resultCode"], body["supportAbilityNegotiation"]) == (True, 200, True)
    assert body["connectionId"].split("_")[1] == "127.0.0.1"


@pytest.mark.emulator("a health check without registration fails on purpose: py 2.0.x takes the real answer for health")
def test_without_registration_calls_get_301_and_health_checks_fail(grpc_client: Clients) -> None:
    client = grpc_client()
    kind, body = client.call("ServiceQueryRequest", SERVICE)
    assert (kind, body["errorCode"], body["success"]) == ("ErrorResponse", 301, False)
    with pytest.raises(grpc.RpcError) as refused:
        client.ask("HealthCheckRequest")
    assert refused.value.code() is grpc.StatusCode.UNAVAILABLE


def test_abilities_are_told_to_those_who_negotiate(grpc_client: Clients) -> None:
    old, new = grpc_client(), grpc_client()
    old.set_up()
    new.set_up(abilityTable={})
    until(lambda: new.pushed("SetupAckRequest"), 5, awaited="the abilities")
    assert new.pushed("SetupAckRequest")[0]["abilityTable"]["supportPersistentInstanceByGrpc"] is True
    assert old.pushed("SetupAckRequest") == []


def test_the_connection_is_listed(grpc_client: Clients, nacos: NacosServer) -> None:
    connection_id = grpc_client().set_up()
    [found] = nacos.connections()
    assert (found["id"], found["version"], found["module"], found["app"]) == (connection_id, "Test:v1", "naming", "app")


@pytest.mark.parametrize("kind", ["NoSuchRequest", "", "QueryMcpServerRequest", "QueryAgentCardRequest"])
def test_unknown_types(grpc_client: Clients, kind: str) -> None:
    client = grpc_client()
    client.set_up()
    answered, body = client.call(kind)
    assert (answered, body["errorCode"], body["message"]) == ("ErrorResponse", 302, "RequestHandler Not Found")


@pytest.mark.parametrize("body", [b"{", b"[]", b"\xff\xfe", b"null", b'{"serviceName":{}}'])
def test_bodies_that_are_none(grpc_client: Clients, body: bytes) -> None:
    client = grpc_client()
    client.set_up()
    answer = client.ask("InstanceRequest", body)
    assert (answer["resultCode"], answer["errorCode"], answer["success"]) == (500, 502, False)
    assert client.ask("HealthCheckRequest")["success"]


# -- naming ------------------------------------------------------------------------------------------------------------


def test_register_query_and_death(grpc_client: Clients, nacos: NacosServer) -> None:
    dying, watching = grpc_client(), grpc_client()
    connection_id = dying.set_up()
    watching.set_up()
    assert register(dying)["type"] == "registerInstance"
    info = watching.ask("ServiceQueryRequest", SERVICE)["serviceInfo"]
    assert (info["name"], info["groupName"]) == ("s", "G")
    assert info["hosts"][0]["instanceId"] == "10.0.0.1#80##G@@s"
    assert info["hosts"][0]["clusterName"] == "DEFAULT"
    nacos.drop(connection_id)
    until(lambda: ports(watching) == [], 5, awaited="the removal")


@pytest.mark.emulator("a blank namespace over gRPC is `public` on purpose")
def test_the_blank_namespace_is_public(grpc_client: Clients, nacos: NacosServer) -> None:
    client = grpc_client()
    client.set_up()
    register(client, namespace="")
    found = httpx.get(f"{nacos.http_url}/nacos/v1/ns/instance/list?serviceName=s&groupName=G").json()
    assert [host["port"] for host in found["hosts"]] == [80]


def test_batches_replace(grpc_client: Clients) -> None:
    client = grpc_client()
    client.set_up()
    for wanted in ([1, 2, 3], [3], []):
        body = {**SERVICE, "type": "batchRegisterInstance", "instances": [instance(port) for port in wanted]}
        assert client.ask("BatchInstanceRequest", body)["success"]
        assert ports(client) == wanted


def test_persistent_instances_outlive_the_connection(grpc_client: Clients) -> None:
    first, second = grpc_client(), grpc_client()
    first.set_up()
    second.set_up()
    body = {**SERVICE, "type": "registerInstance", "instance": instance(ephemeral=False)}
    assert first.ask("PersistentInstanceRequest", body)["success"]
    first.channel.close()
    assert ports(second) == [80]
    assert second.ask("PersistentInstanceRequest", {**body, "type": "deregisterInstance"})["success"]
    assert ports(second) == []


def test_naming_refusals(grpc_client: Clients) -> None:
    client = grpc_client()
    client.set_up()
    wrong = register(client, type="nonsense")
    assert (wrong["errorCode"], wrong["message"]) == (400, "Unsupported request type nonsense")
    kind, illegal = client.call("InstanceRequest", {**SERVICE, "serviceName": "a b", "type": "registerInstance"})
    assert (kind, illegal["errorCode"]) == ("InstanceResponse", 400)
    barred = register(client, instance=instance(clusterName="a_b"))
    assert (barred["errorCode"], "clusterName" in barred["message"]) == (400, True)
    assert client.ask("ServiceListRequest", {"pageNo": 1, "pageSize": 9})["serviceNames"] == []


def test_pushes_reach_subscribers_with_rising_stamps(grpc_client: Clients, nacos: NacosServer) -> None:
    watching, working = grpc_client(), grpc_client()
    watching.set_up()
    working.set_up()
    first = watching.ask("SubscribeServiceRequest", {**SERVICE, "clusters": "", "subscribe": True})
    [welcome] = until(lambda: watching.pushed("NotifySubscriberRequest"), 5, awaited="the push to a new subscriber")
    stamps = [shown["serviceInfo"]["lastRefTime"] for shown in (first, welcome)]
    for port in (1, 2):
        register(working, port)
        until(lambda: len(watching.pushed("NotifySubscriberRequest")) > len(stamps) - 1, 5, awaited="a push")
        pushed = watching.pushed("NotifySubscriberRequest")[-1]
        assert [host["port"] for host in pushed["serviceInfo"]["hosts"]] == [port]
        assert (pushed["module"], pushed["serviceInfo"]["name"]) == ("naming", "s")
        stamps.append(pushed["serviceInfo"]["lastRefTime"])
    assert stamps == sorted(set(stamps))
    until(lambda: all(push["ack_ms"] is not None for push in nacos.pushes()), 5, awaited="the acknowledgements")
    watching.ask("SubscribeServiceRequest", {**SERVICE, "clusters": "", "subscribe": False})
    register(working, 3)
    assert ports(watching) == [3]
    assert len(watching.pushed("NotifySubscriberRequest")) == 3


def test_a_new_subscriber_is_pushed_the_service_once(grpc_client: Clients) -> None:
    """The Java client drops the answer when it subscribes again after a lost connection: it lives by this push."""
    one, other = grpc_client(), grpc_client()
    one.set_up()
    other.set_up()
    register(one, 1)
    for client in (one, other):
        for _ in range(2):
            client.ask("SubscribeServiceRequest", {**SERVICE, "clusters": "", "subscribe": True})
        until(lambda of=client: pushed_ports(of) == [[1]], 5, awaited="the push to the new subscriber")
    register(one, 2)
    for client in (one, other):
        until(lambda of=client: len(pushed_ports(of)) > 1, 5, awaited="the change")
        assert pushed_ports(client) == [[1], [2]]


def test_a_reset_tells_subscribers_and_keeps_connections(grpc_client: Clients, nacos: NacosServer) -> None:
    client = grpc_client()
    client.set_up()
    register(client, 1)
    httpx.post(f"{nacos.http_url}/nacos/v1/ns/instance?serviceName=s&groupName=G&ip=10.0.0.2&port=2")
    client.ask("SubscribeServiceRequest", {**SERVICE, "subscribe": True})
    nacos.reset()
    until(lambda: pushed_ports(client)[-1] == [1], 5, awaited="the push after the reset")
    assert ports(client) == [1]


def test_a_large_service_is_pushed_through_flow_control(grpc_client: Clients) -> None:
    watching, working = grpc_client(), grpc_client()
    watching.set_up()
    working.set_up()
    watching.ask("SubscribeServiceRequest", {**SERVICE, "subscribe": True})
    many = [instance(port, metadata={"filler": "x" * 300}) for port in range(1, 1001)]
    working.ask("BatchInstanceRequest", {**SERVICE, "type": "batchRegisterInstance", "instances": many})
    until(lambda: len(pushed_ports(watching)[-1]) == 1000, 10, awaited="a push of half a megabyte")


# -- configuration -----------------------------------------------------------------------------------------------------

KEY = {"dataId": "d", "group": "G", "tenant": ""}


def test_configuration_from_publish_to_removal(grpc_client: Clients) -> None:
    client = grpc_client()
    client.set_up()
    missing = client.ask("ConfigQueryRequest", KEY)
    assert (missing["errorCode"], missing["message"]) == (300, "config data not exist")
    more = {"type": "yaml", "encryptedDataKey": "k"}
    assert client.ask("ConfigPublishRequest", {**KEY, "content": "a: 1", "additionMap": more})["success"]
    found = client.ask("ConfigQueryRequest", KEY)
    assert (found["content"], found["contentType"], found["encryptedDataKey"]) == ("a: 1", "yaml", "k")
    assert found["md5"] == hashlib.md5(b"a: 1").hexdigest()
    assert "tag" not in found and found["lastModified"] > 0
    refused = client.ask("ConfigPublishRequest", {**KEY, "content": "a: 2", "casMd5": "0"})
    assert (refused["errorCode"], refused["message"]) == (500, "Cas publish fail, server md5 may have changed.")
    for _ in range(2):
        assert client.ask("ConfigRemoveRequest", KEY)["success"]


def listen(client: Any, md5: str = "", **more: Any) -> list[dict[str, str]]:
    body = {"listen": True, "configListenContexts": [{**KEY, "md5": md5, **more}]}
    return client.ask("ConfigBatchListenRequest", body)["changedConfigs"]  # type: ignore[no-any-return]


@pytest.mark.nacos_3
def test_listeners_are_told_in_their_own_spelling(grpc_client: Clients) -> None:
    blank, public, publisher = grpc_client(), grpc_client(), grpc_client()
    for client in (blank, public, publisher):
        client.set_up()
    assert listen(blank) == []
    assert listen(public, tenant="public") == []
    publisher.ask("ConfigPublishRequest", {**KEY, "content": "x"})
    for client, tenant in ((blank, ""), (public, "public")):
        until(lambda client=client: client.pushed("ConfigChangeNotifyRequest"), 5, awaited="a notice")
        assert client.pushed("ConfigChangeNotifyRequest")[0].get("tenant", "") == tenant
        assert listen(client, tenant=tenant) == [{**KEY, "tenant": tenant}]
    publisher.ask("ConfigPublishRequest", {**KEY, "content": "x"})
    blank.ask("ConfigBatchListenRequest", {"listen": False, "configListenContexts": [{**KEY, "md5": ""}]})
    publisher.ask("ConfigRemoveRequest", KEY)
    until(lambda: len(public.pushed("ConfigChangeNotifyRequest")) == 2, 5, awaited="the notice of the removal")
    assert len(blank.pushed("ConfigChangeNotifyRequest")) == 1


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({**KEY, "content": " "}, "content is blank"),
        ({**KEY, "dataId": "a b", "content": "x"}, "illegal characters"),
        ({**KEY, "dataId": "x" * 300, "content": "x"}, "should not exceed 256"),
    ],
)
def test_configuration_refusals(grpc_client: Clients, body: dict[str, str], words: str) -> None:
    client = grpc_client()
    client.set_up()
    answer = client.ask("ConfigPublishRequest", body)
    assert (answer["errorCode"], words in answer["message"]) == (400, True)


def test_ten_megabytes_are_the_limit(grpc_client: Clients) -> None:
    client = grpc_client()
    client.set_up()
    nearly = "x" * (10 * 1024 * 1024 - 1000)
    assert client.ask("ConfigPublishRequest", {**KEY, "content": nearly})["success"]
    assert len(client.ask("ConfigQueryRequest", KEY)["content"]) == len(nearly)
    with pytest.raises(grpc.RpcError) as refused:
        client.ask("ConfigPublishRequest", {**KEY, "content": "x" * (11 * 1024 * 1024)})
    assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert client.ask("HealthCheckRequest")["success"]


# -- auth --------------------------------------------------------------------------------------------------------------


@pytest.fixture
def locked() -> Iterator[NacosServer]:
    with NacosServer(auth="root:pw") as running:
        yield running


def test_auth_over_grpc(locked: NacosServer, grpc_client_of: Callable[[NacosServer], Any]) -> None:
    client = grpc_client_of(locked)
    client.set_up()
    kind, refused = client.call("ConfigQueryRequest", KEY)
    assert (kind, refused["errorCode"]) == ("ConfigQueryResponse", 403)
    token = httpx.post(f"{locked.http_url}/nacos/v1/auth/login?username=root&password=pw").json()["accessToken"]
    assert client.ask("ConfigQueryRequest", KEY, {"accessToken": token})["errorCode"] == 300
    assert client.ask("ConfigQueryRequest", KEY, {"username": "root", "password": "pw"})["errorCode"] == 300
    assert client.ask("ConfigQueryRequest", KEY, {"accessToken": "a.b.c"})["errorCode"] == 403


# -- garbage -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "garbage",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x00" * 100,
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\x00\x00\x05\x04" + b"\xff" * 200,
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\x00\x00\x05\x00\x00\x00\x00\x00\x01hello",
    ],
)
def test_garbage_ends_its_own_connection_only(grpc_client: Clients, nacos: NacosServer, garbage: bytes) -> None:
    client = grpc_client()
    client.set_up()
    with socket.create_connection(("127.0.0.1", nacos.grpc_port)) as rude:
        rude.settimeout(5)
        rude.sendall(garbage)
        try:
            while rude.recv(65536):
                pass
        except ConnectionResetError:
            pass
    assert client.ask("HealthCheckRequest")["success"]


def test_messages_that_are_no_protobuf(grpc_client: Clients) -> None:
    client = grpc_client()
    client.set_up()
    raw = client.channel.unary_unary("/Request/request", request_serializer=bytes, response_deserializer=bytes)
    with pytest.raises(grpc.RpcError) as refused:
        raw(b"\x12\xff\xff", timeout=5)
    assert refused.value.code() is grpc.StatusCode.UNKNOWN
    unknown = client.channel.unary_unary("/No/such", request_serializer=bytes, response_deserializer=bytes)
    with pytest.raises(grpc.RpcError) as refused:
        unknown(b"", timeout=5)
    assert refused.value.code() is grpc.StatusCode.UNIMPLEMENTED
    assert client.ask("HealthCheckRequest")["success"]


def test_garbage_on_the_stream_is_passed_over(grpc_client: Clients) -> None:
    client = grpc_client()
    client.set_up()
    client.send("NotifySubscriberResponse", b"\xff{")
    client.send("Nonsense", [])
    assert client.ask("HealthCheckRequest")["success"]


# -- faults ------------------------------------------------------------------------------------------------------------


def test_failing_and_freezing_calls(grpc_client: Clients, nacos: NacosServer) -> None:
    client = grpc_client()
    client.set_up()
    nacos.fail_next("InstanceRequest", status=503, message="no")
    assert register(client)["errorCode"] == 503
    assert register(client)["success"]
    nacos.freeze()
    with pytest.raises(grpc.RpcError) as late:
        client.call("HealthCheckRequest", timeout=0.2)
    assert late.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    nacos.thaw()
    assert client.ask("HealthCheckRequest")["success"]
