"""Stream routes: their schema alone, since the stream proxy is off and the Admin API says so."""

from __future__ import annotations

from harness.emulators.apisix.resources.kind import Kind
from harness.emulators.apisix.resources.upstream import UPSTREAM
from harness.emulators.apisix.schema.common import HOST_PATTERN, ID, IP, METADATA, PLUGINS, REMOTE_ADDR, integer, obj

_LOGGER = {
    "properties": {
        "name": {"type": "string"},
        "filter": {"description": "logger filter rules", "type": "array"},
        "conf": {"description": "logger plugin configuration", "type": "object"},
    },
    "dependencies": {"name": ["conf"]},
    "additionalProperties": False,
}
STREAM_ROUTE = obj(
    {
        **METADATA,
        "remote_addr": REMOTE_ADDR,
        "server_addr": {"description": "server IP", "type": "string", "anyOf": IP},
        "server_port": {"description": "server port", **integer(minimum=1, maximum=65535)},
        "sni": {"description": "server name indication", "type": "string", "pattern": HOST_PATTERN},
        "upstream": UPSTREAM,
        "upstream_id": ID,
        "service_id": ID,
        "plugins": PLUGINS,
        "protocol": obj(
            {
                "name": {"type": "string"},
                "superior_id": ID,
                "conf": {"description": "protocol-specific configuration", "type": "object"},
                "logger": {"type": "array", "items": _LOGGER},
            },
            required=["name"],
        ),
    },
    additionalProperties=False,
)


class StreamRoutes(Kind):
    """TCP and UDP: not emulated."""

    directory = "stream_routes"
    label = "stream route"
    schema_name = "stream_route"
    schema = STREAM_ROUTE
    unsupported = ("patch",)
    filters = ("service_id", "upstream_id")
