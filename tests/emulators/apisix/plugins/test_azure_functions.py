"""azure-functions: what the function is asked, with whose keys, and what the client gets."""

from __future__ import annotations

import pytest

from harness.emulators.apisix.context import Exit
from harness.emulators.apisix.exchange import Response
from harness.emulators.apisix.plugins.azure_functions import AzureFunctions

CONF = {"function_uri": "http://app.azure.test:8080/api/"}


@pytest.fixture
def asked(build, run, request_of, scope):
    """asked(conf, target=…, …) → (the request the function got, the verdict, the context)."""

    def play(conf, target="/az/x?a=1&b=%20c", **more):
        scope.answer = Response(202, b"done", [("X-Fn", "1"), ("Set-Cookie", "a"), ("Set-Cookie", "b")])
        ctx = request_of(target, **more)
        ctx.path_params = {":ext": "x"}
        verdict = run(build(AzureFunctions, {**CONF, **conf}).access(ctx))
        return scope.fetched[-1], verdict, ctx

    return play


def test_the_request_and_the_answer(asked):
    headers = {"X-A": "b", "Transfer-Encoding": "chunked", "Connection": "close"}
    request, verdict, ctx = asked({}, method="POST", body=b"data", headers=headers)
    assert (request.method, request.body) == ("POST", b"data")
    assert request.url == "http://app.azure.test:8080/api/x?a=1&b=%20c"
    assert dict(request.headers) == {"host": "app.azure.test", "x-a": "b"}
    assert (verdict.status, verdict.body) == (202, b"done")
    assert ctx.response.get_all("set-cookie") == ["a", "b"]


@pytest.mark.parametrize(
    ("conf", "headers", "keys"),
    [
        ({}, {}, ("master", "")),
        ({"authorization": {"apikey": "own"}}, {}, ("own", None)),
        ({"authorization": {"apikey": "own", "clientid": "me"}}, {}, ("own", "me")),
        ({"authorization": {"apikey": "own"}}, {"X-Functions-Key": "client"}, ("client", None)),
    ],
)
def test_whose_keys(conf, headers, keys, asked, scope):
    scope.plugin_metadata["azure-functions"] = {"master_apikey": "master"}
    sent = dict(asked(conf, headers=headers)[0].headers)
    assert (sent.get("x-functions-key"), sent.get("x-functions-clientid")) == keys


def test_no_answer(build, run, request_of, scope):
    assert run(build(AzureFunctions, CONF).access(request_of("/"))) == Exit(503)
    assert ("error", "failed to process azure-functions, err: connection refused") in scope.logs


def test_too_long_a_body(build, run, request_of):
    plugin = build(AzureFunctions, {**CONF, "max_req_body_size": 2})
    assert run(plugin.access(request_of("/", method="POST", body=b"123"))) == Exit(400)


def test_refused_configurations(refusal):
    assert refusal(AzureFunctions, {}) == 'property "function_uri" is required'
    assert refusal(AzureFunctions, {**CONF, "timeout": 99}).startswith('property "timeout" validation failed')
