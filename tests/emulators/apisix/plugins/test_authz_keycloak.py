"""authz-keycloak: decisions, permissions by path, tokens for passwords."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from harness.emulators.apisix.context import Exit
from harness.emulators.apisix.exchange import Response
from harness.emulators.apisix.plugins.authz_keycloak import AuthzKeycloak

CONF = {"client_id": "api", "client_secret": "s", "token_endpoint": "http://kc.test/token", "permissions": ["users"]}
LAZY = {"client_id": "api", "client_secret": "s", "discovery": "http://kc.test/d", "lazy_load_paths": True}


class Keycloak:
    """Grants or refuses with `status`; knows one resource."""

    def __init__(self) -> None:
        self.status = 200
        self.forms: list[dict[str, list[str]]] = []

    def __call__(self, asked: Any) -> Response:
        path = urlsplit(asked.url).path
        form = parse_qs(asked.body.decode())
        if path == "/d":
            found: Any = {
                "token_endpoint": "http://kc.test/token",
                "resource_registration_endpoint": "http://kc.test/r",
            }
        elif path == "/r":
            found = ["id-1"] if "uri=%2Fcourse" in asked.url else []
        else:
            self.forms.append(form)
            if form["grant_type"][0].startswith("urn:"):
                return Response(self.status, b'{"result":true}' if self.status == 200 else b'{"error":"no"}')
            found = {"access_token": "at", "expires_in": 60}
        return Response(200, json.dumps(found).encode())


@pytest.fixture
def keycloak(scope: Any) -> Keycloak:
    scope.answer = found = Keycloak()
    return found


def ask(request_of: Any, target: str = "/course/1") -> Any:
    return request_of(target, headers={"Authorization": "tok"})


def test_the_question(build: Any, request_of: Any, run: Any, keycloak: Keycloak, scope: Any) -> None:
    plugin = build(AuthzKeycloak, CONF | {"permissions": ["users", "courses#view"], "http_method_as_scope": True})
    assert run(plugin.access(ask(request_of))) is None
    assert keycloak.forms[0]["permission"] == ["users#GET", "courses#view, GET"]
    assert keycloak.forms[0]["audience"] == ["api"]
    assert ("Authorization", "Bearer tok") in scope.fetched[0].headers


@pytest.mark.parametrize(
    ("more", "status", "verdict"),
    [
        ({}, 403, Exit(403, b'{"error":"no"}')),
        ({}, 401, Exit(401, b'{"error":"no"}')),
        ({"access_denied_redirect_uri": "http://x"}, 403, Exit(307, None, (("Location", "http://x"),))),
        ({"permissions": []}, 200, Exit(403, '{"error":"access_denied","error_description":"not_authorized"}')),
        ({"permissions": [], "policy_enforcement_mode": "PERMISSIVE"}, 200, None),
    ],
)
def test_decisions(
    build: Any, request_of: Any, run: Any, keycloak: Keycloak, more: Any, status: int, verdict: Exit | None
) -> None:
    keycloak.status = status
    assert run(build(AuthzKeycloak, CONF | more).access(ask(request_of))) == verdict


def test_a_request_without_token(build: Any, request_of: Any, run: Any) -> None:
    verdict = run(build(AuthzKeycloak, CONF).access(request_of("/")))
    assert verdict == Exit(401, {"message": "Missing JWT token in request"})


def test_permissions_by_path(build: Any, request_of: Any, run: Any, keycloak: Keycloak, scope: Any) -> None:
    plugin = build(AuthzKeycloak, LAZY)
    for _ in range(2):
        assert run(plugin.access(ask(request_of))) is None
    assert run(plugin.access(ask(request_of, "/other"))).status == 403
    grants = [form["grant_type"][0] for form in keycloak.forms]
    assert grants.count("client_credentials") == 1
    assert [asked.url for asked in scope.fetched].count("http://kc.test/d") == 1
    scope.clock.advance(60)
    assert run(plugin.access(ask(request_of))) is None
    assert [form["grant_type"][0] for form in keycloak.forms].count("client_credentials") == 2


def test_a_server_that_is_down(build: Any, request_of: Any, run: Any, scope: Any) -> None:
    scope.answer = ConnectionRefusedError("refused")
    assert run(build(AuthzKeycloak, CONF).access(ask(request_of))) == Exit(503)
    verdict = run(build(AuthzKeycloak, LAZY).access(ask(request_of)))
    assert verdict == Exit(503, "Accessing discovery URL (http://kc.test/d) failed: refused")


def test_a_token_for_a_password(build: Any, request_of: Any, run: Any, keycloak: Keycloak) -> None:
    plugin = build(AuthzKeycloak, CONF | {"password_grant_token_generation_incoming_uri": "/api/token"})
    form = {"Content-Type": "application/x-www-form-urlencoded"}

    def login(body: bytes) -> Any:
        return run(plugin.access(request_of("/api/token", method="POST", headers=form, body=body)))

    assert json.loads(login(b"username=ann&password=p").body)["access_token"] == "at"
    assert keycloak.forms[0]["username"] == ["ann"]
    assert login(b"username=ann") == Exit(422, {"message": "password is missing."})
    assert login(b"password=p") == Exit(422, {"message": "username is missing."})


def test_schema(refusal: Any) -> None:
    assert refusal(AuthzKeycloak, {"client_id": "a"}) is not None
    assert refusal(AuthzKeycloak, {"client_id": "a", "token_endpoint": "t", "lazy_load_paths": True}) is not None
