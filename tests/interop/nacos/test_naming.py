"""Naming: an official client registers, lists and subscribes; our own client is the other side."""

from __future__ import annotations

from typing import Any

from official.program import Program
from official.server import Server

from harness.clients.nacos import NacosClient
from harness.wait import until

GROUP = "BI"
IP = "10.0.0.1"
#: Of an instance that outlives its heart-beats, milliseconds.
LASTING = {"preserved.heart.beat.timeout": "3600000", "preserved.ip.delete.timeout": "3600000"}
#: Seconds until a subscriber is told: by a push at once, by nacos-sdk-python 1.x when it looks again.
SOON = 15.0
#: Seconds until an instance that lives by beats is gone for certain: the beat that was under way when its client took
#: it out registers it anew, as a real server does (InstanceOperatorClientImpl.handleBeat, 2.5.1), for 30 s more.
AFTER_A_LAST_BEAT = 45.0


def instance(service: str, port: int, **more: Any) -> dict[str, Any]:
    own = {"weight": 1.0, "metadata": {}, "ephemeral": True, **more}
    return {"service": service, "group": GROUP, "ip": IP, "port": port, **own}


def ports(peer: NacosClient, service: str) -> set[int]:
    return {host["port"] for host in peer.instances(service, group=GROUP)}


def seen(peer: NacosClient, service: str, expected: set[int], within: float = SOON) -> None:
    until(lambda: ports(peer, service) == expected, within, awaited=f"{service} with the ports {expected}")


def test_what_it_registers_others_see_until_it_takes_it_out(
    sdk: Any, app: Program, peer: NacosClient, name: str
) -> None:
    assert app.ask("register", **instance(name, 8080, weight=2.5, metadata={"zone": "a", "名": "é"})) is True
    seen(peer, name, {8080})
    [host] = peer.instances(name, group=GROUP)
    assert (host["ip"], host["weight"], host["healthy"], host["ephemeral"]) == (IP, 2.5, True, True)
    assert host["clusterName"] == "DEFAULT"
    assert {"zone": "a", "名": "é"}.items() <= host["metadata"].items()
    assert app.ask("deregister", service=name, group=GROUP, ip=IP, port=8080, ephemeral=True) is True
    seen(peer, name, set(), AFTER_A_LAST_BEAT if sdk.client.by_beats else SOON)


def test_it_lists_what_others_register(app: Program, peer: NacosClient, name: str) -> None:
    peer.register(name, IP, 8080, group=GROUP, weight=3.0, metadata={"zone": "b"})
    peer.register(name, IP, 8081, group=GROUP)
    found = {host["port"]: host for host in app.ask("instances", service=name, group=GROUP)}
    assert set(found) == {8080, 8081}
    assert (found[8080]["ip"], found[8080]["weight"], found[8080]["healthy"]) == (IP, 3.0, True)
    assert found[8080]["metadata"] == {"zone": "b"}


def test_it_lists_a_group_s_services(sdk: Any, app: Program, peer: NacosClient, name: str) -> None:
    sdk.must("services")
    for number in range(3):
        peer.register(f"{name}-{number}", IP, 8080, group=name)
    assert sorted(app.ask("services", group=name)) == [f"{name}-{number}" for number in range(3)]


def test_a_subscriber_is_told_of_every_change(app: Program, peer: NacosClient, name: str) -> None:
    peer.register(name, IP, 8080, group=GROUP, metadata=LASTING)
    app.ask("subscribe", service=name, group=GROUP)
    peer.register(name, IP, 8081, group=GROUP, metadata=LASTING)
    app.told_ports(name, {8080, 8081}, SOON)
    peer.register(name, IP, 8082, group=GROUP, metadata=LASTING)
    app.told_ports(name, {8080, 8081, 8082}, SOON)
    peer.deregister(name, IP, 8081, group=GROUP)
    app.told_ports(name, {8080, 8082}, SOON)


def test_a_subscriber_is_told_of_another_s_death(sdk: Any, own_server: Server, name: str) -> None:
    peer = own_server.peer()
    peer.register(name, IP, 8080, group=GROUP, metadata=LASTING)
    subscriber, victim = sdk.connected(own_server), sdk.connected(own_server)
    subscriber.ask("subscribe", service=name, group=GROUP)
    victim.ask("register", **instance(name, 9090))
    subscriber.told_ports(name, {8080, 9090}, SOON)
    victim.kill()
    if sdk.client.by_beats:
        own_server.advance(31)
    subscriber.told_ports(name, {8080}, SOON)
    assert ports(peer, name) == {8080}


def test_a_batch_is_registered_replaced_and_dies_with_its_client(sdk: Any, own_server: Server, name: str) -> None:
    sdk.must("batch")
    peer, owner = own_server.peer(), sdk.connected(own_server)
    assert owner.ask("batch", service=name, group=GROUP, ip=IP, ports=[8080, 8081, 8082]) is True
    seen(peer, name, {8080, 8081, 8082})
    assert owner.ask("batch", service=name, group=GROUP, ip=IP, ports=[8080, 8083]) is True
    seen(peer, name, {8080, 8083})
    owner.kill()
    seen(peer, name, set())


def test_a_persistent_instance_outlives_its_client(sdk: Any, own_server: Server, name: str) -> None:
    peer, owner = own_server.peer(), sdk.connected(own_server)
    assert owner.ask("register", **instance(name, 8080, ephemeral=False)) is True
    seen(peer, name, {8080})
    owner.ask("register", **instance(f"{name}-short", 8081))
    seen(peer, f"{name}-short", {8081})
    owner.kill()
    if sdk.client.by_beats:
        own_server.advance(31)
    seen(peer, f"{name}-short", set())
    assert ports(peer, name) == {8080}


def test_namespaces_are_apart(sdk: Any, server: Server, peer: NacosClient, name: str) -> None:
    peer.create_namespace(name, name)
    app = sdk.connected(server, namespace=name)
    assert app.ask("publish", data_id=name, group=GROUP, content="here only", type="text") is True
    assert app.ask("register", **instance(name, 8080)) is True
    assert peer.config(name, group=GROUP, namespace=name) == "here only"
    assert [host["port"] for host in peer.instances(name, group=GROUP, namespace=name)] == [8080]
    assert peer.config(name, group=GROUP) is None
    assert ports(peer, name) == set()
