"""hmac-auth: signatures, the clock's skew, body digests, refusals."""

from __future__ import annotations

import hmac
from base64 import b64encode
from email.utils import formatdate
from hashlib import sha256
from typing import Any

import pytest

from harness.emulators.apisix.context import Exit
from harness.emulators.apisix.plugins.hmac_auth import HmacAuth

INVALID = "client request can't be validated"
CHALLENGE = (("WWW-Authenticate", 'hmac realm="hmac"'),)


@pytest.fixture(autouse=True)
def consumer(scope: Any) -> Any:
    return scope.add_consumer(HmacAuth, "hm", {"key_id": "hm-key", "secret_key": "hm-secret"})


def signed(
    lines: list[str],
    date: str,
    *,
    algorithm: str = "hmac-sha256",
    names: str = "@request-target date",
    secret: str = "hm-secret",
    key_id: str = "hm-key",
) -> dict[str, str]:
    text = "\n".join([key_id, *lines]) + "\n"
    signature = b64encode(hmac.digest(secret.encode(), text.encode(), algorithm.removeprefix("hmac-"))).decode()
    field = f'Signature keyId="{key_id}",algorithm="{algorithm}",headers="{names}",signature="{signature}"'
    return {"Date": date, "Authorization": field}


def good(scope: Any, target: str = "GET /h", **more: Any) -> dict[str, str]:
    date = formatdate(scope.clock.time() + more.pop("skew", 0), usegmt=True)
    return signed([target, f"date: {date}"], date, **more)


@pytest.mark.parametrize("algorithm", ["hmac-sha1", "hmac-sha256", "hmac-sha512"])
def test_a_right_signature_passes(build: Any, request_of: Any, scope: Any, algorithm: str) -> None:
    ctx = request_of("/h?a=1&b=%20", headers=good(scope, "GET /h?a=1&b=%20", algorithm=algorithm))
    assert build(HmacAuth).rewrite(ctx) is None
    assert ctx.headers.get("x-consumer-username") == "hm"


def test_signed_headers_count(build: Any, request_of: Any, scope: Any) -> None:
    date = formatdate(scope.clock.time(), usegmt=True)
    headers = signed([f"date: {date}", "x-a: 1"], date, names="date x-a")
    plugin = build(HmacAuth, {"signed_headers": ["date", "x-a"]})
    assert plugin.rewrite(request_of("/", headers={**headers, "X-A": "1"})) is None
    assert plugin.rewrite(request_of("/", headers={**headers, "X-A": "2"})).status == 401
    assert plugin.rewrite(request_of("/h", headers=good(scope))).status == 401


def test_the_reason_is_told_only_for_the_header(build: Any, request_of: Any, scope: Any) -> None:
    plugin = build(HmacAuth)
    told = {
        f"{INVALID}: missing Authorization header": {},
        f"{INVALID}: Authorization header does not start with 'Signature'": {"Authorization": "Bearer x"},
    }
    for message, headers in told.items():
        assert plugin.rewrite(request_of("/h", headers=headers)) == Exit(401, {"message": message}, CHALLENGE)
    without_date = good(scope)
    del without_date["Date"]
    silent = [
        {"Authorization": 'Signature keyId="hm-key"'},
        {"Authorization": 'Signature keyId="hm-key",signature="eA=="'},
        good(scope, key_id="nobody"),
        good(scope, secret="wrong"),
        good(scope, skew=-1000),
        good(scope, names="@request-target"),
        good(scope) | {"Date": "yesterday"},
        without_date,
    ]
    for headers in silent:
        assert plugin.rewrite(request_of("/h", headers=headers)) == Exit(401, {"message": INVALID}, CHALLENGE)


def test_the_skew_follows_the_gateways_clock(build: Any, request_of: Any, scope: Any) -> None:
    plugin = build(HmacAuth)
    headers = good(scope)
    scope.clock.advance(300)
    assert plugin.rewrite(request_of("/h", headers=headers)) is None
    scope.clock.advance(1)
    assert plugin.rewrite(request_of("/h", headers=headers)).status == 401


def test_the_digest_must_fit_the_body(build: Any, request_of: Any, scope: Any, run: Any) -> None:
    plugin = build(HmacAuth, {"validate_request_body": True, "hide_credentials": True, "max_req_body_size": 10})
    digest = "SHA-256=" + b64encode(sha256(b"hello").digest()).decode()
    headers = good(scope, "POST /h")
    ctx = request_of("/h", method="POST", body=b"hello", headers={**headers, "Digest": digest})
    assert run(plugin.rewrite(ctx)) is None
    assert "authorization" not in ctx.headers
    other = request_of("/h", method="POST", body=b"other", headers={**headers, "Digest": digest})
    assert run(plugin.rewrite(other)).body == {"message": INVALID}
    assert run(plugin.rewrite(request_of("/h", method="POST", headers=headers))).status == 401
    long = request_of("/h", method="POST", body=b"hello world", headers={**headers, "Digest": digest})
    message = "request size 11 is greater than the maximum size 10 allowed"
    assert run(plugin.rewrite(long)) == Exit(413, {"message": message})
