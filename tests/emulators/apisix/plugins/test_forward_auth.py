"""forward-auth: what the service is asked, and what becomes of its answer."""

from __future__ import annotations

from typing import Any

import pytest

from harness.emulators.apisix.context import Exit
from harness.emulators.apisix.exchange import Response
from harness.emulators.apisix.plugins.forward_auth import ForwardAuth

URI = "http://auth.test/check"


def test_the_question(build: Any, request_of: Any, scope: Any, run: Any) -> None:
    scope.answer = Response(200)
    conf = {
        "uri": URI,
        "request_method": "POST",
        "request_headers": ["Authorization", "X-Missing"],
        "extra_headers": {"X-Who": "$remote_addr"},
    }
    ctx = request_of("/p?x=1", method="PUT", headers={"Authorization": "a", "Content-Encoding": "gzip"}, body=b"body")
    assert run(build(ForwardAuth, conf).access(ctx)) is None
    asked = scope.fetched[0]
    assert (asked.method, asked.url, asked.body) == ("POST", URI, b"body")
    assert dict(asked.headers) == {
        "X-Forwarded-Proto": "http",
        "X-Forwarded-Method": "PUT",
        "X-Forwarded-Host": "golden.test",
        "X-Forwarded-Uri": "/p?x=1",
        "X-Forwarded-For": "127.0.0.1",
        "Content-Encoding": "gzip",
        "X-Who": "127.0.0.1",
        "Authorization": "a",
    }


def test_headers_for_the_upstream_replace_the_clients(build: Any, request_of: Any, scope: Any, run: Any) -> None:
    scope.answer = Response(200, headers=[("x-user-id", "u-1")])
    plugin = build(ForwardAuth, {"uri": URI, "upstream_headers": ["X-User-ID", "X-Role"]})
    ctx = request_of("/", headers={"X-User-ID": "forged", "X-Role": "forged"})
    assert run(plugin.access(ctx)) is None
    assert (ctx.headers.get_all("x-user-id"), ctx.headers.get_all("x-role")) == (["u-1"], [])


def test_a_refusal_is_the_clients_answer(build: Any, request_of: Any, scope: Any, run: Any) -> None:
    scope.answer = Response(403, b"auth says no", [("X-Deny", "yes"), ("X-Other", "1")])
    plugin = build(ForwardAuth, {"uri": URI, "client_headers": ["Location", "X-Deny"]})
    assert run(plugin.access(request_of("/"))) == Exit(403, b"auth says no", (("X-Deny", "yes"),))


@pytest.mark.parametrize(
    ("more", "verdict"),
    [({}, Exit(403)), ({"status_on_error": 503}, Exit(503)), ({"allow_degradation": True}, None)],
)
@pytest.mark.parametrize("error", [ConnectionRefusedError("no"), TimeoutError()])
def test_a_service_that_is_down(
    build: Any, request_of: Any, scope: Any, run: Any, more: Any, verdict: Any, error: Exception
) -> None:
    scope.answer = error
    assert run(build(ForwardAuth, {"uri": URI, **more}).access(request_of("/"))) == verdict


def test_extra_headers_may_come_from_the_body(build: Any, request_of: Any, scope: Any, run: Any) -> None:
    scope.answer = Response(200)
    plugin = build(ForwardAuth, {"uri": URI, "extra_headers": {"tenant": "$post_arg.tenant"}})
    ctx = request_of("/", method="POST", headers={"Content-Type": "application/json"}, body=b'{"tenant": 123}')
    assert run(plugin.access(ctx)) is None
    assert dict(scope.fetched[0].headers)["tenant"] == "123"
    assert scope.fetched[0].body == b""


def test_a_body_over_the_limit(build: Any, request_of: Any, run: Any) -> None:
    plugin = build(ForwardAuth, {"uri": URI, "request_method": "POST", "max_req_body_size": 2})
    assert run(plugin.access(request_of("/", method="POST", body=b"abc"))) == Exit(413)
