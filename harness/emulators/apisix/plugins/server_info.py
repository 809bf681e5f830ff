"""server-info: who this gateway is, at the Control API."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from typing import ClassVar
from uuid import uuid4

from harness.emulators.apisix import lua_json
from harness.emulators.apisix.exchange import App, Request, Response
from harness.emulators.apisix.plugins.base import Plugin, Schema, Scope
from harness.emulators.apisix.settings import VERSION


def apisix_id(scope: Scope) -> str:
    """The id of this gateway, made once in its life."""
    return scope.keep("apisix.id", lambda: str(uuid4()))


class ServerInfo(Plugin):
    """The real one also leaves this in etcd, under /data_plane/server_info; here the Control API alone tells it."""

    name = "server-info"
    reach = "global"
    priority = 990
    schema: ClassVar[Schema] = {"type": "object"}

    @classmethod
    def control_api(cls, scope: Scope) -> Mapping[tuple[str, str], App]:
        """GET /v1/server_info."""
        born = scope.keep("server-info.boot_time", lambda: int(scope.clock.time()))

        def answer(request: Request) -> Response:
            told = {
                # the real one knows it after its first report only
                "etcd_version": "unknown",
                "hostname": socket.gethostname(),
                "id": apisix_id(scope),
                "version": VERSION,
                "boot_time": born,
            }
            return Response(200, lua_json.encode(told) + b"\n", [("Content-Type", "application/json")], chunked=True)

        return {("GET", "/v1/server_info"): answer}
