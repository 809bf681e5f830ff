"""Operations on naming clients (connections, and ip:port clients of HTTP) that v2 and v3 share."""

from __future__ import annotations

import time
from typing import Any

from harness.emulators.nacos.errors import NacosError
from harness.emulators.nacos.http.forms import service_key
from harness.emulators.nacos.http.routes import Call
from harness.emulators.nacos.naming.model import Instance, ServiceKey
from harness.emulators.nacos.naming.registry import Subscriber


def ids(call: Call) -> list[str]:
    """The ids of all clients."""
    registry = call.domain.registry
    return list({**call.site.connections.by_id, **registry.published_by, **registry.subscribed_by})


def known_id(call: Call) -> str:
    """The client asked for; raises NacosError (404)."""
    client_id = call.request.get("clientId")
    if client_id not in ids(call):
        raise NacosError(404, f"clientId [ {client_id} ] not exist", 20004)
    return client_id


def summary(call: Call) -> dict[str, Any]:
    """One client."""
    client_id = known_id(call)
    common: dict[str, Any] = {"clientId": client_id, "lastUpdatedTime": int(call.domain.clock.time() * 1000)}
    connection = call.site.connections.by_id.get(client_id)
    if connection is None:
        return {**common, "ephemeral": client_id.endswith("#true"), "clientType": "ipPort", **_address(call, client_id)}
    silent = (time.monotonic() - connection.last_active) * 1000
    return {
        **common,
        "lastUpdatedTime": common["lastUpdatedTime"] - int(silent),
        "ephemeral": True,
        "clientType": "connection",
        "connectType": "GRPC",
        "appName": connection.app,
        "version": connection.version,
        "clientIp": connection.ip,
        "clientPort": connection.link.peer[1],
    }


def _address(call: Call, client_id: str) -> dict[str, Any]:
    """Where an ip:port client is: 2.x reads it out of the id, 3.x tells nothing of it."""
    if not call.domain.version.is_2:
        return {"connectType": None, "appName": None, "version": None, "clientIp": None, "clientPort": 0}
    ip, _, port = client_id.partition("#")[0].rpartition(":")
    return {"clientIp": ip, "clientPort": port}


def published(call: Call) -> list[tuple[ServiceKey, Instance]]:
    """What a client publishes."""
    client_id, registry = known_id(call), call.domain.registry
    keys = registry.published_by.get(client_id, set())
    return [(key, one) for key in sorted(keys) for one in registry.services[key].publications[client_id]]


def subscribed(call: Call) -> list[tuple[ServiceKey, Subscriber]]:
    """What a client subscribes to."""
    client_id, registry = known_id(call), call.domain.registry
    return [(key, registry.subscribers[key][client_id]) for key in sorted(registry.subscribed_by.get(client_id, set()))]


def publishers(call: Call) -> list[tuple[str, Instance]]:
    """Who publishes in a service, at an address if one is given."""
    service = call.domain.registry.services.get(service_key(call.request))
    held = service.publications.items() if service else ()
    return [(client, one) for client, many in held for one in many if _at(call, one.ip, one.port)]


def subscribers(call: Call) -> list[Subscriber]:
    """Who subscribes to a service, at an address if one is given."""
    held = call.domain.registry.subscribers.get(service_key(call.request), {}).values()
    return [one for one in held if _at(call, one.ip, one.port)]


def _at(call: Call, ip: str, port: int) -> bool:
    wanted_ip, wanted_port = call.request.get("ip"), call.request.get("port")
    return (not wanted_ip or wanted_ip == ip) and (not wanted_port or wanted_port == str(port))
