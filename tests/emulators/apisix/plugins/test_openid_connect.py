"""openid-connect: bearer tokens in three ways, the log-in and its end, against a provider in memory."""

from __future__ import annotations

import base64
import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from harness.emulators.apisix.context import Exit
from harness.emulators.apisix.exchange import Response
from harness.emulators.apisix.plugins.openid_connect import OpenidConnect

KEY = rsa.generate_private_key(65537, 2048)
STRANGER = rsa.generate_private_key(65537, 2048)
PEM = (
    KEY.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()
)
IDP = "https://idp.test"
BASE = {"client_id": "web", "client_secret": "s3cret", "discovery": f"{IDP}/.well-known"}
BEARER = {**BASE, "bearer_only": True}
LOGIN = {**BASE, "session": {"secret": "0123456789abcdef"}, "redirect_uri": "/cb"}


class Idp:
    """Answers as a provider; `introspected` and `tokens` are what the end-points say."""

    def __init__(self, scope: Any) -> None:
        self.scope = scope
        self.introspected: dict[str, Any] = {"active": False}
        self.tokens: dict[str, Any] = {}
        self.asked: list[tuple[str, dict[str, str]]] = []

    def __call__(self, request: Any) -> Response:
        path = urlsplit(request.url).path
        form = {name: values[0] for name, values in parse_qs(request.body.decode()).items()}
        self.asked.append((path, form))
        jwk = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(KEY.public_key())) | {"kid": "k1", "use": "sig"}
        answers = {
            "/.well-known": {
                "issuer": IDP,
                "jwks_uri": f"{IDP}/jwks",
                "introspection_endpoint": f"{IDP}/introspect",
                "authorization_endpoint": f"{IDP}/auth?x=1",
                "token_endpoint": f"{IDP}/token",
                "userinfo_endpoint": f"{IDP}/userinfo",
                "end_session_endpoint": f"{IDP}/bye",
            },
            "/jwks": {"keys": [jwk]},
            "/introspect": self.introspected,
            "/token": self.tokens,
            "/userinfo": {"sub": "ann", "email": "a@x"},
        }
        return Response(200, json.dumps(answers[path]).encode())


@pytest.fixture
def idp(scope: Any) -> Idp:
    scope.answer = Idp(scope)
    found: Idp = scope.answer
    return found


@pytest.fixture
def token(scope: Any) -> Any:
    def make(key: Any = KEY, algorithm: str = "RS256", **claims: Any) -> str:
        now = int(scope.clock.time())
        payload = {"iss": IDP, "sub": "ann", "aud": "web", "iat": now, "exp": now + 60, **claims}
        return jwt.encode(payload, key, algorithm=algorithm, headers={"kid": "k1"})

    return make


def unpacked(text: str | None) -> Any:
    return json.loads(base64.b64decode(text or ""))


@pytest.mark.parametrize("more", [{"public_key": PEM}, {"use_jwks": True}])
def test_tokens_judged_here(build: Any, request_of: Any, run: Any, idp: Idp, token: Any, more: Any) -> None:
    plugin = build(OpenidConnect, BEARER | more)
    good = token()
    ctx = request_of("/", headers={"Authorization": f"Bearer {good}", "X-Userinfo": "forged", "X-ID-Token": "forged"})
    assert run(plugin.rewrite(ctx)) is None
    assert ctx.headers.get("x-access-token") == good
    assert unpacked(ctx.headers.get("x-userinfo"))["sub"] == "ann"
    assert "x-id-token" not in ctx.headers
    by_header = request_of("/", headers={"X-Access-Token": good})
    assert run(plugin.rewrite(by_header)) is None


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"key": STRANGER}, "jwt signature verification failed: Verification failed"),
        ({"iss": "other"}, "jwt signature verification failed: Claim 'iss' ('other') returned failure"),
        ({"exp": 5}, "jwt signature verification failed: 'exp' claim expired at Thu, 01 Jan 1970 00:00:05 GMT"),
        ({"key": "x" * 32, "algorithm": "HS256"}, "jwt signature verification failed: no secret for HS256"),
    ],
)
def test_tokens_that_do_not_hold(
    build: Any, request_of: Any, run: Any, idp: Idp, token: Any, claims: Any, reason: str
) -> None:
    plugin = build(OpenidConnect, BEARER | {"public_key": PEM})
    verdict = run(plugin.rewrite(request_of("/", headers={"Authorization": f"Bearer {token(**claims)}"})))
    challenge = f'Bearer realm="apisix", error="invalid_token", error_description="{reason}"'
    assert verdict == Exit(401, None, (("WWW-Authenticate", challenge),))


