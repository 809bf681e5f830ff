"""key-auth: the key in header or query, hidden credentials, the anonymous consumer, refusals."""

from __future__ import annotations

from typing import Any

import pytest

from harness.emulators.apisix.context import Exit
from harness.emulators.apisix.plugins.key_auth import KeyAuth

CHALLENGE = (("WWW-Authenticate", 'apikey realm="key"'),)


@pytest.fixture
def jack(scope: Any) -> Any:
    return scope.add_consumer(KeyAuth, "jack", {"key": "jack-key"})


def test_a_known_key_names_the_consumer_to_the_upstream(build: Any, request_of: Any, jack: Any) -> None:
    ctx = request_of(
        "/hello", headers={"APIKEY": "jack-key", "X-Consumer-Username": "forged", "X-Credential-Identifier": "f"}
    )
    assert build(KeyAuth).rewrite(ctx) is None
    assert ctx.consumer is jack
    assert ctx.headers.get_all("x-consumer-username") == ["jack"]
    assert "x-credential-identifier" not in ctx.headers


def test_credential_and_custom_id_are_told(build: Any, request_of: Any, scope: Any) -> None:
    scope.add_consumer(KeyAuth, "jack", {"key": "k"}, credential_id="c1", custom_id="42")
    ctx = request_of("/hello", headers={"apikey": "k"})
    build(KeyAuth).rewrite(ctx)
    assert list(ctx.headers)[-3:] == [
        ("X-Consumer-Username", "jack"),
        ("X-Credential-Identifier", "c1"),
        ("X-Consumer-Custom-ID", "42"),
    ]


def test_keys_and_labels_beyond_ascii(build: Any, request_of: Any, scope: Any) -> None:
    scope.add_consumer(KeyAuth, "jack", {"key": "ключ"}, custom_id="№7")
    ctx = request_of("/hello", headers={"apikey": "ключ".encode().decode("latin-1")})
    assert build(KeyAuth).rewrite(ctx) is None
    assert (ctx.headers.get("x-consumer-custom-id") or "").encode("latin-1") == "№7".encode()


@pytest.mark.parametrize(
    ("target", "headers", "message"),
    [
        ("/hello", {}, "Missing API key in request"),
        ("/hello", {"apikey": "wrong"}, "Invalid API key in request"),
        ("/hello?apikey", {}, "Invalid API key in request"),
        ("/hello?other=jack-key", {}, "Missing API key in request"),
        ("/hello?apikey=jack-key", {"apikey": ""}, "Invalid API key in request"),
    ],
)
def test_refusals(build: Any, request_of: Any, jack: Any, target: str, headers: dict[str, str], message: str) -> None:
    assert build(KeyAuth).rewrite(request_of(target, headers=headers)) == Exit(401, {"message": message}, CHALLENGE)


def test_no_consumer_at_all_reads_as_an_invalid_key(build: Any, request_of: Any, scope: Any) -> None:
    verdict = build(KeyAuth, {"realm": "keys"}).rewrite(request_of("/", headers={"apikey": "x"}))
    assert verdict.body == {"message": "Invalid API key in request"}
    assert verdict.headers == (("WWW-Authenticate", 'apikey realm="keys"'),)
    assert scope.logs == [("warn", "failed to find consumer: Missing related consumer")]


def test_hidden_credentials_leave_header_and_query(build: Any, request_of: Any, jack: Any) -> None:
    plugin = build(KeyAuth, {"hide_credentials": True})
    in_header = request_of("/hello?a=1", headers={"apikey": "jack-key"})
    in_query = request_of("/hello?a=1&apikey=jack-key&b=2")
    alone = request_of("/a%20b?apikey=jack-key")
    for ctx in (in_header, in_query, alone):
        assert plugin.rewrite(ctx) is None
    assert "apikey" not in in_header.headers
    assert in_header.upstream_uri == ""
    assert (in_query.query, in_query.upstream_uri) == ("a=1&b=2", "/hello?a=1&b=2")
    assert (alone.query, alone.upstream_uri) == ("", "/a%20b")


def test_the_anonymous_consumer_gets_no_wrong_key(build: Any, request_of: Any, scope: Any, jack: Any) -> None:
    scope.add_consumer(KeyAuth, "guest", {"key": "unused"}, custom_id="7")
    plugin = build(KeyAuth, {"anonymous_consumer": "guest", "hide_credentials": True})
    ctx = request_of("/?apikey=wrong&a=1", headers={"apikey": "wrong"})
    assert plugin.rewrite(ctx) is None
    assert ctx.consumer.name == "guest"
    assert (ctx.headers.get("apikey"), ctx.query) == (None, "a=1")
    assert list(ctx.headers)[-1] == ("X-Consumer-Username", "guest")


def test_a_missing_anonymous_consumer_refuses(build: Any, request_of: Any, scope: Any) -> None:
    verdict = build(KeyAuth, {"anonymous_consumer": "nobody"}).rewrite(request_of("/"))
    assert verdict == Exit(401, {"message": "Invalid user authorization"}, CHALLENGE)
    assert "failed to get anonymous consumer nobody" in scope.logs[-1][1]


def test_schema(refusal: Any) -> None:
    assert refusal(KeyAuth, {}, consumer=True) == 'property "key" is required'
    assert (refusal(KeyAuth, {"realm": 'a"b'}) or "").startswith('property "realm" validation failed')
    assert refusal(KeyAuth, {"realm": "a]b"}) is None
