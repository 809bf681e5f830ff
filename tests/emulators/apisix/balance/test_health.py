"""Health checks: the counters, what they decide, and probes over the network."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from harness.clock import ManualClock
from harness.emulators.apisix.balance.checkers import Checkers
from harness.emulators.apisix.balance.checks import Active, parse_checks
from harness.emulators.apisix.balance.health import Checker, Target
from harness.emulators.apisix.balance.node import Node
from harness.emulators.apisix.balance.probe import network_probe
from harness.wait import until

ONE, TWO = Node("10.0.0.1", 80), Node("10.0.0.2", 80)
EACH_SECOND = {"healthy": {"interval": 1, "successes": 2}, "unhealthy": {"interval": 2, "http_failures": 2}}


class Answers:
    """A probe that answers by hand."""

    def __init__(self) -> None:
        self.answer: Callable[[Target], int | None] = lambda target: 200
        self.asked: list[str] = []

    async def __call__(self, target: Target, active: Active) -> int | None:
        self.asked.append(target.ip)
        return self.answer(target)


def checker(conf: dict[str, Any], probe: Any = None) -> tuple[Checker, ManualClock]:
    clock = ManualClock()
    made = Checker(parse_checks(conf), clock, probe or Answers())
    made.configure(made.checks, [ONE, TWO])
    return made, clock


def state(made: Checker, index: int = 0) -> tuple[str, dict[str, int]]:
    told = made.told()[index]
    return told["status"], {name: count for name, count in told["counter"].items() if count}


def test_passive_failures_take_a_node_out_and_successes_bring_it_back() -> None:
    made, _ = checker({"passive": {"healthy": {"successes": 2}, "unhealthy": {"http_failures": 2}}})
    made.report_status(ONE, 200)
    assert state(made) == ("healthy", {})  # a healthy node's successes aren't counted
    made.report_status(ONE, 500)
    assert state(made) == ("mostly_healthy", {"http_failure": 1}) and made.is_healthy(ONE)
    made.report_status(ONE, 200)
    assert state(made) == ("mostly_healthy", {"success": 1})
    for _ in range(2):
        made.report_status(ONE, 500)
    assert state(made) == ("unhealthy", {"http_failure": 2}) and not made.is_healthy(ONE)
    assert made.is_healthy(TWO) and made.version == 1
    made.report_status(ONE, 200)
    assert state(made) == ("mostly_unhealthy", {"success": 1}) and not made.is_healthy(ONE)
    made.report_status(ONE, 200)
    assert made.is_healthy(ONE) and made.version == 2


def test_kinds_of_failure_have_their_own_limits() -> None:
    made, _ = checker({"passive": {"unhealthy": {"tcp_failures": 1, "timeouts": 0}}})
    made.report_timeout(ONE)
    assert state(made) == ("healthy", {})  # a limit of 0 switches the kind off
    made.report_tcp_failure(ONE)
    assert state(made) == ("unhealthy", {"tcp_failure": 1})


def test_without_passive_only_failed_tries_count() -> None:
    made, _ = checker({"active": {}})
    for _ in range(9):
        made.report_status(ONE, 500)
    assert state(made) == ("healthy", {})
    made.report_tcp_failure(ONE)
    made.report_tcp_failure(ONE)
    assert not made.is_healthy(ONE)


def test_probes_are_due_by_their_intervals() -> None:
    made, clock = checker({"active": EACH_SECOND})
    assert made.due("healthy") == []
    clock.advance(1)
    assert [target.ip for target in made.due("healthy")] == ["10.0.0.1", "10.0.0.2"]
    assert made.due("healthy") == [] and made.due("unhealthy") == []
    off, clock = checker({"active": {"type": "http"}})
    clock.advance(100)
    assert off.due("healthy") == []  # without `healthy` and `unhealthy` the library's interval is 0


def failing(target: Target) -> int | None:
    raise ConnectionRefusedError


def late(target: Target) -> int | None:
    raise TimeoutError


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (lambda target: 500, ("mostly_healthy", {"http_failure": 1})),
        (lambda target: 0, ("mostly_healthy", {"http_failure": 1})),
        (lambda target: 418, ("healthy", {})),
        (failing, ("mostly_healthy", {"tcp_failure": 1})),
        (late, ("mostly_healthy", {"timeout_failure": 1})),
        (lambda target: None, ("healthy", {})),
    ],
)
def test_what_a_probe_counts_as(answer: Any, expected: Any) -> None:
    probe = Answers()
    probe.answer = answer
    made, clock = checker({"active": EACH_SECOND}, probe)
    clock.advance(1)
    asyncio.run(made.probe(made.due("healthy")))
    assert state(made) == expected and probe.asked == ["10.0.0.1", "10.0.0.2"]


def test_targets_that_stay_keep_their_state() -> None:
    made, _ = checker({"passive": {"unhealthy": {"http_failures": 1}}})
    made.report_status(ONE, 500)
    made.report_status(TWO, 500)
    made.configure(made.checks, [TWO, Node("10.0.0.3", 80)])
    assert [state(made, index)[0] for index in (0, 1)] == ["unhealthy", "healthy"]
    assert made.version == 3 and made.is_healthy(ONE)


def test_host_and_port_of_the_probe_name_the_target() -> None:
    made, _ = checker({"active": {"host": "probe.test", "port": 99}})
    told = made.told()[0]
    assert (told["hostname"], told["port"], "hostheader" in told) == ("probe.test", 99, False)
    made.configure(made.checks, [Node("10.0.0.1", 80, domain="a.test")])
    assert made.told()[0]["hostheader"] == "a.test"


async def _probed(conf: dict[str, Any], answer: bytes) -> tuple[int | None, bytes]:
    seen = bytearray()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.extend(await reader.readuntil(b"\r\n\r\n"))
        length = seen.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
        seen.extend(await reader.readexactly(int(length or 0)))
        writer.write(answer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        target = Target("127.0.0.1", port, "probe.test", "")
        return await network_probe(target, parse_checks({"active": conf}).active), bytes(seen)
    finally:
        server.close()


def test_the_request_on_the_wire() -> None:
    conf = {"http_path": "/health", "req_headers": ["X-Probe: 1"]}
    status, seen = asyncio.run(_probed(conf, b"HTTP/1.1 503 Sorry\r\n\r\n"))
    assert status == 503
    assert seen == b"GET /health HTTP/1.1\r\nConnection: close\r\nX-Probe: 1\r\nHost: probe.test\r\n\r\n"
    assert asyncio.run(_probed(conf, b"SSH-2.0\r\n"))[0] == 0
    with pytest.raises(ConnectionResetError):
        asyncio.run(_probed(conf, b""))


def test_a_probe_may_have_a_method_and_a_body() -> None:
    _, seen = asyncio.run(_probed({"http_method": "POST", "http_req_body": "{}"}, b"HTTP/1.1 200 OK\r\n\r\n"))
    assert seen == b"POST / HTTP/1.1\r\nConnection: close\r\nHost: probe.test\r\nContent-Length: 2\r\n\r\n{}"


def test_a_checker_outlives_changes_of_its_upstream_and_ends_with_its_checks() -> None:
    async def play() -> None:
        clock, probe = ManualClock(), Answers()
        checkers = Checkers(clock, probe)
        conf = {"checks": {"active": EACH_SECOND}}
        made = checkers.of("/upstreams/1", conf, [ONE])
        assert made is not None and checkers.find("/upstreams/1") is made
        assert checkers.of("/upstreams/1", {**conf, "retries": 1}, [ONE, TWO]) is made
        clock.advance(1)
        await asyncio.to_thread(until, lambda: len(probe.asked) == 2, 5, awaited="both probes")
        assert checkers.of("/upstreams/1", {}, [ONE]) is None and checkers.find("/upstreams/1") is None
        checkers.stop()

    asyncio.run(play())
