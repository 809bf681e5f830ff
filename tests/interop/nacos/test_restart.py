"""A server that is killed and comes back empty on its ports: the official clients bring back what they had there."""

from __future__ import annotations

from typing import Any

from official.server import Server

from harness.wait import until

GROUP = "BI"
IP = "10.0.0.1"
#: Seconds until a client has done everything again: nacos-sdk-python looks every 30 s for what is to be redone.
REDONE = 90.0
SOON = 25.0


def test_what_it_registered_is_registered_again(sdk: Any, own_server: Server, name: str) -> None:
    peer, app = own_server.peer(), sdk.connected(own_server)
    own = {"ip": IP, "port": 8080, "weight": 2.0, "metadata": {"zone": "a"}, "ephemeral": True}
    app.ask("register", service=name, group=GROUP, **own)
    assert peer.instances(name, group=GROUP)
    restart(own_server)
    [host] = until(lambda: peer.instances(name, group=GROUP), REDONE, awaited="the instance to be registered again")
    assert (host["port"], host["weight"], host["metadata"]) == (8080, 2.0, {"zone": "a"})


def test_a_listener_is_told_again(sdk: Any, own_server: Server, name: str) -> None:
    peer, app = own_server.peer(), sdk.connected(own_server)
    app.ask("listen", data_id=name, group=GROUP)
    peer.publish(name, "before", group=GROUP)
    app.told_config(name, "before", SOON)
    restart(own_server)
    peer.publish(name, "after", group=GROUP)
    app.told_config(name, "after", REDONE)
    peer.publish(name, "and on", group=GROUP)
    app.told_config(name, "and on", SOON)


def test_a_subscriber_is_told_again(sdk: Any, own_server: Server, name: str) -> None:
    sdk.must("subscribe over a restart")
    peer, app = own_server.peer(), sdk.connected(own_server)
    peer.register(name, IP, 9090, group=GROUP)
    app.ask("subscribe", service=name, group=GROUP)
    peer.register(name, IP, 9091, group=GROUP)
    app.told_ports(name, {9090, 9091}, SOON)
    restart(own_server)
    lasting = {"preserved.heart.beat.timeout": "3600000", "preserved.ip.delete.timeout": "3600000"}
    peer.register(name, IP, 9092, group=GROUP, metadata=lasting)
    app.told_ports(name, {9092}, REDONE)
    peer.register(name, IP, 9093, group=GROUP, metadata=lasting)
    app.told_ports(name, {9092, 9093}, SOON)


def restart(server: Server) -> None:
    server.kill()
    server.start()
