"""public-api: handlers of plugins that are on, by method and path."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.emulators.apisix.context import Exit
from harness.emulators.apisix.exchange import App, Request, Response
from harness.emulators.apisix.plugins.base import Plugin
from harness.emulators.apisix.plugins.public_api import PublicApi


async def _later(request: Request) -> Response:
    return Response(201, request.body, [("X-A", "1")])


class WithApi(Plugin):
    """Stands for a plugin that has an API."""

    name = "with-api"
    priority = 1

    @classmethod
    def public_api(cls, scope: Any) -> Mapping[tuple[str, str], App]:
        return {("GET", "/api/now"): lambda request: Response(200, request.query.encode()), ("POST", "/api"): _later}


def test_requests_reach_the_handler(build: Any, request_of: Any, scope: Any, run: Any) -> None:
    scope.plugins = {"with-api": WithApi}
    own = build(PublicApi)
    assert run(own.access(request_of("/api/now?a=1"))) == Exit(200, b"a=1")
    assert run(own.access(request_of("/api", method="POST", body=b"x"))) == Exit(201, b"x", (("X-A", "1"),))
    assert run(own.access(request_of("/api"))) == Exit(404)
    assert run(build(PublicApi, {"uri": "/api/now"}).access(request_of("/elsewhere"))) == Exit(200, b"")
