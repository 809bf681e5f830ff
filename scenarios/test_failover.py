"""Replicas that die, hang, leave and come back, under traffic."""

from __future__ import annotations

import pytest

from harness.wait import until

#: "within a second" is the platform's promise for every change made while it runs
SOON = 1.0

REPORT = "/bi-analysis/v1/reports/r-sales-1000-3"
PRODUCTS = "/bi-api-leke/v1/products"

pytestmark = pytest.mark.requires("processes")


def replicas_of(gateway, name: str) -> set[str]:
    return {gateway.get(f"/{name}/healthz").json()["replica"] for _ in range(6)}


def test_a_killed_replica_costs_no_request(gateway, service, traffic):
    with traffic(REPORT, gateway.bearer("bi-user")) as seen:
        service("bi-analysis").replicas[0].kill()
        seen.after(200)
    seen.assert_none_failed()


def test_a_killed_replica_of_an_explicit_upstream_costs_no_request(gateway, service, traffic):
    with traffic(PRODUCTS, gateway.key("shop-leke")) as seen:
        service("bi-api-leke").replicas[0].kill()
        seen.after(20)  # in a network of their own nobody refuses for the dead one: each try lasts the time-out of 1 s
    seen.assert_none_failed()


def test_a_restarted_replica_takes_part_again(gateway, service):
    replica = service("bi-analysis").replicas[1]
    replica.kill()
    until(lambda: replicas_of(gateway, "bi-analysis") == {"bi-analysis-0"}, SOON, awaited="one replica alone")
    replica.restart()
    both = {"bi-analysis-0", "bi-analysis-1"}
    until(lambda: replicas_of(gateway, "bi-analysis") == both, SOON, awaited="both replicas again")


def test_a_replica_leaves_in_order(gateway, service, traffic):
    with traffic(REPORT, gateway.bearer("bi-user")) as seen:
        service("bi-analysis").replicas[0].stop()
        seen.after(100)
    seen.assert_none_failed()


def test_scaling_is_seen(gateway, service):
    service("bi-chat").scale(3)
    three = {f"bi-chat-{index}" for index in range(3)}
    until(lambda: replicas_of(gateway, "bi-chat") == three, SOON, awaited="the third replica")
    service("bi-chat").scale(1)
    until(lambda: replicas_of(gateway, "bi-chat") == {"bi-chat-0"}, SOON, awaited="one replica alone")


def test_without_any_replica_the_gateway_says_so(gateway, service):
    for replica in service("bi-chat").replicas:
        replica.kill()
    # a request that comes before Nacos has noticed lasts as long as its tries do: nothing is promised for a kill
    until(lambda: gateway.get("/bi-chat/healthz").status_code == 503, 10, awaited="503, no node left")


@pytest.mark.requires("stubs")
def test_a_slow_replica_is_slow_and_no_error(gateway, service):
    service("bi-analysis").set(latency=0.2)
    answer = gateway.get(REPORT, headers=gateway.bearer("bi-user"))
    assert answer.status_code == 200
    assert answer.elapsed.total_seconds() >= 0.2


@pytest.mark.requires("slow-link", "stubs")
def test_a_slow_link_delays_answers_and_loses_none(gateway, service):
    replica = service("bi-analysis").replicas[0]
    replica.slow_link(delay=0.25)
    answers = [gateway.get(REPORT, headers=gateway.bearer("bi-user")) for _ in range(8)]
    assert {answer.status_code for answer in answers} == {200}
    replica.slow_link()
    served = len(replica.journal)
    assert served > 0, "it is still in the rotation"
    assert sum(answer.elapsed.total_seconds() >= 0.25 for answer in answers) >= served


@pytest.mark.requires("stubs")
def test_a_failing_service_shows_its_own_error(gateway, service):
    service("bi-analysis").set(error_rate=1, error_status=503)
    answer = gateway.get(REPORT, headers=gateway.bearer("bi-user"))
    assert answer.status_code == 503
    assert answer.headers["X-APISIX-Upstream-Status"] == "503"
