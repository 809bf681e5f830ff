"""The registry under any sequence of register, beat, expire, disconnect: indexes, views and change notices agree."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from harness.clock import ManualClock
from harness.emulators.nacos.errors import NacosError
from harness.emulators.nacos.naming.beats import Beats
from harness.emulators.nacos.naming.model import Instance, Overlay, ServiceKey, ServiceMetadata
from harness.emulators.nacos.naming.registry import Registry, Subscriber
from harness.emulators.nacos.naming.snapshot import restore, save

SERVICE = ServiceKey("public", "G", "s")
KEYS = [ServiceKey("public", "G", name) for name in ("a", "b")]
CONNECTIONS = ["c1", "c2"]


def host(port: int = 80, **more: object) -> Instance:
    return Instance("10.0.0.1", port, **more)  # type: ignore[arg-type]


class Consistency(RuleBasedStateMachine):
    """A model in plain dicts runs beside the registry."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = ManualClock()
        self.changed: list[ServiceKey] = []
        self.registry = Registry(self.clock, self.changed.append)
        self.beats = Beats(self.registry)
        self.published: dict[tuple[ServiceKey, str], tuple[int, ...]] = {}
        self.beaten: dict[tuple[ServiceKey, int], float] = {}
        self.sick: set[tuple[ServiceKey, int]] = set()
        self.before: dict[ServiceKey, tuple[Instance, ...]] = {}

    keys = st.sampled_from(KEYS)
    connections = st.sampled_from(CONNECTIONS)
    ports = st.integers(1, 3)

    @rule(key=keys, client=connections, ports=st.lists(ports, max_size=3, unique=True))
    def publish(self, key: ServiceKey, client: str, ports: list[int]) -> None:
        self.registry.register(key, client, [host(port, weight=2.0) for port in ports])
        self.published[key, client] = tuple(ports)

    @rule(key=keys, client=connections)
    def withdraw(self, key: ServiceKey, client: str) -> None:
        known = self.registry.deregister(key, client)
        assert known == (self.published.pop((key, client), None) is not None)

    @rule(client=connections)
    def disconnect(self, client: str) -> None:
        self.registry.disconnect(client)
        self.published = {pair: held for pair, held in self.published.items() if pair[1] != client}

    @rule(key=keys, port=ports)
    def beat(self, key: ServiceKey, port: int) -> None:
        assert self.beats.beat(key, "10.0.0.1", port, host(port))
        self.beaten[key, port] = self.clock.monotonic()
        self.sick.discard((key, port))

    @rule(key=keys, port=ports)
    def light_beat(self, key: ServiceKey, port: int) -> None:
        known = self.beats.beat(key, "10.0.0.1", port, None)
        assert known == ((key, port) in self.beaten)
        if known:
            self.beaten[key, port] = self.clock.monotonic()
            self.sick.discard((key, port))

    @rule(seconds=st.sampled_from([1, 14, 16, 31, 61]))
    def time_passes(self, seconds: int) -> None:
        self.clock.advance(seconds)
        self.beats.expire()
        self.registry.clean()
        now = self.clock.monotonic()
        expired = {pair for pair, last in self.beaten.items() if now - last >= 30}
        self.sick -= expired
        self.beaten = {pair: last for pair, last in self.beaten.items() if now - last < 30}
        self.sick |= {pair for pair, last in self.beaten.items() if now - last >= 15}

    @rule(key=keys, client=connections)
    def subscribe(self, key: ServiceKey, client: str) -> None:
        self.registry.subscribe(key, Subscriber(client))

    @rule()
    def save_and_restore(self) -> None:
        restore(self.beats, save(self.registry))
        self.beaten = {pair: self.clock.monotonic() for pair in self.beaten}

    @invariant()
    def hosts_are_those_published(self) -> None:
        for key in KEYS:
            shown = sorted((one.port, one.weight) for one in self.registry.view(key).hosts)
            expected = [(port, 2.0) for (at, _), ports in self.published.items() if at == key for port in ports]
            expected = list(dict.fromkeys(expected)) + [(port, 1.0) for at, port in self.beaten if at == key]
            assert shown == sorted(expected)

    @invariant()
    def health_follows_the_beats(self) -> None:
        for key, port in self.beaten:
            [one] = [one for one in self.registry.view(key).hosts if (one.port, one.weight) == (port, 1.0)]
            assert one.healthy == ((key, port) not in self.sick)

    @invariant()
    def indexes_mirror_the_services(self) -> None:
        registry = self.registry
        by_service = {(key, client) for key, one in registry.services.items() for client in one.publications}
        by_client = {(key, client) for client, held in registry.published_by.items() for key in held}
        assert by_service == by_client
        subscribed = {(key, client) for key, held in registry.subscribers.items() for client in held}
        assert subscribed == {(key, client) for client, held in registry.subscribed_by.items() for key in held}

    @invariant()
    def every_change_was_told(self) -> None:
        now = {key: self.registry.view(key).hosts for key in KEYS}
        differing = {key for key in KEYS if now[key] != self.before.get(key, ())}
        assert differing <= set(self.changed)
        self.before = now
        self.changed.clear()


