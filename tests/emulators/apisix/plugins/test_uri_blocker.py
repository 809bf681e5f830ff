"""uri-blocker: patterns over path and query."""

from __future__ import annotations

from typing import Any

import pytest

from harness.emulators.apisix.context import Exit
from harness.emulators.apisix.plugins.uri_blocker import UriBlocker


@pytest.mark.parametrize(
    ("target", "blocked"),
    [
        ("/root.exe", True),
        ("/x?y=root.exe", True),
        ("/root.mmm", True),
        ("/no/way", True),
        ("/r%6fot.exe", True),
        ("/yes", False),
        ("/ROOT.EXE", False),
        ("/x?q=r%6fot.exe", False),
    ],
)
def test_rules(build: Any, request_of: Any, target: str, blocked: bool) -> None:
    plugin = build(UriBlocker, {"block_rules": ["root.exe", "root.m+", "^/no"]})
    assert plugin.rewrite(request_of(target)) == (Exit(403) if blocked else None)


def test_options(build: Any, request_of: Any) -> None:
    conf = {"block_rules": ["x", "secret"], "rejected_code": 451, "rejected_msg": "hush", "case_insensitive": True}
    plugin = build(UriBlocker, conf)
    assert plugin.rewrite(request_of("/SECRET")) == Exit(451, {"error_msg": "hush"})
    assert plugin.rewrite(request_of("/open")) is None


def test_no_rules_block_everything(build: Any, request_of: Any) -> None:
    assert build(UriBlocker, {"block_rules": []}).rewrite(request_of("/")) == Exit(403)


def test_schema(refusal: Any) -> None:
    assert refusal(UriBlocker, {}) == 'property "block_rules" is required'
    assert "pcre2_compile() failed" in (refusal(UriBlocker, {"block_rules": [".+("]}) or "")
