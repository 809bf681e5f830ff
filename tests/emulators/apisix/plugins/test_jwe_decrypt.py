"""jwe-decrypt: the token's text goes to the upstream; what can't be decrypted is refused."""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from harness.emulators.apisix.plugins.jwe_decrypt import JweDecrypt

SECRET = "-secret-length-must-be-32-chars-"


CONF = {"header": "Authorization", "forward_header": "Authorization"}


def packed(data: bytes) -> str:
    return urlsafe_b64encode(data).decode().rstrip("=")


def token(text: bytes = b"hello", kid: str | None = "user-key", secret: bytes = SECRET.encode()) -> str:
    header = {"alg": "dir", "enc": "A256GCM"} | ({"kid": kid} if kid else {})
    nonce = b"0" * 12
    sealed = AESGCM(secret).encrypt(nonce, text, None)
    parts = [json.dumps(header).encode(), b"", nonce, sealed[:-16], sealed[-16:]]
    return ".".join(map(packed, parts))


@pytest.fixture(autouse=True)
def consumer(scope: Any) -> Any:
    return scope.add_consumer(JweDecrypt, "jack", {"key": "user-key", "secret": SECRET})


def test_the_plain_text_is_forwarded(build: Any, request_of: Any) -> None:
    plugin = build(JweDecrypt, CONF | {"forward_header": "X-Plain"})
    ctx = request_of("/", headers={"Authorization": f"Bearer {token()}"})
    assert plugin.rewrite(ctx) is None
    assert ctx.headers.get("x-plain") == "hello"


def test_a_base64_secret(build: Any, request_of: Any, scope: Any) -> None:
    conf = {"key": "b64", "secret": packed(b"k" * 32), "is_base64_encoded": True}
    scope.add_consumer(JweDecrypt, "b", conf)
    ctx = request_of("/", headers={"Authorization": token(kid="b64", secret=b"k" * 32)})
    assert build(JweDecrypt, CONF).rewrite(ctx) is None
    assert ctx.headers.get("authorization") == "hello"


@pytest.mark.parametrize(
    ("text", "status", "message"),
    [
        (None, 403, "missing JWE token in request"),
        ("a.b", 400, "JWE token invalid"),
        ("!.a.b.c.d", 400, "JWE token invalid"),
        (token(kid=None), 400, "missing kid in JWE token"),
        (token(kid="nobody"), 400, "invalid kid in JWE token"),
        (token(secret=b"x" * 32), 400, "failed to decrypt JWE token"),
    ],
)
def test_refusals(build: Any, request_of: Any, text: str | None, status: int, message: str) -> None:
    verdict = build(JweDecrypt, CONF).rewrite(request_of("/", headers={"Authorization": text} if text else {}))
    assert (verdict.status, verdict.body) == (status, {"message": message})


def test_not_strict_lets_requests_without_a_token_pass(build: Any, request_of: Any) -> None:
    assert build(JweDecrypt, CONF | {"strict": False}).rewrite(request_of("/")) is None


def test_defaults_do_not_stand_for_required_members(refusal: Any) -> None:
    assert refusal(JweDecrypt, {}) == 'property "header" is required'