TestConsistency = Consistency.TestCase
TestConsistency.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)


def test_last_ref_time_rises_strictly_even_when_time_stands() -> None:
    registry = Registry(ManualClock())
    stamps = [registry.next_ref() for _ in range(5)]
    assert stamps == sorted(set(stamps))


def test_a_second_registration_of_a_connection_replaces_the_first() -> None:
    registry = Registry(ManualClock())
    registry.register(SERVICE, "c", [host(1)])
    registry.register(SERVICE, "c", [host(2)])
    assert [one.port for one in registry.view(SERVICE).hosts] == [2]


def test_a_service_is_of_one_kind() -> None:
    registry = Registry(ManualClock())
    registry.register(SERVICE, "c", [host()])
    with pytest.raises(NacosError, match="ephemeral service, can't register persistent instance"):
        registry.register(SERVICE, "d", [host()], ephemeral=False)


@pytest.mark.parametrize(
    ("instance", "words"),
    [
        (host(cluster="a_b"), "only 0-9a-zA-Z-"),
        (host(metadata={"preserved.heart.beat.timeout": "1"}), "heart beat interval"),
    ],
)
def test_bad_instances_are_refused(instance: Instance, words: str) -> None:
    with pytest.raises(NacosError, match=words) as refused:
        Registry(ManualClock()).register(SERVICE, "c", [instance])
    assert refused.value.status == 400


def test_an_overlay_outlives_re_registration_and_dies_a_minute_after_its_instance() -> None:
    clock = ManualClock()
    registry = Registry(clock)
    registry.register(SERVICE, "c", [host()])
    registry.overlay(SERVICE, ("10.0.0.1", 80, "DEFAULT"), Overlay(weight=9.0, metadata={"zone": "b"}))
    registry.register(SERVICE, "c", [host(metadata={"v": "1"})])
    [shown] = registry.view(SERVICE).hosts
    assert (shown.weight, shown.metadata) == (9.0, {"v": "1", "zone": "b"})
    registry.register(SERVICE, "c", [host(81)])
    registry.clean()
    clock.advance(61)
    registry.clean()
    registry.register(SERVICE, "c", [host()])
    assert registry.view(SERVICE).hosts[0].weight == 1.0


def test_empty_services_go_after_a_minute() -> None:
    clock = ManualClock()
    registry = Registry(clock)
    registry.create_service(SERVICE, ServiceMetadata())
    clock.advance(59)
    registry.clean()
    assert SERVICE in registry.services
    clock.advance(1)
    registry.clean()
    assert SERVICE not in registry.services


def test_a_full_service_is_not_deleted() -> None:
    registry = Registry(ManualClock())
    registry.register(SERVICE, "c", [host()])
    with pytest.raises(NacosError, match="is not empty"):
        registry.delete_service(SERVICE)
    registry.deregister(SERVICE, "c")
    registry.delete_service(SERVICE)
    with pytest.raises(NacosError, match="not found"):
        registry.delete_service(SERVICE)


def test_restore_leaves_what_connections_publish() -> None:
    registry = Registry(ManualClock())
    beats = Beats(registry)
    beats.register(SERVICE, host(1))
    saved = save(registry)
    beats.register(SERVICE, host(2))
    registry.register(SERVICE, "connection", [host(3)])
    restore(beats, saved)
    assert sorted(one.port for one in registry.view(SERVICE).hosts) == [1, 3]


def test_own_intervals_in_metadata_count() -> None:
    clock = ManualClock()
    registry = Registry(clock)
    beats = Beats(registry)
    quick = {
        "preserved.heart.beat.interval": "1000",
        "preserved.heart.beat.timeout": "2000",
        "preserved.ip.delete.timeout": "3000",
    }
    beats.register(SERVICE, host(metadata=quick))
    clock.advance(2)
    beats.expire()
    assert [one.healthy for one in registry.view(SERVICE).hosts] == [False]
    clock.advance(1)
    beats.expire()
    assert registry.view(SERVICE).hosts == ()
