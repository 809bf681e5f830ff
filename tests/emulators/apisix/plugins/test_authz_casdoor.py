"""authz-casdoor: to the server and back, and the session's end."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from harness.emulators.apisix.context import Exit
from harness.emulators.apisix.exchange import Response
from harness.emulators.apisix.plugins.authz_casdoor import AuthzCasdoor

CONF = {
    "endpoint_addr": "http://door.test",
    "callback_url": "http://golden.test/cb",
    "client_id": "c1",
    "client_secret": "s1",
}


def cookie(verdict: Any) -> dict[str, str]:
    return {"Cookie": dict(verdict.headers)["Set-Cookie"].partition(";")[0]}


def state(verdict: Any) -> str:
    return parse_qs(urlsplit(dict(verdict.headers)["Location"]).query)["state"][0]


def test_the_whole_log_in(build: Any, request_of: Any, run: Any, scope: Any) -> None:
    plugin = build(AuthzCasdoor, CONF)
    sent = run(plugin.access(request_of("/page")))
    assert sent.status == 302
    assert dict(sent.headers)["Location"].startswith("http://door.test/login/oauth/authorize?response_type=code&")
    scope.answer = Response(200, json.dumps({"access_token": "at", "expires_in": 60}).encode())
    back = run(plugin.access(request_of(f"/cb?code=x&state={state(sent)}", headers=cookie(sent))))
    assert dict(back.headers)["Location"] == "/page"
    assert parse_qs(scope.fetched[0].body.decode())["client_secret"] == ["s1"]
    assert run(plugin.access(request_of("/page", headers=cookie(back)))) is None
    scope.clock.advance(61)
    assert run(plugin.access(request_of("/page", headers=cookie(back)))).status == 302


@pytest.mark.parametrize(
    ("query", "verdict"),
    [
        ("", Exit(400, "failed when accessing token. Invalid code or state")),
        ("?code=x&state=forged", Exit(400, "invalid state")),
    ],
)
def test_call_backs_that_are_refused(build: Any, request_of: Any, run: Any, query: str, verdict: Exit) -> None:
    plugin = build(AuthzCasdoor, CONF)
    sent = run(plugin.access(request_of("/page")))
    assert run(plugin.access(request_of("/cb" + query, headers=cookie(sent)))) == verdict
    assert run(plugin.access(request_of("/cb" + query))) == Exit(503)


@pytest.mark.parametrize("answer", [{"expires_in": 60}, {"access_token": "at", "expires_in": 0}])
def test_answers_that_give_no_token(build: Any, request_of: Any, run: Any, scope: Any, answer: Any) -> None:
    plugin = build(AuthzCasdoor, CONF)
    sent = run(plugin.access(request_of("/page")))
    scope.answer = Response(200, json.dumps(answer).encode())
    verdict = run(plugin.access(request_of(f"/cb?code=x&state={state(sent)}", headers=cookie(sent))))
    assert verdict == Exit(503)
