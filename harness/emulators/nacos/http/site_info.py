"""What the server tells of itself: counts, switches, members, state."""

from __future__ import annotations

from typing import Any

from harness.emulators.nacos.errors import NacosError
from harness.emulators.nacos.http.routes import Call
from harness.emulators.nacos.naming.beats import is_http_client

#: The kinds of health checks with their settings as they come.
CHECKERS: dict[str, Any] = {
    "TCP": {},
    "HTTP": {"path": "", "headers": "", "expectedResponseCode": 200},
    "MYSQL": {"user": None, "pwd": None, "cmd": None},
    "NONE": {},
}


def switches(call: Call) -> dict[str, Any]:
    """The switches as they stand."""
    return call.domain.switches.named(call.domain.version.is_2)


def turn_switch(call: Call) -> str:
    """Turn a switch as v2 and v3 do; raises NacosError (500) for a bad value."""
    entry, value = call.request.need("entry"), call.request.need("value")
    try:
        call.domain.switches.turn(entry, value)
    except NacosError as error:
        raise NacosError(500, error.detail) from error
    return "ok"


def metrics(call: Call) -> dict[str, Any]:
    """`UP`, and with `onlyStatus=false` the counts."""
    only_status = call.request.flag("onlyStatus", True)
    return {"status": "UP"} if only_status else {"status": "UP", **counts(call)}


def metrics_v2(call: Call) -> dict[str, Any]:
    """The same for v2, which doesn't tell for how many instances this server is responsible."""
    return {name: value for name, value in metrics(call).items() if name != "responsibleInstanceCount"}


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


ABILITIES: dict[str, Any] = {
    "remoteAbility": {"supportRemoteConnection": True, "grpcReportEnabled": True},
    "configAbility": {"supportRemoteMetrics": False},
    "namingAbility": {"supportJraft": True},
}


def _extended(call: Call) -> dict[str, Any]:
    """What the node tells of itself beside its address; there is no raft group to describe."""
    return {
        "lastRefreshTime": int(call.domain.clock.time() * 1000),
        "raftMetaData": {},
        "raftPort": str(call.site.identity.port - 1000),
        "readyToUpgrade": True,
        "supportGrayModel": True,
        "version": call.domain.version.number,
    }


def member(call: Call) -> dict[str, Any]:
    """The one node there is."""
    identity = call.site.identity
    return {
        "ip": identity.host,
        "port": identity.port,
        "state": "UP",
        "extendInfo": _extended(call),
        "address": identity.address,
        "failAccessCnt": 0,
        "abilities": ABILITIES,
        "grpcReportEnabled": True,
    }


def members(call: Call, start: str) -> list[dict[str, Any]]:
    """The members of the cluster whose address begins with this: one or none."""
    return [member(call)] if call.site.identity.address.startswith(start) else []


def server_state(call: Call) -> dict[str, str | None]:
    """What the server tells of itself: flat strings."""
    enabled = "true" if call.domain.gate.enabled else "false"
    return {
        "version": call.domain.version.number,
        "startup_mode": "standalone",
        "function_mode": None,
        "server_port": str(call.site.identity.port),
        "auth_enabled": enabled,
        "auth_system_type": "nacos",
        "auth_admin_request": "false" if call.domain.accounts.has_admin() else "true",
        "login_page_enabled": enabled,
        "console_ui_enabled": "true",
        "config_retention_days": "30",
        "defaultMaxSize": "102400",
        "defaultMaxAggrCount": "10000",
        "defaultMaxAggrSize": "1024",
        "isManageCapacity": "true",
        "maxContent": "10485760",
        "maxHealthCheckFailCount": "12",
        "notifyConnectTimeout": "100",
        "notifySocketTimeout": "200",
        "defaultClusterQuota": "100000",
        "defaultGroupQuota": "200",
        "isCapacityLimitCheck": "false",
        "isHealthCheck": "true",
        "datasource_platform": "",
        "plugin_datasource_log_enabled": "false",
    }
