"""Authentication: an official client with the right password is served, with a wrong one or none it is refused."""

from __future__ import annotations

from typing import Any

import pytest
from official.program import Program, Refused
from official.server import Server

GROUP = "BI"
#: What the SDKs say when they are refused; the npm client names no reason when it registers.
REFUSALS = ("403", "401", "Insufficient privilege", "get access token failed", "after all servers")
WRONG = {"username": "nacos", "password": "wrong"}
NOBODY = {"username": "", "password": ""}


def test_with_the_right_password_it_reads(sdk: Any, guarded: Server, name: str) -> None:
    peer, app = guarded.peer(), sdk.connected(guarded)
    peer.publish(name, "secret", group=GROUP)
    peer.register(name, "10.0.0.1", 8080, group=GROUP)
    assert app.ask("get", data_id=name, group=GROUP) == "secret"
    assert [host["port"] for host in app.ask("instances", service=name, group=GROUP)] == [8080]


def test_with_the_right_password_it_writes(sdk: Any, guarded: Server, name: str) -> None:
    sdk.must("write with a password")
    peer, app = guarded.peer(), sdk.connected(guarded)
    assert app.ask("publish", data_id=name, group=GROUP, content="secret", type="text") is True
    assert app.ask("register", **instance(name)) is True
    assert peer.config(name, group=GROUP) == "secret"
    assert [host["port"] for host in peer.instances(name, group=GROUP)] == [8080]


@pytest.mark.parametrize("who", [WRONG, NOBODY], ids=["wrong", "none"])
def test_without_the_password_nothing_is_served(sdk: Any, guarded: Server, name: str, who: dict[str, str]) -> None:
    peer = guarded.peer()
    peer.publish(f"{name}-kept", "secret", group=GROUP)
    try:
        app = sdk.connected(guarded, **who)
    except Refused as error:
        assert "All server are not available" in str(error)  # 1.x logs in at once; 3.0.3 refuses with 500
    else:
        assert refused(app, "get", data_id=f"{name}-kept", group=GROUP)
        assert refused(app, "publish", data_id=name, group=GROUP, content="mine", type="text")
        assert refused(app, "register", **instance(name))
    assert peer.config(name, group=GROUP) is None
    assert peer.instances(name, group=GROUP) == []


def instance(name: str) -> dict[str, Any]:
    own = {"ip": "10.0.0.1", "port": 8080, "weight": 1.0, "metadata": {}, "ephemeral": True}
    return {"service": name, "group": GROUP, **own}


def refused(app: Program, op: str, **fields: Any) -> bool:
    """Whether the client says that it was refused: by False, or by an error that tells it."""
    try:
        return app.ask(op, **fields) is False
    except Refused as error:
        return any(refusal in str(error) for refusal in REFUSALS)
