"""References to secrets against stand-ins of Vault's and Google's APIs: what is asked, what comes of the answers."""

from __future__ import annotations

import http.client
import json
import threading
from base64 import b64encode
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from harness.clock import ShiftedClock
from harness.emulators.apisix.server import ApisixServer
from harness.wait import until

KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PEM = KEY.private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
).decode()


class Store:
    """An HTTP server whose answers the test decides; it remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, dict[str, str], bytes]] = []
        self.answer: Callable[[str, str], tuple[int, Any]] = lambda method, path: (404, {"errors": []})
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _serve(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                outer.asked.append((self.command, self.path, dict(self.headers), body))
                status, value = outer.answer(self.command, self.path)
                raw = value if isinstance(value, bytes) else json.dumps(value).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(raw)))
                self.end_headers()
                self.wfile.write(raw)

            do_GET = do_POST = _serve

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def store() -> Iterator[Store]:
    made = Store()
    yield made
    made.close()


@pytest.fixture(scope="module")
def gateway() -> Iterator[ApisixServer]:
    with ApisixServer(clock=ShiftedClock()) as server:
        yield server


def ask(url: str, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=10)
    connection.request(method, path, json.dumps(body) if body is not None else None, headers)
    answer = connection.getresponse()
    found = answer.status, answer.read().decode()
    connection.close()
    return found


def put(gateway: ApisixServer, path: str, body: Any) -> None:
    status, told = ask(gateway.admin_url, "PUT", f"/apisix/admin/{path}", body, **{"X-API-KEY": gateway.admin_key})
    assert status in (200, 201), told


def shown(gateway: ApisixServer, uri: str) -> str:
    """What a route that mocks its answer has to say."""
    return ask(gateway.http_url, "GET", uri)[1]


def mocking(uri: str, reference: str) -> dict[str, Any]:
    """A route that answers with what a reference stands for."""
    return {"uri": uri, "plugins": {"mocking": {"response_example": ""}, "response-rewrite": {"body": reference}}}


def vault(store: Store, **more: Any) -> dict[str, Any]:
    return {"uri": store.url, "prefix": "kv/apisix", "token": "root", **more}


def test_vault_is_asked_with_its_token_and_its_answer_used(gateway: ApisixServer, store: Store) -> None:
    store.answer = lambda method, path: (200, {"data": {"auth-key": "k1"}})
    put(gateway, "secrets/vault/v1", vault(store, namespace="team"))
    put(
        gateway, "consumers", {"username": "jack", "plugins": {"key-auth": {"key": "$secret://vault/v1/jack/auth-key"}}}
    )
    route = {"uri": "/vault", "plugins": {"key-auth": {}, "mocking": {"response_example": "in"}}}
    put(gateway, "routes/vault", route)
    assert ask(gateway.http_url, "GET", "/vault", apikey="k1") == (200, "in")
    assert ask(gateway.http_url, "GET", "/vault", apikey="k2")[0] == 401
    assert ask(gateway.http_url, "GET", "/vault", apikey="$secret://vault/v1/jack/auth-key")[0] == 401
    method, path, headers, body = store.asked[0]
    assert (method, path, body) == ("GET", "/v1/kv/apisix/jack", b"{}")
    assert (headers["X-Vault-Token"], headers["X-Vault-Namespace"]) == ("root", "team")
    assert len(store.asked) == 1  # kept


def test_a_tokens_own_place_may_be_the_environment(
    gateway: ApisixServer, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VAULT_TOKEN_HERE", "from-env")
    store.answer = lambda method, path: (200, {"data": {"word": "yes"}})
    put(gateway, "secrets/vault/v2", vault(store, token="$env://VAULT_TOKEN_HERE"))
    put(gateway, "routes/env", mocking("/env", "$secret://vault/v2/a/b/word"))
    assert shown(gateway, "/env") == "yes"
    assert store.asked[0][1] == "/v1/kv/apisix/a/b"
    assert store.asked[0][2]["X-Vault-Token"] == "from-env"


@pytest.mark.parametrize(
    ("reference", "answer"),
    [
        ("$secret://vault/v3/word", {"data": {"word": "x"}}),  # no main key
        ("$secret://vault/v3/a/other", {"data": {"word": "x"}}),
        ("$secret://vault/v3/a/word", {"errors": ["permission denied"]}),
        ("$secret://vault/v3/a/word", b"no json"),
        # version 2 of the engine wraps its data once more, which the real gateway does not open either
        ("$secret://vault/v3/data/word", {"data": {"data": {"word": "x"}, "metadata": {}}}),
        ("$secret://vault/unknown/a/word", {"data": {"word": "x"}}),
        ("$secret://vault/v3", {"data": {"word": "x"}}),
        ("$secret://aws/v3/word", {"data": {"word": "x"}}),
    ],
)
def test_what_cannot_be_had_stays_as_it_is(gateway: ApisixServer, store: Store, reference: str, answer: Any) -> None:
    store.answer = lambda method, path: (200, answer)
    put(gateway, "secrets/vault/v3", vault(store))
    put(gateway, "routes/kept", mocking("/kept", reference))
    assert shown(gateway, "/kept") == reference


def test_a_vault_that_is_away_is_asked_again_after_a_while(gateway: ApisixServer, store: Store) -> None:
    put(gateway, "secrets/vault/v4", vault(store))
    put(gateway, "routes/later", mocking("/later", "$secret://vault/v4/a/word"))
    assert shown(gateway, "/later") == "$secret://vault/v4/a/word"
    store.answer = lambda method, path: (200, {"data": {"word": "late"}})
    gateway.advance(61)
    until(lambda: shown(gateway, "/later") == "late", 5, awaited="the value after a minute")


def test_a_value_is_refreshed_and_a_changed_manager_asked_at_once(gateway: ApisixServer, store: Store) -> None:
    store.answer = lambda method, path: (200, {"data": {"word": "one"}})
    put(gateway, "secrets/vault/v5", vault(store))
    put(gateway, "routes/fresh", mocking("/fresh", "$secret://vault/v5/a/word"))
    assert shown(gateway, "/fresh") == "one"
    store.answer = lambda method, path: (200, {"data": {"word": "two" if "other" in path else "three"}})
    assert shown(gateway, "/fresh") == "one"
    put(gateway, "secrets/vault/v5", vault(store, prefix="other"))
    assert shown(gateway, "/fresh") == "two"
    store.answer = lambda method, path: (200, {"data": {"word": "four"}})
    gateway.advance(301)
    until(lambda: shown(gateway, "/fresh") == "four", 5, awaited="the value after five minutes")


def google(path: str, value: Any) -> tuple[int, Any]:
    if path == "/token":
        return 200, {"access_token": "tok", "token_type": "Bearer", "expires_in": 3600}
    return 200, {"payload": {"data": b64encode(value.encode()).decode()}}


def test_google_gets_an_assertion_for_a_token(gateway: ApisixServer, store: Store) -> None:
    store.answer = lambda method, path: google(path, '{"word":"cloud"}')
    account = {
        "client_email": "a@b.test",
        "private_key": PEM,
        "project_id": "p",
        "token_uri": f"{store.url}/token",
        "entries_uri": f"{store.url}/v1",
    }
    put(gateway, "secrets/gcp/g1", {"auth_config": account})
    put(gateway, "routes/gcp", mocking("/gcp", "$secret://gcp/g1/jack/word"))
    assert shown(gateway, "/gcp") == "cloud"
    (_, _, _, form), (method, path, headers, _) = store.asked
    claims = jwt.decode(
        parse_qs(form.decode())["assertion"][0], KEY.public_key(), algorithms=["RS256"], audience=f"{store.url}/token"
    )
    assert (claims["iss"], claims["scope"]) == ("a@b.test", "https://www.googleapis.com/auth/cloud-platform")
    assert (method, path) == ("GET", "/v1/projects/p/secrets/jack/versions/latest:access")
    assert headers["Authorization"] == "Bearer tok"


def test_googles_account_may_stand_in_a_file(gateway: ApisixServer, store: Store, tmp_path: Path) -> None:
    store.answer = lambda method, path: google(path, "plain")
    account = tmp_path / "account.json"
    uris = {"token_uri": f"{store.url}/token", "entries_uri": f"{store.url}/v1"}
    account.write_text(json.dumps({"client_email": "a@b.test", "private_key": PEM, "project_id": "p", **uris}))
    put(gateway, "secrets/gcp/g2", {"auth_file": str(account)})
    put(gateway, "routes/file", mocking("/file", "$secret://gcp/g2/jack"))
    assert shown(gateway, "/file") == "plain"


@pytest.mark.parametrize(
    ("account", "answer"),
    [
        ({"private_key": "no key"}, (200, {})),
        ({}, (403, {"error": "no"})),
        ({}, (200, {"access_token": "tok"})),
    ],
)
def test_google_that_refuses(gateway: ApisixServer, store: Store, account: dict[str, str], answer: Any) -> None:
    store.answer = lambda method, path: answer
    whole = {"client_email": "a@b.test", "private_key": PEM, "project_id": "p", "token_uri": f"{store.url}/token"}
    put(gateway, "secrets/gcp/g3", {"auth_config": {**whole, "entries_uri": f"{store.url}/v1", **account}})
    put(gateway, "routes/refused", mocking("/refused", "$secret://gcp/g3/jack"))
    assert shown(gateway, "/refused") == "$secret://gcp/g3/jack"
