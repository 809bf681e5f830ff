"""jwt-auth: every algorithm, where the token may stand, its lifetime by the gateway's clock, refusals."""

from __future__ import annotations

from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from harness.emulators.apisix.context import Exit
from harness.emulators.apisix.plugins.jwt_auth import JwtAuth
from harness.emulators.apisix.plugins.jwt_tokens import lifetime, lifetime_problem

SECRET = "golden-secret-golden-secret-0001"
FOREVER = 4102444800


@pytest.fixture(autouse=True)
def hs(scope: Any) -> Any:
    return scope.add_consumer(JwtAuth, "hs", {"key": "hs-user", "secret": SECRET})


def token(payload: dict[str, Any] | None = None, key: Any = SECRET, algorithm: str = "HS256", **claims: Any) -> str:
    return jwt.encode({"key": "hs-user", **(payload or {}), **claims}, key, algorithm=algorithm)


def bearer(text: str) -> dict[str, str]:
    return {"Authorization": text}


@pytest.mark.parametrize("prefix", ["", "Bearer ", "bearer "])
def test_a_good_token_passes(build: Any, request_of: Any, prefix: str) -> None:
    ctx = request_of("/j", headers=bearer(prefix + token(exp=FOREVER)))
    assert build(JwtAuth).rewrite(ctx) is None
    assert ctx.headers.get("x-consumer-username") == "hs"


def pem(key: Any) -> str:
    public = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_key().public_bytes(serialization.Encoding.PEM, public).decode()


RSA = rsa.generate_private_key(65537, 2048)


@pytest.mark.parametrize(
    ("algorithm", "key"),
    [
        ("RS256", RSA),
        ("RS512", RSA),
        ("PS256", RSA),
        ("PS384", RSA),
        ("ES256", ec.generate_private_key(ec.SECP256R1())),
        ("ES384", ec.generate_private_key(ec.SECP384R1())),
        ("ES512", ec.generate_private_key(ec.SECP521R1())),
        ("EdDSA", ed25519.Ed25519PrivateKey.generate()),
    ],
)
def test_public_keys(build: Any, request_of: Any, scope: Any, algorithm: str, key: Any) -> None:
    scope.add_consumer(JwtAuth, "pk", {"key": "pk-user", "algorithm": algorithm, "public_key": pem(key)})
    good = token({"key": "pk-user"}, key, algorithm)
    head, _, signature = good.rpartition(".")
    forged = f"{head}.{'A' * len(signature)}"
    plugin = build(JwtAuth)
    assert plugin.rewrite(request_of("/", headers=bearer(good))) is None
    assert plugin.rewrite(request_of("/", headers=bearer(forged))).body == {"message": "failed to verify jwt"}


def test_a_public_key_is_no_shared_secret(build: Any, request_of: Any, scope: Any) -> None:
    text = pem(RSA)
    scope.add_consumer(JwtAuth, "rs", {"key": "rs-user", "algorithm": "RS256", "public_key": text})
    unsigned = token({"key": "rs-user"}, "x" * 32).rpartition(".")[0]
    digest = jwt.api_jws.PyJWS().get_algorithm_by_name("HS256").sign(unsigned.encode(), text.encode())
    forged = unsigned + "." + jwt.utils.base64url_encode(digest).decode()
    assert build(JwtAuth).rewrite(request_of("/", headers=bearer(forged))).status == 401


def test_base64_secret(build: Any, request_of: Any, scope: Any) -> None:
    conf = {"key": "b64", "secret": "Z29sZGVuLXNlY3JldC1nb2xkZW4tc2VjcmV0LTAwMDE=", "base64_secret": True}
    scope.add_consumer(JwtAuth, "b6", conf)
    assert build(JwtAuth).rewrite(request_of("/", headers=bearer(token({"key": "b64"})))) is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "Missing JWT token in request"),
        ("rubbish", "JWT token invalid"),
        ("Bearer a.b.c", "JWT token invalid"),
        ("Bearer", "JWT token invalid"),
        ("Basic " + token(), "JWT token invalid"),
        (token(key="x" * 32), "failed to verify jwt"),
        (token(key=SECRET * 2, algorithm="HS512"), "failed to verify jwt"),
        (token({"key": "nobody"}), "Invalid user key in JWT token"),
        (jwt.encode({"sub": "x"}, SECRET), "missing user key in JWT token"),
        (jwt.encode({"key": "hs-user"}, "", algorithm="none"), "JWT token invalid"),
        (token(exp="tomorrow"), "failed to verify jwt"),
    ],
)
def test_refusals(build: Any, request_of: Any, text: str | None, message: str) -> None:
    ctx = request_of("/j", headers=bearer(text) if text is not None else {})
    challenge = (("WWW-Authenticate", 'Bearer realm="jwt"'),)
    assert build(JwtAuth).rewrite(ctx) == Exit(401, {"message": message}, challenge)


