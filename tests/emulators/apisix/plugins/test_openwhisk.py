"""openwhisk: an action invoked, and what it says of its answer."""

from __future__ import annotations

import pytest

from harness.emulators.apisix.context import Exit
from harness.emulators.apisix.exchange import Response
from harness.emulators.apisix.plugins.openwhisk import Openwhisk

CONF = {"api_host": "http://wsk.test:3233", "service_token": "a:b", "namespace": "guest", "action": "hello"}


def test_the_action_is_invoked(build, run, request_of, scope):
    scope.answer = Response(200, b'{"greeting":"hi"}', [("X-Openwhisk", "1")])
    ctx = request_of("/", method="PUT", body=b'{"name":"x"}')
    plugin = build(Openwhisk, {**CONF, "package": "pkg", "result": False, "timeout": 500})
    verdict = run(plugin.access(ctx))
    (request,) = scope.fetched
    where = "http://wsk.test:3233/api/v1/namespaces/guest/actions/pkg/hello"
    assert (request.method, request.url) == ("POST", f"{where}?blocking=true&result=false&timeout=500")
    assert dict(request.headers) == {"Authorization": "Basic YTpi", "Content-Type": "application/json"}
    assert request.body == b'{"name":"x"}'
    assert (verdict.status, verdict.body) == (200, b'{"greeting":"hi"}')
    assert ctx.response.get("x-openwhisk") is None


def test_an_action_may_give_status_headers_and_body(build, run, request_of, scope):
    scope.answer = Response(200, b'{"statusCode":403,"headers":{"X-Mine":7},"body":{"a":1}}', [])
    ctx = request_of("/")
    verdict = run(build(Openwhisk, CONF).access(ctx))
    assert (verdict.status, verdict.body, ctx.response.get("x-mine")) == (403, {"a": 1}, "7")


@pytest.mark.parametrize("answer", [None, Response(200, b"no json", []), Response(200, b"", [])])
def test_no_answer_that_can_be_read(answer, build, run, request_of, scope):
    scope.answer = answer
    assert run(build(Openwhisk, CONF).access(request_of("/"))) == Exit(503)


def test_too_long_a_body(build, run, request_of):
    plugin = build(Openwhisk, {**CONF, "max_req_body_size": 2})
    assert run(plugin.access(request_of("/", method="POST", body=b"123"))) == Exit(413)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"namespace": None}, 'property "namespace" validation failed: '),
        ({"action": " a"}, 'property "action" validation failed: failed to match pattern'),
        ({"timeout": 60001}, 'property "timeout" validation failed: '),
    ],
)
def test_refused_configurations(more, message, refusal):
    assert refusal(Openwhisk, {**CONF, **more}).startswith(message)
