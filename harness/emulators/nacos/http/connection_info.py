"""What the admin API tells of a gRPC connection (upstream: `core.remote.Connection` and its `ConnectionMeta`)."""

from __future__ import annotations

import time
from typing import Any

from harness.emulators.nacos.grpc.connections import Connection
from harness.emulators.nacos.http.histories import stamp
from harness.emulators.nacos.http.routes import Call


def by_id(call: Call) -> dict[str, Any]:
    """Every registered connection."""
    return {one.id: _told(call, one) for one in call.site.connections.registered()}


def _told(call: Call, one: Connection) -> dict[str, Any]:
    app_labels = {"AppName": one.app, "ClientVersion": one.version}
    return {
        "traced": False,
        "abilityTable": one.abilities,
        "metaInfo": {
            "connectType": "GRPC",
            "clientIp": one.ip,
            "remoteIp": one.ip,
            "remotePort": one.link.peer[1],
            "localPort": call.site.identity.grpc_port,
            "version": one.version,
            "connectionId": one.id,
            "createTime": stamp(int(one.id.partition("_")[0])),
            "lastActiveTime": int((call.domain.clock.time() - (time.monotonic() - one.last_active)) * 1000),
            "appName": one.app,
            "namespaceId": one.tenant,
            "labels": one.labels,
            "tlsProtected": False,
            "tag": one.labels.get("Vipserver-Tag"),
            "sdkSource": one.labels.get("source", "").lower() == "sdk",
            "clusterSource": one.labels.get("source", "").lower() == "cluster",
            "appLabels": app_labels,
        },
        "connected": True,
        "labels": one.labels,
        "appLabels": app_labels,
    }
