"""node-status: nginx's counters of connections, to be exposed by public-api."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from harness.emulators.apisix import lua_json
from harness.emulators.apisix.exchange import App, Request, Response
from harness.emulators.apisix.plugins.base import Plugin, Schema, Scope
from harness.emulators.apisix.plugins.prometheus import metrics_of
from harness.emulators.apisix.plugins.server_info import apisix_id


class NodeStatus(Plugin):
    name = "node-status"
    reach = "global"
    priority = 1000
    schema: ClassVar[Schema] = {"type": "object"}

    @classmethod
    def public_api(cls, scope: Scope) -> Mapping[tuple[str, str], App]:
        """GET /apisix/status: the counters as text, and the gateway's id."""

        def answer(request: Request) -> Response:
            facts = metrics_of(scope).facts()
            counters = {**facts.connections, "total": facts.requests}
            status = {name: str(value) for name, value in counters.items()}
            return Response(200, lua_json.encode({"id": apisix_id(scope), "status": status}), chunked=True)

        return {("GET", "/apisix/status"): answer}
