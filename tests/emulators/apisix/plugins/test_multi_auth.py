"""multi-auth: any method is enough; challenges of failed ones stay."""

from __future__ import annotations

from typing import Any

import pytest

from harness.emulators.apisix.plugins.basic_auth import BasicAuth
from harness.emulators.apisix.plugins.hmac_auth import HmacAuth
from harness.emulators.apisix.plugins.key_auth import KeyAuth
from harness.emulators.apisix.plugins.multi_auth import MultiAuth

CONF = {"auth_plugins": [{"basic-auth": {}}, {"key-auth": {"hide_credentials": True}}, {"jwt-auth": {}}]}


@pytest.fixture(autouse=True)
def foo(scope: Any) -> None:
    scope.add_consumer(BasicAuth, "foo", {"username": "foo", "password": "bar"})
    scope.add_consumer(KeyAuth, "foo", {"key": "foo-key"})
    scope.add_consumer(HmacAuth, "foo", {"key_id": "k", "secret_key": "s"})


def test_the_first_that_succeeds_ends_it(build: Any, request_of: Any) -> None:
    ctx = request_of("/m", headers={"Authorization": "Basic Zm9vOmJhcg=="})
    assert build(MultiAuth, CONF).rewrite(ctx) is None
    assert list(ctx.response) == []
    later = request_of("/m", headers={"apikey": "foo-key"})
    assert build(MultiAuth, CONF).rewrite(later) is None
    assert "apikey" not in later.headers
    assert list(later.response) == [("WWW-Authenticate", 'Basic realm="basic"')]


def test_nobody_succeeds(build: Any, request_of: Any, scope: Any) -> None:
    ctx = request_of("/m", headers={"apikey": "wrong"})
    verdict = build(MultiAuth, CONF).rewrite(ctx)
    assert (verdict.status, verdict.body) == (401, {"message": "Authorization Failed"})
    assert list(ctx.response) == [("WWW-Authenticate", 'Bearer realm="jwt"')]
    assert ("warn", "jwt-auth failed to authenticate the request, code: 401. error: Missing JWT token in request") in (
        scope.logs
    )


def test_members_that_read_the_body_are_waited_for(build: Any, request_of: Any, run: Any) -> None:
    conf = {"auth_plugins": [{"hmac-auth": {"validate_request_body": True}}, {"key-auth": {}}]}
    ctx = request_of("/m", method="POST", headers={"apikey": "foo-key"}, body=b"x")
    assert run(build(MultiAuth, conf).rewrite(ctx)) is None
    assert ctx.consumer.name == "foo"


@pytest.mark.parametrize(
    ("plugins", "message"),
    [
        ([{"basic-auth": {}}, {"cors": {}}], "cors plugin is not supported"),
        ([{"basic-auth": {}}, {"nope": {}}], "nope plugin did not found"),
        (
            [{"basic-auth": {"hide_credentials": 3}}, {"key-auth": {}}],
            "plugin basic-auth check schema failed: "
            'property "hide_credentials" validation failed: wrong type: expected boolean, got number',
        ),
    ],
)
def test_schema(refusal: Any, plugins: list[Any], message: str) -> None:
    assert refusal(MultiAuth, {"auth_plugins": plugins}) == message
