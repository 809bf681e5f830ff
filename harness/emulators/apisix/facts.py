"""What a gateway tells of itself to who scrapes its metrics: connections, requests, revisions, shared dictionaries."""

from __future__ import annotations

import socket
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from harness.emulators.apisix.plugins.metrics import GatewayFacts
from harness.emulators.apisix.proxy.http1 import ServerConnection

if TYPE_CHECKING:
    from harness.emulators.apisix.gateway import Gateway
    from harness.emulators.apisix.proxy.listener import Listener
    from harness.emulators.apisix.standalone import StandaloneTable
    from harness.emulators.apisix.store import Store

_KINDS = ("routes", "services", "ssls", "consumers", "global_rules", "upstreams", "stream_routes", "protos")
_MIB = 1024 * 1024
#: The sizes that APISIX gives its dictionaries by default. Ours have no bounds, so all of it is free at all times.
_DICTIONARIES: Mapping[str, int] = {
    "access-tokens": 1,
    "balancer-ewma": 10,
    "balancer-ewma-last-touched-at": 10,
    "balancer-ewma-locks": 10,
    "discovery": 1,
    "etcd-cluster-health-check": 10,
    "internal-status": 10,
    "lrucache-lock": 10,
    "plugin-api-breaker": 10,
    "plugin-limit-conn": 10,
    "plugin-limit-count": 10,
    "plugin-limit-req": 10,
    "prometheus-cache": 10,
    "prometheus-metrics": 128,
    "upstream-healthcheck": 10,
    "worker-events": 10,
}


def facts_of(gateway: Gateway) -> GatewayFacts:
    """The figures as they are now."""
    listeners = [listener for found in gateway.listeners.values() for listener in found]
    return GatewayFacts(
        hostname=socket.gethostname(),
        version=gateway.settings.version,
        requests=gateway.plane.requests,
        connections=_connections(listeners),
        etcd_reachable=gateway.store.revision > 0,
        modify_indexes=_modify_indexes(gateway.store),
        shared_dicts={name: (size * _MIB, size * _MIB) for name, size in _DICTIONARIES.items()},
        upstream_status=_health(gateway),
    )


def _health(gateway: Gateway) -> list[tuple[str, str, str, bool]]:
    told = []
    for kind in ("routes", "services", "upstreams"):
        for id_ in gateway.store.get(kind):
            key = f"/apisix/{kind}/{id_}"
            checker = gateway.plane.checkers.find(key)
            for node in checker.told() if checker else ():
                up = node["status"] in ("healthy", "mostly_healthy")
                told.append((key, str(node["ip"]), str(node["port"]), up))
    return told


def _connections(listeners: Iterable[Listener]) -> Mapping[str, int]:
    open_now = [connection for listener in listeners for connection in listener.connections]
    accepted = sum(listener.accepted for listener in listeners)
    # an HTTP/2 connection counts as one that writes, as in nginx
    busy = sum(not isinstance(connection, ServerConnection) or connection.busy for connection in open_now)
    return {
        "accepted": accepted,
        "active": len(open_now),
        "handled": accepted,
        "reading": 0,
        "waiting": len(open_now) - busy,
        "writing": busy,
    }


def _modify_indexes(store: Store | StandaloneTable) -> Mapping[str, int]:
    found = {kind: max((entry.modified_index for entry in store.get(kind).values()), default=0) for kind in _KINDS}
    return {**found, "prev_index": 0, "max_modify_index": max(found.values()), "x_etcd_index": store.revision}
