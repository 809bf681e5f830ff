"""basic-auth: right and wrong credentials, broken headers."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import pytest

from harness.emulators.apisix.context import Exit
from harness.emulators.apisix.plugins.basic_auth import BasicAuth


@pytest.fixture(autouse=True)
def foo(scope: Any) -> Any:
    return scope.add_consumer(BasicAuth, "foo", {"username": "foo", "password": "bar"})


def basic(text: str) -> dict[str, str]:
    return {"Authorization": "Basic " + b64encode(text.encode()).decode()}


@pytest.mark.parametrize("headers", [basic("foo:bar"), {"authorization": "basic Zm9vOmJhcg"}, basic(" foo : b ar\n")])
def test_the_right_password_passes(build: Any, request_of: Any, headers: dict[str, str]) -> None:
    ctx = request_of("/", headers=headers)
    assert build(BasicAuth).rewrite(ctx) is None
    assert ctx.headers.get("x-consumer-username") == "foo"
    assert "authorization" in ctx.headers


@pytest.mark.parametrize(
    ("headers", "message"),
    [
        ({}, "Missing authorization in request"),
        (basic("foo:baz"), "Invalid user authorization"),
        (basic("nobody:bar"), "Invalid user authorization"),
        (basic("foo:"), "Invalid authorization in request"),
        (basic("foo"), "Invalid authorization in request"),
        ({"Authorization": "Basic !!!"}, "Invalid authorization in request"),
        ({"Authorization": "Bearer x"}, "Invalid authorization in request"),
        ({"Authorization": "Basic"}, "Invalid authorization in request"),
    ],
)
def test_refusals(build: Any, request_of: Any, headers: dict[str, str], message: str) -> None:
    challenge = (("WWW-Authenticate", 'Basic realm="basic"'),)
    assert build(BasicAuth).rewrite(request_of("/", headers=headers)) == Exit(401, {"message": message}, challenge)


def test_a_password_with_a_colon_never_fits(build: Any, request_of: Any, scope: Any) -> None:
    scope.add_consumer(BasicAuth, "c", {"username": "c", "password": "a:b"})
    assert build(BasicAuth).rewrite(request_of("/", headers=basic("c:a:b"))).status == 401


def test_hidden_credentials_go_for_the_anonymous_consumer_too(build: Any, request_of: Any) -> None:
    plugin = build(BasicAuth, {"hide_credentials": True, "anonymous_consumer": "foo"})
    for headers in (basic("foo:bar"), basic("foo:wrong")):
        ctx = request_of("/", headers=headers)
        assert plugin.rewrite(ctx) is None
        assert "authorization" not in ctx.headers


def test_schema(refusal: Any) -> None:
    assert refusal(BasicAuth, {"username": "x"}, consumer=True) == 'property "password" is required'
