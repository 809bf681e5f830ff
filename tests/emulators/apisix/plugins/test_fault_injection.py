"""fault-injection: aborts and delays."""

from __future__ import annotations

import inspect

import pytest

from harness.emulators.apisix.plugins.fault_injection import FaultInjection


def test_an_abort_with_body_and_headers(build, request_of):
    abort = {"http_status": 403, "body": "no $arg_x\n", "headers": {"X-F": "$uri", "X-N": 5}}
    verdict = build(FaultInjection, {"abort": abort}).rewrite(request_of("/a?x=way"))
    assert (verdict.status, verdict.body) == (403, b"no way\n")
    assert verdict.headers == (("X-F", "/a"), ("X-N", "5"))


def test_any_of_the_conditions_will_do(build, request_of):
    abort = {"http_status": 400, "vars": [[["arg_n", "==", "1"]], [["http_b", "==", "2"]]]}
    plugin = build(FaultInjection, {"abort": abort})
    assert plugin.rewrite(request_of("/a?n=1")).status == 400
    assert plugin.rewrite(request_of("/a", headers={"B": "2"})).status == 400
    assert plugin.rewrite(request_of("/a")) is None


@pytest.mark.parametrize(("percentage", "least", "most"), [(0, 0, 0), (50, 30, 70), (100, 100, 100)])
def test_a_share_of_the_requests(build, request_of, percentage, least, most):
    plugin = build(FaultInjection, {"abort": {"http_status": 400, "percentage": percentage}})
    assert least <= sum(plugin.rewrite(request_of("/")) is not None for _ in range(100)) <= most


def test_a_delay_comes_before_the_abort(build, request_of, run):
    waiting = build(FaultInjection, {"delay": {"duration": 0.01}, "abort": {"http_status": 503}}).rewrite(
        request_of("/")
    )
    assert inspect.isawaitable(waiting)
    assert run(waiting).status == 503


@pytest.mark.parametrize(
    ("conf", "message"),
    [
        ({}, "expect object to have at least 1 properties"),
        ({"delay": {}}, 'property "delay" validation failed: property "duration" is required'),
        ({"abort": {"http_status": 500, "vars": [[["a", "bad", "b"]]]}}, "invalid operator 'bad'"),
    ],
)
def test_refused_configurations(refusal, conf, message):
    assert refusal(FaultInjection, conf) == message
