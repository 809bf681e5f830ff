"""Active health checks without sockets: what is probed when, and what the outcomes do."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import Any

import pytest

from harness.clock import ManualClock
from harness.emulators.nacos.naming.beats import Beats
from harness.emulators.nacos.naming.model import ClusterSettings, Instance, ServiceKey, ServiceMetadata
from harness.emulators.nacos.naming.probes import Answer, Outcome, Probe, Probes, Verdict, judge, link, next_interval
from harness.emulators.nacos.naming.registry import Registry
from harness.emulators.nacos.naming.switches import HealthParams, Switches

KEY = ServiceKey("public", "G", "s")
TCP = HealthParams(5000, 1000, 0.75)
HTTP = HealthParams(5000, 500, 0.85)


@dataclass
class House:
    """A registry with its probes; `made` are those not ended yet."""

    clock: ManualClock = field(default_factory=ManualClock)
    switches: Switches = field(default_factory=Switches)
    made: list[Probe] = field(default_factory=list)
    changes: list[ServiceKey] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.registry = Registry(self.clock, self.changes.append)
        self.beats = Beats(self.registry)
        self.probes = Probes(self.registry, self.switches, Random(7))
        self.probes.permits = lambda host: True
        self.probes.make = self.made.append

    def register(self, port: int = 80, key: ServiceKey = KEY, **fields: Any) -> None:
        self.beats.register(key, Instance("127.0.0.1", port, ephemeral=False, **fields))

    def healthy(self, key: ServiceKey = KEY) -> list[bool]:
        return [one.healthy for one in self.registry.services[key].instances]

    def end(self, answer: Answer, millis: float = 1.0) -> None:
        self.probes.ended(self.made.pop(0), answer, millis)

    def settings(self, **checked: Any) -> None:
        metadata = ServiceMetadata(clusters={"DEFAULT": ClusterSettings(**checked)})
        self.registry.update_service(KEY, metadata)


@pytest.fixture
def house() -> House:
    return House()


# -- when --------------------------------------------------------------------------------------------------------------


def test_the_first_probe_comes_after_two_to_seven_seconds(house: House) -> None:
    for port in range(1, 101):
        house.register(port)
    house.probes.tick()
    house.clock.advance(1.99)
    house.probes.tick()
    assert house.made == []
    house.clock.advance(5.01)
    house.probes.tick()
    assert len(house.made) == 100


def test_the_time_counts_from_the_registration(house: House) -> None:
    house.register()
    house.clock.advance(7)
    house.probes.tick()
    assert [(probe.kind, probe.host, probe.port) for probe in house.made] == [("TCP", "127.0.0.1", 80)]


def test_ephemeral_instances_are_not_probed(house: House) -> None:
    house.beats.register(KEY, Instance("127.0.0.1", 80))
    house.clock.advance(60)
    house.probes.tick()
    assert house.made == []


def test_a_client_is_probed_once_a_round_in_each_of_its_services(house: House) -> None:
    other = ServiceKey("public", "G", "t")
    house.register()
    house.register(key=other)
    house.clock.advance(7)
    house.probes.tick()
    assert {probe.service for probe in house.made} == {KEY, other}
    house.clock.advance(7)
    house.probes.tick()
    assert len(house.made) == 2, "a round begins when the last has ended"


def test_an_instance_that_is_gone_is_not_probed(house: House) -> None:
    house.register()
    house.probes.tick()
    house.beats.deregister(KEY, "127.0.0.1", 80, False)
    house.clock.advance(7)
    house.probes.tick()
    assert house.made == []
    assert house.registry.persistent == {}


def test_the_outcome_for_an_instance_that_is_gone_is_dropped(house: House) -> None:
    house.register()
    house.clock.advance(7)
    house.probes.tick()
    house.beats.deregister(KEY, "127.0.0.1", 80, False)
    house.end(Outcome.REFUSED)
    house.probes.tick()
    house.clock.advance(60)
    house.probes.tick()
    assert house.made == []


def test_rounds_that_a_leap_of_the_clock_missed_are_made_up_for(house: House) -> None:
    house.register()
    house.clock.advance(600)
    house.probes.tick()
    for _ in range(3):
        house.end(Outcome.TIMEOUT, 500)
    assert house.healthy() == [False]
    assert len(house.made) <= 1, "no more than can change anything"


def test_hosts_that_are_not_permitted_keep_their_health(house: House) -> None:
    house.probes.permits = lambda host: False
    house.register(healthy=False)
    house.clock.advance(60)
    house.probes.tick()
    assert house.made == []
    assert house.healthy() == [False]


def test_nothing_is_looked_at_without_persistent_instances(house: House) -> None:
    house.registry.clock = None  # type: ignore[assignment]
    house.probes.tick()


# -- what is asked -----------------------------------------------------------------------------------------------------


def _asked(house: House) -> list[tuple[Any, ...]]:
    house.clock.advance(7)
    house.probes.tick()
    return [(probe.kind, probe.host, probe.port, probe.path, dict(probe.headers)) for probe in house.made]


def test_a_cluster_has_its_own_port(house: House) -> None:
    house.register()
    house.settings(check_port=81, use_instance_port=False)
    assert _asked(house) == [("TCP", "127.0.0.1", 81, "", {})]


def test_the_checkers_port_is_not_used_where_the_instances_is(house: House) -> None:
    house.register()
    house.settings(check_port=81, use_instance_port=True)
    assert _asked(house) == [("TCP", "127.0.0.1", 80, "", {})]


def test_http_has_a_path_and_headers(house: House) -> None:
    house.register()
    headers = "A: 1|B:2|bad|C:3:4"
    house.settings(checker={"type": "HTTP", "path": "/up?x=1", "headers": headers, "expectedResponseCode": 304})
    assert _asked(house) == [("HTTP", "127.0.0.1", 80, "/up?x=1", {"A": "1", "B": "2"})]


@pytest.mark.parametrize("kind", ["NONE", "MYSQL"])
def test_other_checkers_probe_nothing(house: House, kind: str) -> None:
    house.register()
    house.settings(checker={"type": kind})
    assert _asked(house) == []


def test_another_clusters_settings_are_not_this_ones(house: House) -> None:
    house.register(cluster="c")
    house.settings(checker={"type": "NONE"})
    assert [one[0] for one in _asked(house)] == ["TCP"]


@pytest.mark.parametrize(
    ("reference", "target"),
    [
        ("", ("127.0.0.1", 80, "/")),
        ("up", ("127.0.0.1", 80, "/up")),
        ("?a=b", ("127.0.0.1", 80, "/?a=b")),
        ("//10.0.0.1:81/x", ("10.0.0.1", 81, "/x")),
        ("http://10.0.0.1/", ("10.0.0.1", 80, "/")),
        ("https://127.0.0.1/", None),
        ("//[", None),
    ],
)
def test_where_a_path_leads(reference: str, target: tuple[str, int, str] | None) -> None:
    assert link("http://127.0.0.1:80", reference) == target


def test_a_path_that_leads_to_a_host_that_is_not_permitted_is_not_followed(house: House) -> None:
    house.probes.permits = lambda host: host == "127.0.0.1"
    house.register()
    house.settings(checker={"type": "HTTP", "path": "//10.0.0.1/up"})
    assert _asked(house) == []


# -- what it does ------------------------------------------------------------------------------------------------------


def test_who_refuses_is_unhealthy_at_once_and_healthy_after_three_answers() -> None:
    house = House()
    house.register()
    house.clock.advance(7)
    house.probes.tick()
    house.end(Outcome.REFUSED)
    assert house.healthy() == [False]
    for healthy in ([False], [False], [True]):
        house.clock.advance(7)
        house.probes.tick()
        house.end(Outcome.CONNECTED)
        assert house.healthy() == healthy
    assert house.changes.count(KEY) == 3, "registered, ill, well"


def test_who_is_silent_is_unhealthy_after_three_times_in_a_row(house: House) -> None:
    house.register()
    outcomes: list[Answer] = [Outcome.TIMEOUT, Outcome.ERROR, Outcome.CONNECTED, Outcome.TIMEOUT, 503, Outcome.ERROR]
    for outcome, healthy in zip(outcomes, [True, True, True, True, True, False], strict=True):
        house.clock.advance(7)
        house.probes.tick()
        house.end(outcome)
        assert house.healthy() == [healthy], outcome


def test_a_registration_counts_anew(house: House) -> None:
    house.register()
    for weight in (1.0, 2.0, 3.0):
        house.clock.advance(7)
        house.probes.tick()
        house.end(Outcome.TIMEOUT)
        house.register(weight=weight + 1)
    assert house.healthy() == [True]


def test_what_was_under_way_at_a_restore_is_dropped(house: House) -> None:
    house.register()
    house.clock.advance(7)
    house.probes.tick()
    house.probes.restart()
    house.end(Outcome.REFUSED)
    assert house.healthy() == [True]


@pytest.mark.parametrize(
    ("answer", "verdict", "interval"),
    [
        (Outcome.CONNECTED, Verdict.OK, 0.75 * 2000 + 0.25 * 40),
        (Outcome.REFUSED, Verdict.FAIL_NOW, 0.75 * 2000 + 0.25 * 5000),
        (Outcome.TIMEOUT, Verdict.FAIL, 0.75 * 2000 + 0.25 * 4000),
        (Outcome.ERROR, Verdict.FAIL, 0.75 * 2000 + 0.25 * 5000),
    ],
)
def test_the_next_interval_of_tcp(answer: Answer, verdict: Verdict, interval: float) -> None:
    assert judge(answer) is verdict
    assert next_interval(answer, 40, 2000, TCP) == interval


@pytest.mark.parametrize(
    ("status", "verdict", "interval"),
    [
        (200, Verdict.OK, 0.85 * 2000 + 0.15 * 40),
        (503, Verdict.FAIL, 0.85 * 2000 + 0.15 * 4000),
        (302, Verdict.FAIL, 0.85 * 2000 + 0.15 * 4000),
        (204, Verdict.FAIL_NOW, 0.85 * 2000 + 0.15 * 5000),
        (304, Verdict.FAIL_NOW, 0.85 * 2000 + 0.15 * 5000),
        (500, Verdict.FAIL_NOW, 0.85 * 2000 + 0.15 * 5000),
    ],
)
def test_the_next_interval_of_http(status: int, verdict: Verdict, interval: float) -> None:
    assert judge(status) is verdict
    assert next_interval(status, 40, 2000, HTTP) == pytest.approx(interval)


def test_intervals_have_bounds() -> None:
    assert next_interval(Outcome.CONNECTED, 0, 1000, TCP) == 1000
    assert next_interval(Outcome.TIMEOUT, 500, 5000, TCP) == 5000


# -- the switches ------------------------------------------------------------------------------------------------------


def test_health_checks_can_be_turned_off(house: House) -> None:
    house.register()
    house.switches.turn("check", "false")
    house.clock.advance(7)
    house.probes.tick()
    assert house.made == []
    house.switches.turn("check", "true")
    house.clock.advance(7)
    house.probes.tick()
    assert len(house.made) == 1
    house.switches.turn("check", "false")
    house.end(Outcome.REFUSED)
    assert house.healthy() == [True]


def test_how_many_times_can_be_set(house: House) -> None:
    house.register()
    house.switches.turn("healthCheckTimes", "1")
    house.clock.advance(7)
    house.probes.tick()
    house.end(Outcome.TIMEOUT)
    assert house.healthy() == [False]


def test_the_bounds_can_be_set(house: House) -> None:
    house.switches.turn("tcpHealthParams", '{"max": 3000, "min": 500, "factor": 0}')
    house.register()
    house.clock.advance(5)
    house.probes.tick()
    house.end(Outcome.CONNECTED, 3)
    made = len(house.made)
    for _ in range(6):
        house.clock.advance(0.5)
        house.probes.tick()
        while house.made:
            made += 1
            house.end(Outcome.CONNECTED, 3)
    assert made >= 6, "twice a second, not once"