def test_missing_and_malformed_tokens(build: Any, request_of: Any, run: Any, idp: Idp) -> None:
    plugin = build(OpenidConnect, BEARER | {"realm": "r"})
    assert run(plugin.rewrite(request_of("/"))) == Exit(401, None, (("WWW-Authenticate", 'Bearer realm="r"'),))
    assert run(plugin.rewrite(request_of("/", headers={"Authorization": "Bearer"}))) == Exit(400)


def test_introspection(build: Any, request_of: Any, run: Any, idp: Idp, scope: Any) -> None:
    plugin = build(OpenidConnect, BEARER | {"required_scopes": ["read"]})

    def ask() -> Any:
        return run(plugin.rewrite(request_of("/", headers={"Authorization": "Bearer opaque"})))

    assert ask().status == 401
    idp.introspected = {"active": True, "scope": "other", "exp": int(scope.clock.time()) + 30}
    assert ask() == Exit(403, b'{"error":"required scopes read not present"}')
    idp.introspected = {"active": True, "scope": "read write"}
    assert ask().status == 403, "the first answer is kept until the token expires"
    scope.clock.advance(31)
    assert ask() is None
    assert idp.asked[-1] == ("/introspect", {"token": "opaque", "client_id": "web", "client_secret": "s3cret"})
    assert ("Authorization", "Basic d2ViOnMzY3JldA==") in scope.fetched[-1].headers


@pytest.mark.parametrize(
    ("audience", "claims", "error"),
    [
        ({"required": True, "claim": "for"}, {}, "required audience claim not present"),
        ({"match_with_client_id": True}, {"aud": ["x", "y"]}, "mismatched audience"),
        ({"match_with_client_id": True}, {"aud": ["x", "web"]}, None),
    ],
)
def test_audience(
    build: Any, request_of: Any, run: Any, idp: Idp, token: Any, audience: Any, claims: Any, error: str | None
) -> None:
    conf = BEARER | {"public_key": PEM, "claim_validator": {"audience": audience}}
    verdict = run(build(OpenidConnect, conf).rewrite(request_of("/", headers={"X-Access-Token": token(**claims)})))
    assert verdict == (
        None if error is None else Exit(403, json.dumps({"error": error}, separators=(",", ":")).encode())
    )


def test_claim_schema(build: Any, request_of: Any, run: Any, idp: Idp, token: Any) -> None:
    conf = BEARER | {"public_key": PEM, "claim_schema": {"type": "object", "required": ["tenant"]}}
    plugin = build(OpenidConnect, conf)
    assert run(plugin.rewrite(request_of("/", headers={"X-Access-Token": token()}))).status == 401
    assert run(plugin.rewrite(request_of("/", headers={"X-Access-Token": token(tenant="t")}))) is None


def cookie_of(verdict: Any) -> dict[str, str]:
    held = dict(verdict.headers)["Set-Cookie"]
    assert "HttpOnly" in held
    return {"Cookie": held.partition(";")[0]}


