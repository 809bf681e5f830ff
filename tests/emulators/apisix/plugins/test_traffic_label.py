"""traffic-label: headers by rule and by weight."""

from __future__ import annotations

import pytest

from harness.emulators.apisix.plugins.traffic_label import TrafficLabel

CANARY = {"match": [["arg_env", "==", "canary"]], "actions": [{"set_headers": {"X-Env": "canary", "X-Uri": "$uri"}}]}
STABLE = {"actions": [{"set_headers": {"X-Env": "stable"}}]}


def test_the_first_rule_that_matches(build, request_of):
    plugin = build(TrafficLabel, {"rules": [CANARY, STABLE]})
    canary, stable = request_of("/t?env=canary", headers={"X-Env": "mine"}), request_of("/t")
    plugin.access(canary)
    plugin.access(stable)
    assert list(canary.headers)[1:] == [("X-Env", "canary"), ("X-Uri", "/t")]
    assert list(stable.headers)[1:] == [("X-Env", "stable")]


def test_actions_by_weight(build, request_of):
    plugin = build(TrafficLabel, {"rules": [{"actions": [{"set_headers": {"X-L": "a"}, "weight": 3}, {"weight": 1}]}]})
    labels = []
    for _ in range(8):
        ctx = request_of("/t")
        plugin.access(ctx)
        labels.append(ctx.headers.get("x-l"))
    assert (labels.count("a"), labels.count(None)) == (6, 2)


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        (
            {**STABLE, "match": [["a", "bad", "b"]]},
            'failed to validate the \'match\' expression: [["a","bad","b"]] err: invalid operator \'bad\'',
        ),
        ({"actions": [{"drop": {}}]}, "not supported action: drop"),
        (
            {"actions": [{"set_headers": {"a b": "c"}}]},
            "failed to validate the 'set_headers' action: invalid field character in header",
        ),
    ],
)
def test_refused_configurations(refusal, rule, message):
    assert refusal(TrafficLabel, {"rules": [rule]}) == message
