"""Which node a request gets, compared with what the real gateway gave where it is certain."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.clock import ManualClock
from harness.emulators.apisix.balance.node import Node, parse_nodes
from harness.emulators.apisix.balance.picker import Balancing, Picker
from harness.emulators.apisix.consumers import ConsumerEntry

Make = Callable[..., Any]


def picker(nodes: Any, type: str = "roundrobin", **conf: Any) -> Picker:
    balancing = Balancing(ManualClock(), Random(7))
    return Picker({"type": type, **conf}, parse_nodes(nodes), balancing)


def ports(made: Picker, requests: list[Any]) -> list[int]:
    return [node.port for ctx in requests if (node := made.pick(ctx)) is not None]


def test_nodes_as_map_and_as_list() -> None:
    assert parse_nodes({"a.test": 2, "[::1]:80": 1}, "https") == [Node("a.test", 443, 2), Node("[::1]", 80, 1)]
    listed = parse_nodes([{"host": "::1", "port": 8, "weight": 1, "priority": -1, "metadata": {"a": "b"}}])
    assert listed == [Node("[::1]", 8, 1, -1)] and listed[0].address == "[::1]:8"
    assert [Node("h", 443).named("https"), Node("h", 80).named("https")] == ["h", "h:80"]


@pytest.mark.parametrize(
    ("weights", "turns", "expected"),
    [
        ([1, 1], 8, {1: 4, 2: 4}),
        ([3, 1, 0], 8, {1: 6, 2: 2}),
        ([2, 1], 6, {1: 4, 2: 2}),
        ([0, 0], 4, {1: 2, 2: 2}),
        ([0.5, 1.0], 6, {1: 2, 2: 4}),
    ],
)
def test_round_robin_by_weight(weights: list[float], turns: int, expected: dict[int, int], request_of: Make) -> None:
    made = picker([{"host": "n", "port": port, "weight": weight} for port, weight in enumerate(weights, 1)])
    assert Counter(ports(made, [request_of()] * turns)) == expected


@given(weights=st.lists(st.integers(0, 9), min_size=2, max_size=6).filter(any), seed=st.integers(0, 99))
def test_a_cycle_of_round_robin_gives_each_node_its_weight(weights: list[int], seed: int, request_of: Make) -> None:
    nodes = [Node("n", port, weight) for port, weight in enumerate(weights)]
    made = Picker({}, nodes, Balancing(ManualClock(), Random(seed)))
    ctx = request_of()
    ports(made, [ctx] * len(nodes) * 9)  # the first cycle may begin anywhere in its first level
    cycle = Counter(ports(made, [ctx] * sum(weights)))
    assert all(cycle[port] == weight for port, weight in enumerate(weights))


def test_the_hash_is_that_of_the_real_one(request_of: Make) -> None:
    nodes = {f"127.0.0.1:{port}": 1 for port in (21980, 21981, 21982)}
    made = picker(nodes, "chash", hash_on="header", key="X-User")
    found = ports(made, [request_of(headers=[("X-User", f"u{i}")]) for i in range(12)])
    assert [port % 10 for port in found] == [0, 0, 0, 1, 2, 1, 0, 2, 0, 2, 2, 0]
    assert ports(made, [request_of()]) == [21981]  # by the client's address

    weighted = [{"host": "127.0.0.1", "port": 21980, "weight": 1}, {"host": "127.0.0.1", "port": 21981, "weight": 2}]
    found = ports(picker(weighted, "chash", key="uri"), [request_of(f"/u/{i}") for i in range(12)])
    assert [port % 10 for port in found] == [0, 1, 1, 0, 0, 0, 0, 1, 0, 1, 1, 0]


@pytest.mark.parametrize(
    ("hash_on", "key", "given_request"),
    [
        ("vars", "arg_id", {"query": "id=5"}),
        ("cookie", "sid", {"headers": [("Cookie", "sid=5")]}),
        ("consumer", "", {"consumer": ConsumerEntry("5", {})}),
        ("vars_combinations", "$arg_id", {"query": "id=5"}),
    ],
)
def test_every_source_of_the_key_hashes_alike(hash_on: str, key: str, given_request: Any, request_of: Make) -> None:
    nodes = {f"127.0.0.1:{port}": 1 for port in range(9000, 9020)}
    plain = picker(nodes, "chash", key="http_x").pick(request_of(headers=[("x", "5")]))
    made = picker(nodes, "chash", hash_on=hash_on, key=key)
    assert made.pick(request_of(**given_request)) == plain
    assert made.pick(request_of()) == picker(nodes, "chash", key="remote_addr").pick(request_of())


@pytest.mark.parametrize("type", ["roundrobin", "chash", "ewma", "least_conn"])
def test_tries_go_through_all_nodes_and_priorities_then_end(type: str, request_of: Make) -> None:
    nodes = [Node("n", port, 1, priority) for port, priority in ((1, 5), (2, 5), (3, 0), (4, -1))]
    made = Picker({"type": type, "key": "uri"}, nodes, Balancing(ManualClock(), Random(3)))
    ctx, tried = request_of(), []
    while (node := made.pick(ctx, tried)) is not None:
        tried.append(node)
        made.done(node)
    assert sorted(node.port for node in tried[:2]) == [1, 2]
    assert [node.port for node in tried[2:]] == [3, 4]


def test_a_lone_node_is_tried_again(request_of: Make) -> None:
    for type in ("roundrobin", "least_conn"):
        made = picker({"n:1": 1}, type)
        node = made.pick(request_of())
        assert node is not None and made.pick(request_of(), [node]) == node


def test_least_conn_counts_what_is_under_way_over_changes_of_the_nodes(request_of: Make) -> None:
    balancing = Balancing(ManualClock(), Random(1))
    first = Picker({"type": "least_conn"}, [Node("n", 1), Node("n", 2)], balancing, key="/upstreams/1")
    taken = [first.pick(request_of()) for _ in range(4)]
    assert Counter(node.port for node in taken if node) == {1: 2, 2: 2}
    second = Picker({"type": "least_conn"}, [Node("n", 1), Node("n", 3)], balancing, key="/upstreams/1")
    assert ports(second, [request_of()] * 2) == [3, 3]
    weighted = picker([{"host": "n", "port": 1, "weight": 3}, {"host": "n", "port": 2, "weight": 1}], "least_conn")
    assert Counter(ports(weighted, [request_of()] * 8)) == {1: 6, 2: 2}


def test_ewma_prefers_the_faster_and_forgets(request_of: Make) -> None:
    clock = ManualClock()
    made = Picker({"type": "ewma"}, [Node("n", 1), Node("n", 2)], Balancing(clock, Random(1)))
    made.done(Node("n", 1), 2.0)
    assert set(ports(made, [request_of()] * 20)) == {2}
    clock.advance(61)
    assert set(ports(made, [request_of()] * 20)) == {1, 2}


class Sick:
    """Health by hand."""

    def __init__(self) -> None:
        self.version = 0
        self.ports: set[int] = set()

    def is_healthy(self, node: Node) -> bool:
        return node.port not in self.ports


@pytest.mark.parametrize("type", ["roundrobin", "chash", "ewma", "least_conn"])
def test_sick_nodes_are_left_out_unless_all_are_sick(type: str, request_of: Make) -> None:
    health = Sick()
    nodes = [Node("n", 1, 1, 1), Node("n", 2), Node("n", 3)]
    made = Picker({"type": type, "key": "uri"}, nodes, Balancing(ManualClock(), Random(2)), health=health)
    asked = [request_of(f"/{index}") for index in range(30)]
    assert set(ports(made, asked)) == {1}
    health.ports, health.version = {1, 2}, 1
    assert set(ports(made, asked)) == {3}
    health.ports, health.version = {1, 2, 3}, 2
    assert set(ports(made, asked)) == {1}


def test_a_sick_node_moves_no_key_of_the_others(request_of: Make) -> None:
    health = Sick()
    nodes = [Node("n", port) for port in range(1, 6)]
    made = Picker({"type": "chash", "key": "uri"}, nodes, Balancing(ManualClock(), Random(2)), health=health)
    asked = [request_of(f"/{index}") for index in range(60)]
    before = ports(made, asked)
    health.ports, health.version = {2}, 1
    after = ports(made, asked)
    assert 2 in before and 2 not in after
    assert all(old == new for old, new in zip(before, after, strict=True) if old != 2)


def test_the_same_nodes_leave_the_turns_alone(request_of: Make) -> None:
    made = picker({"n:1": 1, "n:2": 1, "n:3": 1})
    first = ports(made, [request_of()])
    assert not made.set_nodes(made.nodes)
    assert sorted(first + ports(made, [request_of()] * 2)) == [1, 2, 3]
    assert made.set_nodes([Node("n", 9)])
    assert ports(made, [request_of()]) == [9]


def test_a_hash_takes_weights_by_their_ratio(request_of: Make) -> None:
    asked = [request_of(f"/{index}") for index in range(50)]
    fractions = [{"host": "n", "port": 1, "weight": 0.5}, {"host": "n", "port": 2, "weight": 1.5}]
    whole = [{"host": "n", "port": 1, "weight": 2}, {"host": "n", "port": 2, "weight": 6}]
    assert ports(picker(fractions, "chash", key="uri"), asked) == ports(picker(whole, "chash", key="uri"), asked)


def test_a_hash_without_any_weight_finds_nobody(request_of: Make) -> None:
    assert picker({"n:1": 0, "n:2": 0}, "chash", key="uri").pick(request_of()) is None


def test_an_unknown_type_is_refused() -> None:
    with pytest.raises(ValueError, match="invalid balancer type: nope"):
        picker({}, "nope")
