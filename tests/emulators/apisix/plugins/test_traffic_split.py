"""traffic-split: which upstream a request goes to."""

from __future__ import annotations

import pytest

from harness.emulators.apisix.plugins.traffic_split import TrafficSplit

B = {"type": "roundrobin", "nodes": {"127.0.0.1:21981": 1}}


def test_requests_that_match_go_elsewhere(build, request_of):
    rule = {"match": [{"vars": [["http_x_v", "==", "2"]]}], "weighted_upstreams": [{"upstream": B}]}
    plugin = build(TrafficSplit, {"rules": [rule]})
    hit, miss = request_of("/", headers={"X-V": "2"}), request_of("/")
    assert plugin.access(hit) is None
    assert plugin.access(miss) is None
    assert hit.upstream.conf["nodes"] == B["nodes"]
    assert miss.upstream is None


def test_weights_between_the_plugins_upstream_and_the_routes(build, request_of):
    plugin = build(TrafficSplit, {"rules": [{"weighted_upstreams": [{"upstream": B, "weight": 3}, {"weight": 1}]}]})
    chosen = []
    for _ in range(8):
        ctx = request_of("/")
        plugin.access(ctx)
        chosen.append(ctx.upstream is None)
    assert chosen.count(True) == 2


def test_upstreams_by_id_as_they_are_now(build, request_of, scope):
    plugin, ctx = build(TrafficSplit, {"rules": [{"weighted_upstreams": [{"upstream_id": 7}]}]}), request_of("/")
    verdict = plugin.access(ctx)
    assert (verdict.status, verdict.body) == (500, "failed to fetch upstream info by upstream id: 7")
    scope.upstreams["7"] = "seven"
    assert plugin.access(ctx) is None
    assert ctx.upstream == "seven"


@pytest.mark.parametrize(
    ("conf", "message"),
    [
        ({"rules": []}, None),
        (
            {"rules": [{"match": [{"vars": [["a", "bad", "b"]]}]}]},
            "failed to validate the 'vars' expression: invalid operator 'bad'",
        ),
        (
            {"rules": [{"weighted_upstreams": [{"weight": -1}]}]},
            'property "rules" validation failed: failed to validate item 1: property "weighted_upstreams" validation '
            'failed: failed to validate item 1: property "weight" validation failed: expected -1 to be at least 0',
        ),
    ],
)
def test_refused_configurations(refusal, conf, message):
    assert refusal(TrafficSplit, conf) == message


def test_conditions_on_the_body(build, request_of, run):
    rule = {"match": [{"vars": [["post_arg_id", "==", "1"]]}], "weighted_upstreams": [{"upstream": B}]}
    plugin = build(TrafficSplit, {"rules": [rule]})
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    ctx = request_of("/", method="POST", headers=headers, body=b"id=1")
    assert run(plugin.access(ctx)) is None
    assert ctx.upstream is not None
