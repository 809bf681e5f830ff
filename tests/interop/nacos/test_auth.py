"""Authentication: an official client with the right password is served, with a wrong one or none it is refused."""

from __future__ import annotations

from typing import Any

import pytest
from official.program import Refused
from official.server import Server

GROUP = "BI"


def test_with_the_right_password_it_is_served(sdk: Any, guarded: Server, name: str) -> None:
    peer, app = guarded.peer(), sdk.connected(guarded)
    assert app.ask("publish", data_id=name, group=GROUP, content="secret", type="text") is True
    assert app.ask("get", data_id=name, group=GROUP) == peer.config(name, group=GROUP) == "secret"
    assert app.ask("register", **instance(name)) is True
    assert [host["port"] for host in peer.instances(name, group=GROUP)] == [8080]
    assert [host["port"] for host in app.ask("instances", service=name, group=GROUP)] == [8080]


@pytest.mark.parametrize(
    "who", [{"username": "nacos", "password": "wrong"}, {"username": "", "password": ""}], ids=["wrong", "none"]
)
def test_without_the_password_nothing_is_served(sdk: Any, guarded: Server, name: str, who: dict[str, str]) -> None:
    peer = guarded.peer()
    peer.publish(f"{name}-kept", "secret", group=GROUP)
    assert refused(sdk, guarded, who, "publish", data_id=name, group=GROUP, content="mine", type="text")
    assert refused(sdk, guarded, who, "register", **instance(name))
    assert refused(sdk, guarded, who, "get", data_id=f"{name}-kept", group=GROUP)
    assert peer.config(name, group=GROUP) is None
    assert peer.instances(name, group=GROUP) == []


def instance(name: str) -> dict[str, Any]:
    own = {"ip": "10.0.0.1", "port": 8080, "weight": 1.0, "metadata": {}, "ephemeral": True}
    return {"service": name, "group": GROUP, **own}


def refused(sdk: Any, server: Server, who: dict[str, str], op: str, **fields: Any) -> bool:
    """Whether a client is refused: when it connects or when it asks, by an error or by False."""
    try:
        return sdk.connected(server, **who).ask(op, **fields) in (False, None)
    except Refused:
        return True
