"""acl: labels of consumers and of outside users."""

from __future__ import annotations

from typing import Any

import pytest

from harness.emulators.apisix.consumers import ConsumerEntry
from harness.emulators.apisix.context import Exit
from harness.emulators.apisix.plugins.acl import Acl
from harness.emulators.apisix.plugins.serverless_pre_function import ServerlessPreFunction

FORBIDDEN = Exit(403, {"message": "The consumer is forbidden."})


@pytest.mark.parametrize(
    ("conf", "labels", "passes"),
    [
        ({"allow_labels": {"team": ["red", "green"]}}, {"team": "red"}, True),
        ({"allow_labels": {"team": ["red"]}}, {"team": "blue"}, False),
        ({"allow_labels": {"team": ["red"]}}, {}, False),
        ({"allow_labels": {"lvl": ["2"]}}, {"lvl": '["1","2"]'}, True),
        ({"allow_labels": {"lvl": ["2"]}}, {"lvl": "1, 2"}, True),
        ({"deny_labels": {"team": ["red"]}}, {"team": "red"}, False),
        ({"deny_labels": {"team": ["red"]}}, {}, True),
        ({"deny_labels": {"a": ["1"]}, "allow_labels": {"b": ["1"]}}, {"a": "1", "b": "1"}, False),
    ],
)
def test_consumers(build: Any, request_of: Any, conf: dict[str, Any], labels: dict[str, str], passes: bool) -> None:
    ctx = request_of("/")
    ctx.consumer = ConsumerEntry("ann", {}, labels=labels)
    assert build(Acl, conf).access(ctx) == (None if passes else FORBIDDEN)


@pytest.mark.parametrize(
    ("user", "more", "passes"),
    [
        ({"groups": ["cloud", "x"]}, {"allow_labels": {"groups": ["cloud"]}}, True),
        (
            {"orgs": {"api7": {"team": "cloud|infra"}}},
            {
                "allow_labels": {"team": ["infra"]},
                "external_user_label_field": "$.orgs..team",
                "external_user_label_field_key": "team",
                "external_user_label_field_parser": "segmented_text",
                "external_user_label_field_separator": "\\|",
            },
            True,
        ),
        (
            {"a": {"team": "cloud"}, "b": {"team": "ops"}},
            {
                "deny_labels": {"team": ["ops"]},
                "external_user_label_field": "$..team",
                "external_user_label_field_key": "team",
            },
            False,
        ),
        (
            {"team": ["cloud"]},
            {
                "allow_labels": {"team": ["cloud"]},
                "external_user_label_field": "team",
                "external_user_label_field_parser": "json",
            },
            False,
        ),
    ],
)
def test_outside_users(build: Any, request_of: Any, user: Any, more: dict[str, Any], passes: bool) -> None:
    ctx = request_of("/")
    ctx.notes["external_user"] = user
    assert build(Acl, more).access(ctx) == (None if passes else FORBIDDEN)


def test_a_user_found_by_the_users_own_lua(build: Any, request_of: Any) -> None:
    source = 'return function(conf, ctx) ctx.external_user = {team = {"cloud", "x"}} end'
    ctx = request_of("/")
    assert build(ServerlessPreFunction, {"functions": [source]}).access(ctx) is None
    conf = {"external_user_label_field": "team"}
    assert build(Acl, {"allow_labels": {"team": ["cloud"]}, **conf}).access(ctx) is None
    assert build(Acl, {"deny_labels": {"team": ["cloud"]}, **conf}).access(ctx) == FORBIDDEN


def test_nobody_is_known(build: Any, request_of: Any) -> None:
    verdict = build(Acl, {"allow_labels": {"a": ["b"]}}).access(request_of("/"))
    assert verdict == Exit(401, {"message": "Missing authentication."})


def test_schema(refusal: Any) -> None:
    labels = {"allow_labels": {"team": ["red"]}}
    assert "matches none of the required" in (refusal(Acl, {}) or "")
    path = refusal(Acl, {**labels, "external_user_label_field": "$..([invalid"}) or ""
    assert path.startswith("invalid external_user_label_field: ")
    assert refusal(Acl, {**labels, "external_user_label_field": "$.orgs[*]['a b']..team"}) is None
    assert refusal(Acl, {**labels, "external_user_label_field_parser": "segmented_text"}) is not None
