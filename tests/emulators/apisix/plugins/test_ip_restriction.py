"""ip-restriction: lists of addresses and networks."""

from __future__ import annotations

from typing import Any

import pytest

from harness.emulators.apisix.context import Exit
from harness.emulators.apisix.plugins.ip_restriction import IpRestriction


@pytest.mark.parametrize(
    ("conf", "address", "passes"),
    [
        ({"whitelist": ["127.0.0.0/24", "10.1.1.1"]}, "127.0.0.9", True),
        ({"whitelist": ["127.0.0.0/24", "10.1.1.1"]}, "127.0.1.1", False),
        ({"blacklist": ["127.0.0.1"]}, "127.0.0.1", False),
        ({"blacklist": ["127.0.0.1"]}, "8.8.8.8", True),
        ({"blacklist": ["fe80::/16"]}, "fe80::1", False),
        ({"whitelist": ["::1"]}, "127.0.0.1", False),
    ],
)
def test_lists(build: Any, request_of: Any, conf: dict[str, Any], address: str, passes: bool) -> None:
    verdict = build(IpRestriction, conf).access(request_of("/", remote_addr=address))
    assert verdict == (None if passes else Exit(403, {"message": "Your IP address is not allowed"}))


def test_message_and_code(build: Any, request_of: Any) -> None:
    plugin = build(IpRestriction, {"blacklist": ["127.0.0.1"], "message": "not from there", "response_code": 404})
    assert plugin.access(request_of("/")) == Exit(404, {"message": "not from there"})


@pytest.mark.parametrize(
    ("conf", "message"),
    [
        ({}, "value should match only one schema, but matches none"),
        (
            {"whitelist": ["1.1.1.1"], "blacklist": ["1.1.1.1"]},
            "value should match only one schema, but matches both schemas 1 and 2",
        ),
        ({"blacklist": [":/8"]}, "invalid ip address: :/8"),
        ({"blacklist": ["::1/129"]}, "invalid ip address: ::1/129"),
    ],
)
def test_schema(refusal: Any, conf: dict[str, Any], message: str) -> None:
    assert refusal(IpRestriction, conf) == message
