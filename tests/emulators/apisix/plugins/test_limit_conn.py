"""limit-conn: places taken and given back."""

from __future__ import annotations

import inspect

import pytest

from harness.emulators.apisix.plugins.limit_conn import LimitConn

TWO = {"conn": 2, "burst": 0, "default_conn_delay": 0.01, "key": "remote_addr"}


def test_places_are_given_back_in_the_log_phase(build, request_of):
    plugin = build(LimitConn, TWO)
    first, second, third = (request_of("/") for _ in range(3))
    assert plugin.access(first) is None
    assert plugin.access(second) is None
    assert plugin.access(third).status == 503
    plugin.log(third)
    assert plugin.access(request_of("/")).status == 503
    plugin.log(first)
    assert plugin.access(request_of("/")) is None


def test_the_burst_waits(build, request_of, run):
    plugin = build(LimitConn, {**TWO, "conn": 1, "burst": 1})
    plugin.access(request_of("/"))
    waiting = plugin.access(request_of("/"))
    assert inspect.isawaitable(waiting)
    assert run(waiting) is None
    assert plugin.access(request_of("/")).status == 503


def test_rules_with_their_own_keys(build, request_of):
    rules = [{"conn": 1, "burst": 0, "key": "${http_user}"}, {"conn": "${http_most}", "burst": 0, "key": "$host"}]
    plugin = build(LimitConn, {"default_conn_delay": 0.01, "rules": rules, "rejected_code": 429})
    assert plugin.access(request_of("/", headers={"User": "a"})) is None
    assert plugin.access(request_of("/", headers={"User": "a"})).status == 429
    assert plugin.access(request_of("/", headers={"Most": "1"})) is None
    assert plugin.access(request_of("/", headers={"Most": "1"})).status == 429
    assert plugin.access(request_of("/")).status == 500


@pytest.mark.parametrize(
    ("conf", "message"),
    [
        (
            {**TWO, "conn": 0},
            'property "conn" validation failed: value should match only one schema, but matches none',
        ),
        ({"conn": 1, "burst": 0, "key": "a"}, "value should match only one schema, but matches none"),
        ({**TWO, "policy": "redis"}, "then clause did not match"),
    ],
)
def test_refused_configurations(refusal, conf, message):
    assert refusal(LimitConn, dict(conf)) == message
