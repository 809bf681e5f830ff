"""limit-req: rate, burst, waiting, refusal."""

from __future__ import annotations

import inspect

import pytest

from harness.emulators.apisix.plugins.limit_req import LimitReq

ONE = {"rate": 1, "burst": 1, "key": "remote_addr", "nodelay": True, "rejected_code": 429}


def test_a_burst_passes_and_the_rest_is_refused(build, request_of, scope):
    plugin = build(LimitReq, ONE)
    verdicts = [plugin.access(request_of("/l")) for _ in range(4)]
    assert [verdict and verdict.status for verdict in verdicts] == [None, None, 429, 429]
    scope.clock.advance(1)
    assert plugin.access(request_of("/l")) is None
    assert plugin.access(request_of("/l")).status == 429


def test_a_request_of_the_burst_waits_its_turn(build, request_of, run):
    plugin = build(LimitReq, {"rate": 200, "burst": 5, "key": "remote_addr"})
    assert plugin.access(request_of("/l")) is None
    waiting = plugin.access(request_of("/l"))
    assert inspect.isawaitable(waiting)
    assert run(waiting) is None


def test_keys_of_several_variables_and_the_address_without_any(build, request_of):
    conf = {"rate": 0.1, "burst": 0, "key_type": "var_combination", "key": "$arg_a$arg_b", "rejected_msg": "too quick"}
    plugin = build(LimitReq, conf)
    targets = ["/l?a=1&b=2", "/l?a=1&b=3", "/l?a=1&b=2", "/l", "/l"]
    verdicts = [plugin.access(request_of(target)) for target in targets]
    assert [verdict is None for verdict in verdicts] == [True, True, False, True, False]
    assert (verdicts[2].status, verdicts[2].body) == (503, {"error_msg": "too quick"})


@pytest.mark.parametrize(
    ("conf", "message"),
    [
        ({"burst": 1, "key": "a"}, 'property "rate" is required'),
        ({"rate": 0, "burst": 0, "key": "a"}, 'property "rate" validation failed: expected 0 to be greater than 0'),
        ({"rate": 1, "burst": 0}, 'property "key" is required'),
        ({**ONE, "policy": "redis"}, "then clause did not match"),
    ],
)
def test_refused_configurations(refusal, conf, message):
    assert refusal(LimitReq, dict(conf)) == message
