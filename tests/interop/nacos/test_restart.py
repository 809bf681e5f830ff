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


def test_after_a_restart_everything_is_there_again(sdk: Any, own_server: Server, name: str) -> None:
    peer, app = own_server.peer(), sdk.connected(own_server)
    other = f"{name}-other"
    own = {"ip": IP, "port": 8080, "weight": 2.0, "metadata": {"zone": "a"}, "ephemeral": True}
    app.ask("register", service=name, group=GROUP, **own)
    peer.register(other, IP, 9090, group=GROUP)
    app.ask("subscribe", service=other, group=GROUP)
    peer.register(other, IP, 9091, group=GROUP)
    app.told_ports(other, {9090, 9091}, SOON)
    app.ask("listen", data_id=name, group=GROUP)
    peer.publish(name, "before", group=GROUP)
    app.told_config(name, "before", SOON)

    own_server.kill()
    own_server.start()

    peer.publish(name, "after", group=GROUP)
    peer.register(other, IP, 9092, group=GROUP, metadata={"preserved.ip.delete.timeout": "3600000"})
    app.told_config(name, "after", REDONE)
    [host] = until(lambda: peer.instances(name, group=GROUP), REDONE, awaited="the instance to be registered again")
    assert (host["port"], host["weight"], host["metadata"]) == (8080, 2.0, {"zone": "a"})
    app.told_ports(other, {9092}, REDONE)
    peer.publish(name, "and on", group=GROUP)
    app.told_config(name, "and on", SOON)
