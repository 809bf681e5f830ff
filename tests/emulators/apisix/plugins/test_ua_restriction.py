"""ua-restriction: allowed and denied agents, missing and repeated ones."""

from __future__ import annotations

from typing import Any

import pytest

from harness.emulators.apisix.plugins.ua_restriction import UaRestriction

ALLOW = {"allowlist": ["golden/[0-9]+", "curl"]}
DENY = {"denylist": ["(?i)scanner", "^Mozilla/4", "bot"], "message": "no bots"}


@pytest.mark.parametrize(
    ("conf", "agents", "passes"),
    [
        (ALLOW, ["golden/1"], True),
        (ALLOW, ["my curl"], True),
        (ALLOW, ["wget", "curl"], True),
        (ALLOW, ["wget"], False),
        (ALLOW, [], False),
        (ALLOW | {"bypass_missing": True}, [], True),
        (DENY, ["a ScAnNeR"], False),
        (DENY, ["  Mozilla/4.0"], False),
        (DENY, ["x Mozilla/4.0"], True),
        (DENY, ["BOT"], True),
        (DENY, ["person", "bot"], False),
        (DENY, ["person", "friend"], False),
        (DENY, ["bot", "bot"], True),
    ],
)
def test_agents(build: Any, request_of: Any, conf: dict[str, Any], agents: list[str], passes: bool) -> None:
    verdict = build(UaRestriction, conf).access(request_of("/", headers=[("User-Agent", agent) for agent in agents]))
    assert (verdict is None) is passes
    if verdict is not None:
        assert (verdict.status, verdict.body) == (403, {"message": conf.get("message", "Not allowed")})


def test_schema(refusal: Any) -> None:
    assert refusal(UaRestriction, {"denylist": ["("]}) == 'pcre2_compile() failed: missing closing parenthesis in "("'
    assert refusal(UaRestriction, {}) == "value should match only one schema, but matches none"
