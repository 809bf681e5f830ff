"""client-control: the limit of a request's body."""

from __future__ import annotations

from typing import Any

from harness.emulators.apisix.context import Exit
from harness.emulators.apisix.plugins.client_control import ClientControl


def test_the_limit(build: Any, request_of: Any) -> None:
    plugin = build(ClientControl, {"max_body_size": 5})
    unknown = request_of("/", method="POST")
    assert plugin.rewrite(unknown) is None
    assert unknown.max_body == 5
    assert plugin.rewrite(request_of("/", headers={"Content-Length": "5"})) is None
    assert plugin.rewrite(request_of("/", headers={"Content-Length": "6"})) == Exit(413)


def test_no_limit(build: Any, request_of: Any) -> None:
    ctx = request_of("/", headers={"Content-Length": "600"})
    ctx.max_body = 5
    assert build(ClientControl).rewrite(ctx) is None
    assert ctx.max_body == 5
    assert build(ClientControl, {"max_body_size": 0}).rewrite(ctx) is None
    assert ctx.max_body == 0
