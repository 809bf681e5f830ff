"""Calls of the real server that are not emulated: they answer 501 and say so, never something made up."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from harness.emulators.nacos.http.message import Response, as_json
from harness.emulators.nacos.http.routes import Call, Family, Route

#: (methods, path, why)
UNSUPPORTED: tuple[tuple[str, str, str], ...] = (
    ("PUT", "/v1/ns/operator/log", "log levels are the host process's"),
    ("PUT", "/v1/ns/ops/log", "log levels are the host process's"),
    ("PUT", "/v3/admin/ns/ops/log", "log levels are the host process's"),
    ("PUT", "/v1/core/ops/log", "log levels are the host process's"),
    ("PUT", "/v2/core/ops/log", "log levels are the host process's"),
    ("PUT", "/v3/admin/core/ops/log", "log levels are the host process's"),
    ("PUT", "/v1/cs/ops/log", "log levels are the host process's"),
    ("PUT", "/v3/admin/cs/ops/log", "log levels are the host process's"),
    ("POST", "/v1/core/ops/raft", "there is no raft group"),
    ("POST", "/v2/core/ops/raft", "there is no raft group"),
    ("POST", "/v3/admin/core/ops/raft", "there is no raft group"),
    ("GET", "/v1/core/ops/idInfo", "there is no id generator"),
    ("GET", "/v2/core/ops/ids", "there is no id generator"),
    ("GET", "/v3/admin/core/ops/ids", "there is no id generator"),
    ("POST", "/v1/core/cluster/report", "there is one node only"),
    ("POST", "/v1/core/cluster/switch/lookup", "there is one node only"),
    ("POST", "/v1/core/cluster/server/leave", "there is one node only"),
    ("PUT", "/v2/core/cluster/node/list", "there is one node only"),
    ("PUT", "/v2/core/cluster/lookup", "there is one node only"),
    ("DELETE", "/v2/core/cluster/nodes", "there is one node only"),
    ("PUT", "/v3/admin/core/cluster/node/list", "there is one node only"),
    ("PUT", "/v3/admin/core/cluster/lookup", "there is one node only"),
    ("GET", "/v2/core/loader/current", "there is one node only"),
    ("GET", "/v2/core/loader/reloadCurrent", "there is one node only"),
    ("GET", "/v2/core/loader/smartReloadCluster", "there is one node only"),
    ("GET", "/v2/core/loader/reloadClient", "there is one node only"),
    ("GET", "/v2/core/loader/cluster", "there is one node only"),
    ("POST", "/v3/admin/core/loader/reloadCurrent", "there is one node only"),
    ("POST", "/v3/admin/core/loader/smartReloadCluster", "there is one node only"),
    ("POST", "/v3/admin/core/loader/reloadClient", "there is one node only"),
    ("GET", "/v3/admin/core/loader/cluster", "there is one node only"),
    ("GET", "/v1/cs/capacity", "there are no quotas"),
    ("POST", "/v1/cs/capacity", "there are no quotas"),
    ("GET", "/v3/admin/cs/capacity", "there are no quotas"),
    ("POST", "/v3/admin/cs/capacity", "there are no quotas"),
    ("POST", "/v1/cs/ops/localCache", "there is no disk cache"),
    ("POST", "/v3/admin/cs/ops/localCache", "there is no disk cache"),
    ("GET", "/v1/cs/ops/derby", "there is no Derby"),
    ("POST", "/v1/cs/ops/data/removal", "there is no Derby"),
    ("GET", "/v3/admin/cs/ops/derby", "there is no Derby"),
    ("POST", "/v3/admin/cs/ops/derby/import", "there is no Derby"),
    ("GET", "/v1/cs/metrics/cluster", "clients' metrics are not gathered"),
    ("GET", "/v1/cs/metrics/current", "clients' metrics are not gathered"),
    ("GET", "/v3/admin/cs/metrics/cluster", "clients' metrics are not gathered"),
    ("GET", "/v3/admin/cs/metrics/ip", "clients' metrics are not gathered"),
    ("GET", "/v1/cs/communication/configWatchers", "use /v1/cs/configs/listener"),
    ("GET", "/v1/cs/communication/watcherConfigs", "use /v1/cs/listener"),
    ("GET", "/prometheus", "no service discovery for Prometheus"),
    ("GET", "/prometheus/namespaceId/{namespaceId}", "no service discovery for Prometheus"),
    (
        "GET",
        "/prometheus/namespaceId/{namespaceId}/service/{service}",
        "no service discovery for Prometheus",
    ),
    ("PUT", "/v1/auth/password", "of 2.x, deprecated; use PUT /v1/auth/users"),
    ("PUT", "/v1/auth/users/password", "of 2.x, deprecated; use PUT /v1/auth/users"),
    ("GET", "/v1/cmdb/ops/label", "there is no CMDB"),
    ("GET", "/v3/admin/ai/mcp/list", "MCP servers are not registered here"),
    ("GET", "/v3/admin/ai/mcp", "MCP servers are not registered here"),
    ("POST", "/v3/admin/ai/mcp", "MCP servers are not registered here"),
    ("PUT", "/v3/admin/ai/mcp", "MCP servers are not registered here"),
    ("DELETE", "/v3/admin/ai/mcp", "MCP servers are not registered here"),
)

#: The same on the console's port.
CONSOLE_UNSUPPORTED: tuple[tuple[str, str, str], ...] = (
    ("GET", "/v3/console/ai/mcp/list", "MCP servers are not registered here"),
    ("GET", "/v3/console/ai/mcp/importToolsFromMcp", "MCP servers are not registered here"),
    ("GET", "/v3/console/ai/mcp", "MCP servers are not registered here"),
    ("POST", "/v3/console/ai/mcp", "MCP servers are not registered here"),
    ("PUT", "/v3/console/ai/mcp", "MCP servers are not registered here"),
    ("DELETE", "/v3/console/ai/mcp", "MCP servers are not registered here"),
)


def routes(lines: Iterable[tuple[str, str, str]] = UNSUPPORTED) -> tuple[Route, ...]:
    """One refusing route for each line."""
    return tuple(Route(method, path, _refusal(method, path, why), Family.RESULT) for method, path, why in lines)


def _refusal(method: str, path: str, why: str) -> Callable[[Call], Response]:
    body = {
        "code": 40001,
        "message": "API function disabled",
        "data": f"{method} {path} is not emulated: {why}",
    }

    def refuse(call: Call) -> Response:
        return as_json(body, 501)

    return refuse
