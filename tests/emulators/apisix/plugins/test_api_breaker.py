"""api-breaker: opens after failures, closes after successes."""

from __future__ import annotations

import pytest

from harness.emulators.apisix.context import Try
from harness.emulators.apisix.plugins.api_breaker import ApiBreaker


@pytest.fixture
def answers(request_of):
    """answers(plugin, status) → the status a client sees when the upstream says `status`."""

    def ask(plugin, status, target="/fx"):
        ctx = request_of(target)
        verdict = plugin.access(ctx)
        if verdict is None:
            ctx.status, ctx.tries = status, [Try("127.0.0.1:80", status=status)]
        plugin.log(ctx)
        return verdict.status if verdict else status

    return ask


def test_it_opens_after_the_failures_and_for_longer_each_time(build, answers, scope):
    plugin = build(ApiBreaker, {"break_response_code": 502})
    assert [answers(plugin, 500) for _ in range(5)] == [500, 500, 500, 502, 502]
    assert answers(plugin, 500, "/other") == 500
    scope.clock.advance(3)
    assert [answers(plugin, 500) for _ in range(4)] == [500, 500, 500, 502]
    scope.clock.advance(3)
    assert answers(plugin, 500) == 502
    scope.clock.advance(2)
    assert answers(plugin, 200) == 200


def test_successes_close_it(build, answers, scope):
    plugin = build(ApiBreaker, {"break_response_code": 502, "unhealthy": {"failures": 2}})
    assert [answers(plugin, 500) for _ in range(3)] == [500, 500, 502]
    scope.clock.advance(3)
    assert [answers(plugin, 200) for _ in range(3)] == [200, 200, 200]
    assert [answers(plugin, 500) for _ in range(3)] == [500, 500, 502]


def test_statuses_that_are_not_listed_do_not_count(build, answers):
    plugin = build(ApiBreaker, {"break_response_code": 502, "unhealthy": {"http_statuses": [503], "failures": 1}})
    assert [answers(plugin, 500) for _ in range(3)] == [500, 500, 500]


def test_an_answer_of_its_own(build, answers, request_of):
    conf = {
        "break_response_code": 503,
        "break_response_body": '{"broken":true}',
        "break_response_headers": [{"key": "X-Uri", "value": "$uri"}],
        "unhealthy": {"http_statuses": [502], "failures": 1},
    }
    plugin = build(ApiBreaker, conf)
    answers(plugin, 502)
    verdict = plugin.access(request_of("/fx"))
    assert (verdict.body, verdict.headers) == (b'{"broken":true}', (("X-Uri", "/fx"),))


@pytest.mark.parametrize(
    ("conf", "message"),
    [
        ({}, 'property "break_response_code" is required'),
        (
            {"break_response_code": 502, "max_breaker_sec": 1},
            'property "max_breaker_sec" validation failed: expected 1 to be at least 3',
        ),
    ],
)
def test_refused_configurations(refusal, conf, message):
    assert refusal(ApiBreaker, conf) == message
