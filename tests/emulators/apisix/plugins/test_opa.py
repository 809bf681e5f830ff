"""opa: what the server is asked, and what becomes of its decision."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

from harness.emulators.apisix.consumers import ConsumerEntry
from harness.emulators.apisix.context import Exit
from harness.emulators.apisix.exchange import Response
from harness.emulators.apisix.plugins.opa import Opa

CONF = {"host": "http://opa.test", "policy": "golden"}


def decision(**result: Any) -> Response:
    return Response(200, json.dumps({"result": result}).encode())


def test_the_question(build: Any, request_of: Any, scope: Any, run: Any) -> None:
    scope.answer = decision(allow=True)
    scope.resources["services", "s"] = {"name": "svc", "upstream": {}}
    ctx = request_of("/o?a=1", headers={"X-A": "b"})
    ctx.route = SimpleNamespace(value={"id": "1", "service_id": "s", "upstream": {}})
    ctx.consumer = ConsumerEntry("ann", {})
    everything = {"with_route": True, "with_service": True, "with_consumer": True}
    assert run(build(Opa, CONF | everything).access(ctx)) is None
    asked = scope.fetched[0]
    assert (asked.method, asked.url) == ("POST", "http://opa.test/v1/data/golden")
    told = json.loads(asked.body)["input"]
    assert told["type"] == "http"
    assert told["request"] == {
        "scheme": "http",
        "method": "GET",
        "host": "golden.test",
        "port": 9080,
        "path": "/o",
        "headers": {"host": "golden.test", "x-a": "b"},
        "query": {"a": "1"},
    }
    assert told["var"]["remote_addr"] == "127.0.0.1"
    assert told["route"] == {"id": "1", "service_id": "s"}
    assert told["service"] == {"name": "svc"}
    assert told["consumer"]["username"] == "ann"


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        (decision(allow=False), Exit(403)),
        (decision(allow=False, status_code=302, reason="why", headers={"L": "x"}), Exit(302, "why", (("L", "x"),))),
        (decision(allow=False, reason={"code": 1}), Exit(403, b'{"code":1}')),
        (Response(200, b"{}"), Exit(503)),
        (Response(200, b"nope"), Exit(503)),
        (ConnectionRefusedError(), Exit(403)),
        (TimeoutError(), Exit(403)),
    ],
)
def test_decisions(build: Any, request_of: Any, scope: Any, run: Any, answer: Any, verdict: Exit) -> None:
    scope.answer = answer
    assert run(build(Opa, CONF).access(request_of("/"))) == verdict


def test_headers_for_the_upstream(build: Any, request_of: Any, scope: Any, run: Any) -> None:
    scope.answer = decision(allow=True, headers={"user": "ann"})
    ctx = request_of("/", headers={"user": "forged", "role": "forged"})
    run(build(Opa, CONF | {"send_headers_upstream": ["user", "role"]}).access(ctx))
    assert (ctx.headers.get("user"), ctx.headers.get("role")) == ("ann", None)