def test_a_token_expires_when_the_clock_moves(build: Any, request_of: Any, scope: Any) -> None:
    now = int(scope.clock.time())
    plugin = build(JwtAuth)
    text = token(exp=now + 60)
    assert plugin.rewrite(request_of("/", headers=bearer(text))) is None
    scope.clock.advance(60)
    assert plugin.rewrite(request_of("/", headers=bearer(text))).status == 401
    early = token(nbf=now + 90)
    assert plugin.rewrite(request_of("/", headers=bearer(early))).status == 401
    scope.clock.advance(31)
    assert plugin.rewrite(request_of("/", headers=bearer(early))) is None


def test_the_grace_period_counts_on_both_sides(build: Any, request_of: Any, scope: Any) -> None:
    scope.add_consumer(JwtAuth, "g", {"key": "g", "secret": SECRET, "lifetime_grace_period": 10})
    now = int(scope.clock.time())
    plugin = build(JwtAuth)
    assert plugin.rewrite(request_of("/", headers=bearer(token({"key": "g"}, exp=now - 9)))) is None
    assert plugin.rewrite(request_of("/", headers=bearer(token({"key": "g"}, nbf=now + 9)))) is None


def test_claims_to_verify_are_required(build: Any, request_of: Any) -> None:
    plugin = build(JwtAuth, {"claims_to_verify": ["nbf"]})
    assert plugin.rewrite(request_of("/", headers=bearer(token(exp=FOREVER)))).status == 401
    assert plugin.rewrite(request_of("/", headers=bearer(token(exp=5, nbf=5)))) is None


def test_query_and_cookie(build: Any, request_of: Any) -> None:
    plugin = build(JwtAuth, {"hide_credentials": True, "store_in_ctx": True})
    text = token(exp=FOREVER)
    in_query = request_of(f"/j?a=1&jwt={text}&b=2")
    in_cookie = request_of("/j", headers={"Cookie": f"a=1; jwt={text}; b=2"})
    alone = request_of("/j", headers={"Cookie": f"jwt={text}"})
    for ctx in (in_query, in_cookie, alone):
        assert plugin.rewrite(ctx) is None
        assert ctx.notes["jwt_auth_payload"]["exp"] == FOREVER
    assert in_query.upstream_uri == "/j?a=1&b=2"
    assert in_cookie.headers.get("cookie") == "a=1; b=2"
    assert "cookie" not in alone.headers


def test_names_are_options(build: Any, request_of: Any) -> None:
    plugin = build(JwtAuth, {"header": "X-Tok", "query": "tok", "cookie": "tokc", "key_claim_name": "uid"})
    text = jwt.encode({"uid": "hs-user"}, SECRET)
    assert plugin.rewrite(request_of("/", headers={"x-tok": text})) is None
    assert plugin.rewrite(request_of(f"/?tok={text}")) is None
    assert plugin.rewrite(request_of("/", headers={"Cookie": f"tokc={text}"})) is None
    assert plugin.rewrite(request_of(f"/?jwt={text}")).status == 401


@pytest.mark.parametrize(
    ("conf", "message"),
    [
        ({}, 'property "key" is required'),
        ({"key": "k"}, 'property "secret" is required when using HS based algorithms'),
        (
            {"key": "k", "secret": "not base64!!", "base64_secret": True},
            "base64_secret required but the secret is not in base64 format",
        ),
    ],
)
def test_consumer_schema(refusal: Any, conf: dict[str, Any], message: str) -> None:
    assert refusal(JwtAuth, conf, consumer=True) == message


@pytest.mark.parametrize("grace", [0, 7])
@pytest.mark.parametrize("claims", [{}, {"exp": 100}, {"exp": 100.5}, {"nbf": 50}, {"nbf": 49.5, "exp": 99.9}])
def test_the_lifetime_of_a_token_is_when_nothing_is_said_against_it(claims: dict[str, Any], grace: int) -> None:
    begins, ends = lifetime(claims, (), grace)
    for tenths in range(300, 1200):
        now = tenths / 10
        assert (begins <= now < ends) == (not lifetime_problem(claims, (), int(now), grace)), now


@pytest.mark.parametrize("bound", [float("inf"), float("nan")])
def test_a_token_without_a_finite_bound_is_looked_at_each_time(bound: float) -> None:
    assert lifetime({"exp": bound}, (), 0) == (float("-inf"), float("-inf"))
