"""openfunction: the token, and the rest as the other functions."""

from __future__ import annotations

import pytest

from harness.emulators.apisix.exchange import Response
from harness.emulators.apisix.plugins.openfunction import Openfunction

CONF = {"function_uri": "http://fn.test/default/hello"}


@pytest.mark.parametrize(
    ("more", "sent"),
    [({}, None), ({"authorization": {"service_token": "user:secret"}}, "Basic dXNlcjpzZWNyZXQ=")],
)
def test_the_token(more, sent, build, run, request_of, scope):
    scope.answer = Response(200, b"hi", [])
    ctx = request_of("/f/World")
    ctx.path_params = {":ext": "World"}
    assert run(build(Openfunction, {**CONF, **more}).access(ctx)).body == b"hi"
    (request,) = scope.fetched
    assert request.url == "http://fn.test/default/hello/World"
    assert dict(request.headers).get("authorization") == sent


def test_refused_configurations(refusal):
    assert refusal(Openfunction, {}) == 'property "function_uri" is required'
