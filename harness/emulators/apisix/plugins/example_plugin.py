"""example-plugin: upstream's template of a plugin, on by default; it can send requests to an address of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from harness.emulators.apisix import uri_args
from harness.emulators.apisix.context import Context, Exit
from harness.emulators.apisix.exchange import App, Request, Response
from harness.emulators.apisix.plugins.base import Conf, Plugin, Schema, Scope


class ExamplePlugin(Plugin):
    """With `ip` and `port` the request goes there instead of to the route's upstream."""

    name = "example-plugin"
    priority = 0
    schema: ClassVar[Schema] = {
        "type": "object",
        "properties": {
            "i": {"type": "number", "minimum": 0},
            "s": {"type": "string"},
            "t": {"type": "array", "minItems": 1},
            "ip": {"type": "string"},
            "port": {"type": "integer"},
        },
        "required": ["i"],
    }
    metadata_schema: ClassVar[Schema] = {
        "type": "object",
        "properties": {"ikey": {"type": "number", "minimum": 0}, "skey": {"type": "string"}},
        "required": ["ikey", "skey"],
    }

    def __init__(self, conf: Conf, scope: Scope) -> None:
        super().__init__(conf, scope)
        node = {"host": conf.get("ip"), "port": conf.get("port"), "weight": 1}
        ready = conf.get("ip") and conf.get("port")
        self._upstream = scope.upstream({"type": "roundrobin", "nodes": [node]}) if ready else None

    def access(self, ctx: Context) -> Exit | None:
        """Choose the upstream."""
        if self._upstream is not None:
            ctx.upstream = self._upstream
        elif self.conf.get("ip"):
            return Exit(500, "example-plugin has an ip, but no port")
        return None

    @classmethod
    def control_api(cls, scope: Scope) -> Mapping[tuple[str, str], App]:
        """A greeting."""
        return {("GET", "/v1/plugin/example-plugin/hello"): _hello}


def _hello(request: Request) -> Response:
    if uri_args.parse(request.query).get("json"):
        return Response(200, b'{"msg":"world"}\n', [("Content-Type", "application/json")], chunked=True)
    return Response(200, b"world\n", chunked=True)
