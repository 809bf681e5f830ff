"""Configuration: an official client publishes, reads, compares and listens; our own client is the other side."""

from __future__ import annotations

import hashlib
from typing import Any

from official.program import Program, Refused
from official.server import Server

from harness.clients.nacos import NacosClient

GROUP = "BI"
#: Seconds until a listener is told. Python's gRPC clients look at a new listener every five seconds only.
SOON = 25.0


def md5(content: str) -> str:
    return hashlib.md5(content.encode()).hexdigest()


def test_what_it_publishes_others_read(app: Program, peer: NacosClient, name: str) -> None:
    content = '{"名": "café ☕", "a+b": "1 & 2 = 3%"}\n'
    assert app.ask("publish", data_id=name, group=GROUP, content=content, type="json") is True
    assert peer.config(name, group=GROUP) == content
    assert peer.configs()[GROUP, name] == (content, "json")


def test_it_reads_what_others_publish(app: Program, peer: NacosClient, name: str) -> None:
    assert absent(app, name)
    peer.publish(name, "level: info\n名: x\n", group=GROUP, type="yaml")
    assert app.ask("get", data_id=name, group=GROUP) == "level: info\n名: x\n"


def test_what_it_removes_is_gone(app: Program, peer: NacosClient, name: str) -> None:
    peer.publish(name, "soon gone", group=GROUP)
    assert app.ask("remove", data_id=name, group=GROUP) is True
    assert peer.config(name, group=GROUP) is None
    assert absent(app, name)


def test_it_publishes_only_over_the_content_it_knows(sdk: Any, app: Program, peer: NacosClient, name: str) -> None:
    sdk.must("cas")
    peer.publish(name, "one", group=GROUP)
    where = {"data_id": name, "group": GROUP}
    assert app.ask("publish_cas", content="two", md5=md5("one"), **where) is True
    assert refused(app, "publish_cas", content="three", md5=md5("one"), **where)
    assert peer.config(name, group=GROUP) == "two"


def test_it_is_told_of_every_change(sdk: Any, server: Server, peer: NacosClient, name: str) -> None:
    app = sdk.connected(server)
    peer.publish(name, "first", group=GROUP)
    app.ask("listen", data_id=name, group=GROUP)
    for content in ("second", "third ☕", "fourth é\n" * 20):
        peer.publish(name, content, group=GROUP)
        app.told_config(name, content, SOON)


def test_a_listener_waits_for_what_is_not_there_yet(sdk: Any, server: Server, peer: NacosClient, name: str) -> None:
    # an application of its own: nacos-sdk-python 1.x asks for a second key when the long poll of the first is over
    app = sdk.connected(server)
    app.ask("listen", data_id=name, group=GROUP)
    peer.publish(name, "now it is", group=GROUP)
    app.told_config(name, "now it is", SOON)


def test_a_large_configuration_comes_back_whole(app: Program, peer: NacosClient, name: str) -> None:
    content = "é" * 300_000  # a form of 2 MB is the largest that a server with Tomcat reads
    peer.publish(name, content, group=GROUP)
    assert app.ask("get", data_id=name, group=GROUP) == content


def absent(app: Program, name: str) -> bool:
    """Whether the client sees no such configuration; nacos-sdk-go raises for it."""
    try:
        return app.ask("get", data_id=name, group=GROUP) is None
    except Refused as error:
        return "config data not exist" in str(error)


def refused(app: Program, op: str, **fields: Any) -> bool:
    """Whether the client says that it was refused: by False, or by an error."""
    try:
        return app.ask(op, **fields) is False
    except Refused:
        return True
