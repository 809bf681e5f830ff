"""`/v1/ns/operator`: how the server is."""

from __future__ import annotations

from typing import Any

from harness.emulators.nacos.http.message import Response, as_json
from harness.emulators.nacos.http.routes import Call, Family, Route
from harness.emulators.nacos.naming.beats import is_http_client


def metrics(call: Call) -> Response:
    """`UP`, and with `onlyStatus=false` the counts."""
    only_status = call.request.flag("onlyStatus", True)
    return as_json({"status": "UP"} if only_status else {"status": "UP", **counts(call)})


def counts(call: Call) -> dict[str, Any]:
    """What the server holds."""
    registry = call.domain.registry
    http_clients = [client for client in registry.published_by if is_http_client(client)]
    connections = len(call.site.connections.by_id)
    instances = sum(len(service.instances) for service in registry.services.values())
    return {
        "serviceCount": len(registry.services),
        "instanceCount": instances,
        "subscribeCount": sum(len(held) for held in registry.subscribers.values()),
        "responsibleInstanceCount": instances,
        "clientCount": connections + len(http_clients),
        "connectionBasedClientCount": connections,
        "ephemeralIpPortClientCount": sum(client.endswith("#true") for client in http_clients),
        "persistentIpPortClientCount": sum(client.endswith("#false") for client in http_clients),
        "responsibleClientCount": connections + len(http_clients),
        "cpu": 0.0,
        "load": 0.0,
        "mem": 0.0,
    }


ROUTES = tuple(
    Route("GET", f"/{version}/ns/{name}/metrics", metrics, Family.NAMING)
    for version in ("v1",)
    for name in ("operator", "ops")
)
