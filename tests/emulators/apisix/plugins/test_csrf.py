"""csrf: the token's way from the cookie back to the gateway, its expiry, refusals."""

from __future__ import annotations

from typing import Any

import pytest

from harness.emulators.apisix.context import Exit
from harness.emulators.apisix.plugins.csrf import Csrf

CONF = {"key": "golden-key", "name": "my-tok", "expires": 60}


def cookie(plugin: Any, request_of: Any) -> str:
    ctx = request_of("/s")
    assert plugin.access(ctx) is None
    plugin.header_filter(ctx)
    text: str = ctx.response.get("set-cookie")
    return text


def post(request_of: Any, token: str | None, in_cookie: str | None) -> Any:
    headers = {"my-tok": token} if token is not None else {}
    return request_of("/s", method="POST", headers=headers | ({"Cookie": f"my-tok={in_cookie}"} if in_cookie else {}))


def test_the_round_trip_and_its_end(build: Any, request_of: Any, scope: Any) -> None:
    plugin = build(Csrf, CONF)
    text = cookie(plugin, request_of)
    token, _, rest = text.removeprefix("my-tok=").partition(";")
    assert rest == "path=/;SameSite=Lax;Expires=Tue, 14-Nov-23 22:14:20 GMT"
    assert plugin.access(post(request_of, token, token)) is None
    scope.clock.advance(60)
    assert plugin.access(post(request_of, token, token)) is None
    scope.clock.advance(1)
    refused = Exit(401, {"error_msg": "Failed to verify the csrf token signature"})
    assert plugin.access(post(request_of, token, token)) == refused
    assert scope.logs[-1] == ("error", "token has expired")


@pytest.mark.parametrize(
    ("token", "in_cookie", "message"),
    [
        (None, None, "no csrf token in headers"),
        ("", "x", "no csrf token in headers"),
        ("abc", None, "no csrf cookie"),
        ("abc", "def", "csrf token mismatch"),
        ("abc", "abc", "Failed to verify the csrf token signature"),
        ("e30=", "e30=", "Failed to verify the csrf token signature"),
    ],
)
def test_refusals(build: Any, request_of: Any, token: Any, in_cookie: Any, message: str) -> None:
    assert build(Csrf, CONF).access(post(request_of, token, in_cookie)) == Exit(401, {"error_msg": message})


def test_another_key_signs_otherwise(build: Any, request_of: Any) -> None:
    token = cookie(build(Csrf, CONF | {"key": "other"}), request_of).removeprefix("my-tok=").partition(";")[0]
    assert build(Csrf, CONF).access(post(request_of, token, token)).status == 401


def test_schema(refusal: Any) -> None:
    assert refusal(Csrf, {}) == 'property "key" is required'