def test_the_whole_log_in(build: Any, request_of: Any, run: Any, idp: Idp, token: Any, scope: Any) -> None:
    plugin = build(OpenidConnect, LOGIN | {"use_nonce": True, "use_pkce": True, "set_raw_id_token_header": True})
    sent = run(plugin.rewrite(request_of("/a b?x=1")))
    target = dict(sent.headers)["Location"]
    asked = {name: values[0] for name, values in parse_qs(urlsplit(target).query).items()}
    assert sent.status == 302
    assert target.startswith(f"{IDP}/auth?x=1&client_id=web&")
    assert (asked["redirect_uri"], asked["response_type"]) == ("http://golden.test/cb", "code")

    raw = token(nonce=asked["nonce"])
    idp.tokens = {"id_token": raw, "access_token": "at", "expires_in": 100, "refresh_token": "rt"}
    back = run(plugin.rewrite(request_of(f"/cb?code=c&state={asked['state']}", headers=cookie_of(sent))))
    assert (back.status, dict(back.headers)["Location"]) == (302, "/a%20b?x=1")
    assert next(form for path, form in idp.asked if path == "/token")["code_verifier"]

    ctx = request_of("/a", headers=cookie_of(back))
    assert run(plugin.rewrite(ctx)) is None
    assert (ctx.headers.get("x-access-token"), ctx.headers.get("x-raw-id-token")) == ("at", raw)
    assert unpacked(ctx.headers.get("x-userinfo"))["email"] == "a@x"
    assert unpacked(ctx.headers.get("x-id-token"))["sub"] == "ann"

    scope.clock.advance(101)
    idp.tokens = {"access_token": "at2", "expires_in": 100}
    renewed = request_of("/a", headers=cookie_of(back))
    assert run(plugin.rewrite(renewed)) is None
    assert renewed.headers.get("x-access-token") == "at2"
    plugin.header_filter(renewed)
    assert "set-cookie" in renewed.response

    out = run(plugin.rewrite(request_of("/logout", headers=cookie_of(back))))
    assert dict(out.headers)["Location"].startswith(f"{IDP}/bye?id_token_hint=")
    assert "1970" in dict(out.headers)["Set-Cookie"]


def test_a_session_ends_by_the_clock(build: Any, request_of: Any, run: Any, idp: Idp, scope: Any) -> None:
    conf = LOGIN | {"session": {"secret": "0123456789abcdef", "idling_timeout": 60}}
    plugin = build(OpenidConnect, conf)
    sent = run(plugin.rewrite(request_of("/")))
    scope.clock.advance(61)
    state = parse_qs(urlsplit(dict(sent.headers)["Location"]).query)["state"][0]
    assert run(plugin.rewrite(request_of(f"/cb?code=c&state={state}", headers=cookie_of(sent)))) == Exit(500)


def test_a_foreign_state_starts_again_but_not_for_ever(build: Any, request_of: Any, run: Any, idp: Idp) -> None:
    plugin = build(OpenidConnect, LOGIN)
    verdict = run(plugin.rewrite(request_of("/start")))
    for _ in range(3):
        verdict = run(plugin.rewrite(request_of("/cb?code=c&state=forged", headers=cookie_of(verdict))))
        assert (verdict.status, dict(verdict.headers)["Location"]) == (302, "/start")
    assert run(plugin.rewrite(request_of("/cb?code=c&state=forged", headers=cookie_of(verdict)))) == Exit(500)


def test_other_ways_for_strangers(build: Any, request_of: Any, run: Any, idp: Idp, scope: Any) -> None:
    assert run(build(OpenidConnect, LOGIN | {"unauth_action": "deny"}).rewrite(request_of("/"))) == Exit(401)
    assert run(build(OpenidConnect, LOGIN | {"unauth_action": "pass"}).rewrite(request_of("/"))) is None
    forged = request_of("/", headers={"Cookie": "session=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"})
    assert run(build(OpenidConnect, LOGIN).rewrite(forged)).status == 302


def test_a_provider_that_is_down(build: Any, request_of: Any, run: Any, scope: Any) -> None:
    scope.answer = ConnectionRefusedError("refused")
    assert run(build(OpenidConnect, LOGIN).rewrite(request_of("/"))) == Exit(500)


@pytest.mark.parametrize(
    ("conf", "message"),
    [
        ({}, 'property "session.secret" is required when "bearer_only" is false'),
        ({"bearer_only": True, "client_id": "a", "discovery": "b"}, 'property "client_secret" is required'),
        ({**BEARER, "use_dpop": True}, 'property "use_dpop" is not allowed, use "dpop.enabled" instead'),
        ({**BEARER, "par": {"enabled": True}}, "par.enabled of openid-connect is not emulated"),
        ({**BEARER, "claim_schema": {"type": "nope"}}, "check claim_schema failed: invalid JSON type: nope"),
    ],
)
def test_schema(refusal: Any, conf: Any, message: str) -> None:
    found = refusal(OpenidConnect, conf) or ""
    assert message in (found, OpenidConnect.reword(found, conf))
