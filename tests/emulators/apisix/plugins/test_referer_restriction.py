"""referer-restriction: hosts and wildcard hosts, missing and malformed referers."""

from __future__ import annotations

from typing import Any

import pytest

from harness.emulators.apisix.context import Exit
from harness.emulators.apisix.plugins.referer_restriction import RefererRestriction

WHITE = {"whitelist": ["a.test", "*.b.test"]}
BLACK = {"blacklist": ["a.test", "*.b.test"], "message": "no"}


@pytest.mark.parametrize(
    ("conf", "referer", "passes"),
    [
        (WHITE, "http://a.test/x", True),
        (WHITE, "https://y.b.test:8080/x?y", True),
        (WHITE, "http://b.test", False),
        (WHITE, "http://c.test", False),
        (WHITE, None, False),
        (WHITE, "not a url", False),
        (WHITE | {"bypass_missing": True}, None, True),
        (WHITE | {"bypass_missing": True}, "not a url", True),
        (BLACK, "http://a.test", False),
        (BLACK, "http://c.test", True),
    ],
)
def test_hosts(build: Any, request_of: Any, conf: dict[str, Any], referer: str | None, passes: bool) -> None:
    ctx = request_of("/", headers={"Referer": referer} if referer else {})
    message = conf.get("message", "Your referer host is not allowed")
    assert build(RefererRestriction, conf).access(ctx) == (None if passes else Exit(403, {"message": message}))


def test_schema(refusal: Any) -> None:
    assert refusal(RefererRestriction, {}) == "value should match only one schema, but matches none"
    assert "failed to match pattern" in (refusal(RefererRestriction, {"whitelist": ["a b"]}) or "")
