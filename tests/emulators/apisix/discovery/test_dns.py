"""Nodes given by name: looked up once in a while, and left out when nobody knows them."""

from __future__ import annotations

import asyncio
from random import Random

import pytest

from harness.clock import ManualClock
from harness.emulators.apisix.balance.node import Node
from harness.emulators.apisix.discovery.dns import Resolver, is_name, system_look_up


class Names:
    """A resolver by hand."""

    def __init__(self) -> None:
        self.known: dict[str, list[str]] = {"a.test": ["10.0.0.1"], "six.test": ["::1"]}
        self.asked: list[str] = []

    async def __call__(self, name: str) -> list[str]:
        self.asked.append(name)
        if name not in self.known:
            raise OSError("Name or service not known")
        return self.known[name]


@pytest.fixture
def names() -> Names:
    return Names()


def test_names_become_addresses_and_keep_their_names(names: Names) -> None:
    nodes = [Node("a.test", 80, 2, 1), Node("127.0.0.1", 81), Node("[::2]", 82), Node("six.test", 83)]
    resolver = Resolver(names)
    assert resolver.known(nodes) is None
    resolved = asyncio.run(resolver.resolve(nodes))
    assert resolved == [
        Node("10.0.0.1", 80, 2, 1, "a.test"),
        Node("127.0.0.1", 81),
        Node("[::2]", 82),
        Node("[::1]", 83, domain="six.test"),
    ]
    assert resolver.known(nodes) == resolved
    assert resolved[0].named("http") == "a.test"


def test_answers_are_kept_for_a_while(names: Names) -> None:
    clock = ManualClock()
    resolver = Resolver(names, clock=clock, valid=10)
    asyncio.run(resolver.resolve([Node("a.test", 80)]))
    names.known["a.test"] = ["10.0.0.9"]
    clock.advance(9)
    assert [node.host for node in resolver.known([Node("a.test", 80)]) or ()] == ["10.0.0.1"]
    clock.advance(2)
    assert resolver.known([Node("a.test", 80)]) is None
    assert [node.host for node in asyncio.run(resolver.resolve([Node("a.test", 80)]))] == ["10.0.0.9"]
    assert names.asked == ["a.test", "a.test"]


def test_a_name_that_nobody_knows_is_left_out(names: Names) -> None:
    assert asyncio.run(Resolver(names).resolve([Node("gone.test", 80), Node("a.test", 80)])) == [
        Node("10.0.0.1", 80, domain="a.test")
    ]


def test_one_of_several_addresses_is_taken_and_ipv4_before_ipv6(names: Names) -> None:
    names.known["many.test"] = ["10.0.0.1", "10.0.0.2", "::9"]
    taken = {asyncio.run(Resolver(names, random=Random(seed)).address("many.test")) for seed in range(20)}
    assert taken == {"10.0.0.1", "10.0.0.2"}


def test_the_system_knows_localhost() -> None:
    assert "127.0.0.1" in asyncio.run(system_look_up("localhost"))
    assert [is_name(host) for host in ("localhost", "127.0.0.1", "::1", "[::1]", "1.2.3")] == [
        True,
        False,
        False,
        False,
        True,
    ]
