"""workflow: which rule acts, and how."""

from __future__ import annotations

import pytest

from harness.emulators.apisix.plugins.workflow import Workflow


def rule(case, *action):
    return {"case": case, "actions": [list(action)]}


def test_the_first_case_that_holds_answers(build, request_of):
    rules = [
        rule([["uri", "==", "/no"]], "return", {"code": 403}),
        rule([["arg_x", "==", "1"]], "return", {"code": 418}),
    ]
    plugin = build(Workflow, {"rules": rules})
    assert plugin.access(request_of("/no?x=1")).status == 403
    verdict = plugin.access(request_of("/yes?x=1"))
    assert (verdict.status, verdict.body) == (418, {"error_msg": "rejected by workflow"})
    assert plugin.access(request_of("/yes")) is None


def test_limits_count_what_matches_each_rule_for_itself(build, request_of):
    limit = {"count": 1, "time_window": 60, "rejected_code": 429}
    rules = [rule([["uri", "==", "/a"]], "limit-count", limit), rule([["uri", "==", "/b"]], "limit-count", limit)]
    plugin = build(Workflow, {"rules": rules})
    first = request_of("/a")
    assert plugin.access(first) is None
    assert first.skipped == {"limit-count"}
    assert plugin.access(request_of("/b")) is None
    assert plugin.access(request_of("/a")).status == 429
    assert plugin.access(request_of("/c")) is None


def test_places_of_limit_conn_are_given_back(build, request_of):
    limit = {"conn": 1, "burst": 0, "default_conn_delay": 0.1, "key": "remote_addr"}
    plugin = build(Workflow, {"rules": [{"actions": [["limit-conn", limit]]}]})
    first = request_of("/")
    assert plugin.access(first) is None
    assert plugin.access(request_of("/")).status == 503
    plugin.log(first)
    assert plugin.access(request_of("/")) is None


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ([rule([["a", "bad", "b"]], "return", {"code": 403})], None),
        ([{"actions": [["nope", {}]]}], "unsupported action: nope"),
        (
            [{"actions": [["return", {}]]}],
            "failed to validate the 'return' action: property \"code\" is required",
        ),
        (
            [{"actions": [["limit-count", {"count": 1, "time_window": 1, "group": "g"}]]}],
            "failed to validate the 'limit-count' action: group is not supported",
        ),
    ],
)
def test_refused_configurations(refusal, rules, message):
    assert refusal(Workflow, {"rules": rules}) == message
