"""consumer-restriction: lists of names, methods, and requests without a consumer."""

from __future__ import annotations

from typing import Any

import pytest

from harness.emulators.apisix.consumers import ConsumerEntry
from harness.emulators.apisix.context import Exit
from harness.emulators.apisix.plugins.consumer_restriction import ConsumerRestriction

METHODS = {"allowed_by_methods": [{"user": "ann", "methods": ["GET"]}]}


@pytest.mark.parametrize(
    ("conf", "name", "method", "passes"),
    [
        ({"whitelist": ["ann"]}, "ann", "GET", True),
        ({"whitelist": ["ann"]}, "bob", "GET", False),
        ({"blacklist": ["ann"]}, "ann", "GET", False),
        ({"blacklist": ["ann"]}, "bob", "GET", True),
        (METHODS, "ann", "GET", True),
        (METHODS, "ann", "POST", False),
        (METHODS, "bob", "POST", True),
        ({"whitelist": ["ann"], **METHODS}, "ann", "POST", True),
        ({"whitelist": ["ann"], **METHODS}, "bob", "GET", False),
        ({"whitelist": ["staff"], "type": "consumer_group_id"}, "ann", "GET", True),
    ],
)
def test_lists(build: Any, request_of: Any, conf: dict[str, Any], name: str, method: str, passes: bool) -> None:
    ctx = request_of("/", method=method)
    ctx.consumer = ConsumerEntry(name, {}, group_id="staff")
    verdict = build(ConsumerRestriction, conf).access(ctx)
    assert verdict == (None if passes else Exit(403, {"message": "The consumer_name is forbidden."}))


def test_options(build: Any, request_of: Any) -> None:
    plugin = build(ConsumerRestriction, {"whitelist": ["a"], "rejected_code": 401, "rejected_msg": "not you"})
    ctx = request_of("/")
    ctx.consumer = ConsumerEntry("b", {})
    assert plugin.access(ctx) == Exit(401, {"message": "not you"})


def test_a_request_without_consumer(build: Any, request_of: Any) -> None:
    verdict = build(ConsumerRestriction, {"blacklist": ["a"]}).access(request_of("/"))
    message = "The request is rejected, please check the consumer_name for this request"
    assert verdict == Exit(401, {"message": message})


def test_schema(refusal: Any) -> None:
    assert "matches none of the required" in (refusal(ConsumerRestriction, {}) or "")
    assert refusal(ConsumerRestriction, {"whitelist": ["a"], "type": "other"}) is not None
