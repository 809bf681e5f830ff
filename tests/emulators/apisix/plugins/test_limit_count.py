"""limit-count: windows, keys, rules, groups, headers, refusals."""

from __future__ import annotations

import pytest

from harness.emulators.apisix.plugins.limit_count import LimitCount

UP = {"count": 2, "time_window": 60}


@pytest.fixture(autouse=True)
def fresh_groups():
    LimitCount.groups.clear()


def quota(ctx):
    return tuple(ctx.response.get(f"x-ratelimit-{name}") for name in ("limit", "remaining", "reset"))


def test_a_window_lets_so_many_through_and_starts_anew(build, request_of, scope):
    plugin = build(LimitCount, UP)
    first, second, third, later = (request_of("/l") for _ in range(4))
    assert plugin.access(first) is None
    assert quota(first) == ("2", "1", "60")
    scope.clock.advance(0.004)
    assert plugin.access(second) is None
    assert quota(second) == ("2", "0", "59.99")
    refused = plugin.access(third)
    assert (refused.status, refused.body) == (503, None)
    assert quota(third) == ("2", "0", "59.99")
    scope.clock.advance(60)
    assert plugin.access(later) is None
    assert quota(later) == ("2", "1", "60")


def test_a_refusal_has_the_configured_status_and_message(build, request_of):
    plugin = build(LimitCount, {**UP, "count": 1, "rejected_code": 429, "rejected_msg": "slow down"})
    plugin.access(request_of("/l"))
    refused = plugin.access(request_of("/l"))
    assert (refused.status, refused.body) == (429, {"error_msg": "slow down"})


def test_no_headers_when_they_are_switched_off(build, request_of):
    ctx = request_of("/l")
    build(LimitCount, {**UP, "show_limit_quota_header": False}).access(ctx)
    assert quota(ctx) == (None, None, None)


def test_counted_by_header_or_else_by_address(build, request_of):
    plugin = build(LimitCount, {"count": 1, "time_window": 60, "key": "http_x_user"})
    users = [{"X-User": "a"}, {"X-User": "a"}, {"X-User": "b"}, {}, {}]
    verdicts = [plugin.access(request_of("/l", headers=headers)) for headers in users]
    assert [verdict is None for verdict in verdicts] == [True, False, True, True, False]


def test_rules_apply_where_their_key_is_there(build, request_of):
    rules = [
        {"count": 2, "time_window": 60, "key": "${http_a}", "header_prefix": "a"},
        {"count": 1, "time_window": 60, "key": "${http_b}"},
    ]
    plugin = build(LimitCount, {"rules": rules, "rejected_code": 429})
    both = request_of("/l", headers={"A": "x", "B": "y"})
    assert plugin.access(both) is None
    assert both.response.get("x-a-ratelimit-remaining") == "1"
    assert both.response.get("x-2-ratelimit-remaining") == "0"
    assert plugin.access(request_of("/l", headers={"B": "y"})).status == 429
    assert plugin.access(request_of("/l")).status == 500


def test_counts_and_windows_from_variables(build, request_of):
    plugin = build(LimitCount, {"count": "${http_count ?? 2}", "time_window": "10", "rejected_code": 429})
    ctx = request_of("/l")
    assert plugin.access(ctx) is None
    assert quota(ctx) == ("2", "1", "10")
    assert plugin.access(request_of("/l", headers={"Count": "1"})).status == 429
    assert plugin.access(request_of("/l", headers={"Count": "-1"})).status == 500


def test_routes_of_a_group_share_one_counter(build, request_of, scope):
    grouped = {**UP, "count": 1, "group": "g"}
    first = build(LimitCount, grouped)
    scope.resource = ("routes", "2", 5)
    second = build(LimitCount, grouped)
    assert first.access(request_of("/a")) is None
    assert second.access(request_of("/b")).status == 503


def test_another_configuration_counts_for_itself(build, request_of):
    assert build(LimitCount, {**UP, "count": 1}).access(request_of("/l")) is None
    assert build(LimitCount, {**UP, "count": 3}).access(request_of("/l")) is None
    assert build(LimitCount, {**UP, "count": 1}).access(request_of("/l")).status == 503


def test_a_sliding_window_weighs_the_last_one(build, request_of, scope):
    plugin = build(LimitCount, {"count": 2, "time_window": 10, "window_type": "sliding"})
    assert [plugin.access(request_of("/l")) is None for _ in range(3)] == [True, True, False]
    scope.clock.advance(11)
    ctx = request_of("/l")
    assert plugin.access(ctx) is None
    assert plugin.access(request_of("/l")) is not None
    scope.clock.advance(8)
    assert plugin.access(request_of("/l")) is None


def test_metadata_names_the_headers(build, request_of, scope):
    plugin = build(LimitCount, UP)
    scope.plugin_metadata["limit-count"] = {"limit_header": "X-Most"}
    ctx = request_of("/l")
    plugin.access(ctx)
    assert ctx.response.get("x-most") == "2"
    assert ctx.response.get("x-ratelimit-remaining") == "1"


@pytest.mark.parametrize(
    ("conf", "message"),
    [
        ({"count": 0, "time_window": 60}, 'property "count" validation failed: value should match only one schema'),
        ({"count": 1}, "value should match only one schema, but matches none"),
        ({**UP, "policy": "redis"}, "then clause did not match"),
        ({**UP, "policy": "redis"}, "then clause did not match"),
        ({"rules": [{"count": 1, "time_window": 1, "key": "a"}] * 2}, "duplicate key 'a' in rules"),
        ({"group": "g", "rules": []}, "group and rules cannot be specified at the same time"),
    ],
)
def test_refused_configurations(refusal, conf, message):
    assert refusal(LimitCount, dict(conf)).startswith(message)


def test_a_group_has_one_configuration(refusal):
    assert refusal(LimitCount, {**UP, "group": "g"}) is None
    assert refusal(LimitCount, {**UP, "group": "g"}) is None
    assert refusal(LimitCount, {**UP, "count": 9, "group": "g"}) == "group conf mismatched"


def test_count_with_rules_is_said_plainly(refusal):
    conf = {**UP, "rules": [{"count": 1, "time_window": 1, "key": "a"}]}
    problem = refusal(LimitCount, conf)
    assert LimitCount.reword(problem, conf) == "count/time_window and rules cannot be specified at the same time"


@pytest.mark.parametrize("more", [{}, {"policy": "redis", "redis_host": "127.0.0.1"}])
def test_a_group_with_variables_fails_as_upstream_does(more, build, request_of):
    conf = {"count": "${http_most}", "time_window": 60, "group": f"variable {len(more)}"}
    with pytest.raises(TypeError):
        build(LimitCount, {**conf, **more}).access(request_of("/", headers={"Most": "3"}))
