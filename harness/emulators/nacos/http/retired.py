"""Calls of v1 and v2 that a 3.0.3 as shipped answers with 410: what to ask instead, and behind which switch it is."""

from __future__ import annotations

import json

from harness.emulators.nacos.http.message import Request, Response
from harness.emulators.nacos.http.spring import spring_error

#: (method, path, the parameter that chooses the call, the switch, what to ask instead; blank where there is nothing)
RETIRED: tuple[tuple[str, str, str, str, str], ...] = (
    ("DELETE", "/v1/auth/permissions", "", "console", "DELETE /v3/auth/permission"),
    ("GET", "/v1/auth/permissions", "", "console", "GET /v3/auth/permission/list"),
    ("POST", "/v1/auth/permissions", "", "console", "POST /v3/auth/permission"),
    ("DELETE", "/v1/auth/roles", "", "console", "DELETE /v3/auth/role"),
    ("GET", "/v1/auth/roles", "", "console", "GET /v3/auth/role/list"),
    ("POST", "/v1/auth/roles", "", "console", "POST /v3/auth/role"),
    ("GET", "/v1/auth/roles/search", "", "console", "GET /v3/auth/role/search"),
    ("DELETE", "/v1/auth/users", "", "console", "DELETE /v3/auth/user"),
    ("GET", "/v1/auth/users", "", "console", "GET /v3/auth/user/list"),
    ("POST", "/v1/auth/users", "", "console", "POST /v3/auth/user"),
    ("PUT", "/v1/auth/users", "", "console", "PUT /v3/auth/user"),
    ("POST", "/v1/auth/users/admin", "", "console", "POST /v3/auth/user/admin"),
    ("GET", "/v1/auth/users/search", "", "console", "GET /v3/auth/user/search"),
    ("GET", "/v1/console/health/liveness", "", "console", "GET /v3/console/health/liveness"),
    ("GET", "/v1/console/health/readiness", "", "console", "GET /v3/console/health/readiness"),
    ("DELETE", "/v1/console/namespaces", "", "console", "DELETE /v3/console/core/namespace"),
    ("GET", "/v1/console/namespaces", "checkNamespaceIdExist=true", "console", "GET /v3/console/core/namespace/exist"),
    ("GET", "/v1/console/namespaces", "show=all", "console", "GET /v3/console/core/namespace"),
    ("GET", "/v1/console/namespaces", "", "console", "GET /v3/console/core/namespace/list"),
    ("POST", "/v1/console/namespaces", "", "console", "POST /v3/console/core/namespace"),
    ("PUT", "/v1/console/namespaces", "", "console", "PUT /v3/console/core/namespace"),
    ("GET", "/v1/console/server/announcement", "", "console", "GET /v3/console/server/announcement"),
    ("GET", "/v1/console/server/guide", "", "console", "GET /v3/console/server/guide"),
    ("GET", "/v1/console/server/state", "", "console", "GET /v3/console/server/state"),
    ("GET", "/v1/core/cluster/health", "", "admin", "GET {contextPath:nacos}/v3/admin/core/cluster/node/self/health"),
    ("GET", "/v1/core/cluster/nodes", "", "console", "GET /v3/admin/core/cluster/node/list"),
    ("GET", "/v1/core/cluster/self", "", "admin", "GET {contextPath:nacos}/v3/admin/core/cluster/node/self"),
    ("POST", "/v1/core/cluster/server/leave", "", "console", ""),
    ("GET", "/v1/core/cluster/simple/nodes", "", "admin", ""),
    ("POST", "/v1/core/cluster/switch/lookup", "", "admin", "PUT {contextPath:nacos}/v3/admin/core/cluster/lookup"),
    ("GET", "/v1/core/ops/idInfo", "", "admin", "GET {contextPath:nacos}/v3/admin/core/ops/ids"),
    ("PUT", "/v1/core/ops/log", "", "admin", "PUT {contextPath:nacos}/v3/admin/core/ops/log"),
    ("POST", "/v1/core/ops/raft", "", "admin", "POST {contextPath:nacos}/v3/admin/core/ops/raft"),
    ("GET", "/v1/cs/capacity", "", "admin", "GET {contextPath:nacos}/v3/admin/cs/capacity"),
    ("DELETE", "/v1/cs/configs", "beta=true", "console", "DELETE /v3/console/cs/config/beta"),
    ("DELETE", "/v1/cs/configs", "delType=ids", "console", "GET /v3/console/cs/config/batchDelete"),
    ("GET", "/v1/cs/configs", "beta=true", "console", "GET /v3/console/cs/config/beta"),
    ("GET", "/v1/cs/configs", "export=true", "console", "GET /v3/console/cs/config/export"),
    ("GET", "/v1/cs/configs", "exportV2=true", "console", "GET /v3/console/cs/config/export2"),
    ("GET", "/v1/cs/configs", "search=accurate", "console", "GET /v3/console/cs/config/list"),
    ("GET", "/v1/cs/configs", "search=blur", "console", "GET /v3/console/cs/config/list"),
    ("GET", "/v1/cs/configs", "show=all", "console", "GET /v3/console/cs/config"),
    ("POST", "/v1/cs/configs", "clone=true", "console", "GET /v3/console/cs/config/clone"),
    ("POST", "/v1/cs/configs", "import=true", "console", "GET /v3/console/cs/config/import"),
    ("GET", "/v1/cs/configs/catalog", "", "admin", "GET /v3/admin/cs/config"),
    ("GET", "/v1/cs/configs/listener", "", "console", "GET /v3/console/cs/config/listener"),
    ("GET", "/v1/cs/health", "", "admin", ""),
    ("GET", "/v1/cs/history", "search=accurate", "console", "GET /v3/console/cs/history/list"),
    ("GET", "/v1/cs/history", "", "console", "GET /v3/console/cs/history"),
    ("GET", "/v1/cs/history/configs", "", "console", "GET /v3/console/cs/history/configs"),
    ("GET", "/v1/cs/history/previous", "", "console", "GET /v3/console/cs/history/previous"),
    ("GET", "/v1/cs/listener", "", "console", "GET /v3/console/cs/config/listener/ip"),
    ("GET", "/v1/cs/metrics/cluster", "", "admin", "GET {contextPath:nacos}/v3/admin/cs/metrics/cluster"),
    ("GET", "/v1/cs/ops/derby", "", "admin", "GET {contextPath:nacos}/v3/admin/cs/ops/derby"),
    ("POST", "/v1/cs/ops/localCache", "", "admin", "POST {contextPath:nacos}/v3/admin/cs/ops/localCache"),
    ("GET", "/v1/ns/catalog/instances", "", "console", "GET /v3/console/ns/instance/list"),
    ("GET", "/v1/ns/catalog/service", "", "console", "GET /v3/console/ns/service"),
    ("GET", "/v1/ns/catalog/services", "", "console", "GET /v3/console/ns/service/list"),
    ("PUT", "/v1/ns/cluster", "", "console", "PUT /v3/console/ns/service/cluster"),
    ("PUT", "/v1/ns/health", "", "admin", "PUT /v3/admin/health/instance"),
    ("GET", "/v1/ns/health/checkers", "", "admin", "GET /v3/admin/health/checkers"),
    ("PUT", "/v1/ns/health/instance", "", "admin", "PUT /v3/admin/health/instance"),
    ("GET", "/v1/ns/health/server", "", "admin", ""),
    ("GET", "/v1/ns/instance", "", "admin", "GET /v3/admin/ns/instance"),
    ("PATCH", "/v1/ns/instance", "", "admin", "PUT /v3/admin/ns/instance/partial"),
    ("PUT", "/v1/ns/instance", "", "admin", "PUT /v3/admin/ns/instance"),
    ("DELETE", "/v1/ns/instance/metadata/batch", "", "admin", "DELETE /v3/admin/ns/instance/metadata/batch"),
    ("PUT", "/v1/ns/instance/metadata/batch", "", "admin", "PUT /v3/admin/ns/instance/metadata/batch"),
    ("GET", "/v1/ns/instance/statuses", "", "admin", ""),
    ("GET", "/v1/ns/operator/distro/client", "", "admin", "GET /v3/admin/ns/client/distro"),
    ("PUT", "/v1/ns/operator/log", "", "admin", "PUT /v3/admin/ns/ops/log"),
    ("GET", "/v1/ns/operator/push/state", "", "admin", ""),
    ("GET", "/v1/ns/operator/switches", "", "admin", "GET /v3/admin/ns/ops/switches"),
    ("PUT", "/v1/ns/operator/switches", "", "admin", "PUT /v3/admin/ns/ops/switches"),
    ("DELETE", "/v1/ns/service", "", "admin", "DELETE /v3/admin/ns/service"),
    ("GET", "/v1/ns/service", "", "admin", "GET /v3/admin/ns/service"),
    ("POST", "/v1/ns/service", "", "admin", "POST /v3/admin/ns/service"),
    ("PUT", "/v1/ns/service", "", "admin", "PUT /v3/admin/ns/service"),
    ("GET", "/v1/ns/service/names", "", "admin", ""),
    ("GET", "/v1/ns/service/selector/types", "", "admin", "GET /v3/admin/ns/service/selector/types"),
    ("GET", "/v1/ns/service/subscribers", "", "admin", "GET /v3/admin/ns/service/subscribers"),
    ("GET", "/v2/console/health/liveness", "", "console", "GET /v3/console/health/liveness"),
    ("GET", "/v2/console/health/readiness", "", "console", "GET /v3/console/health/readiness"),
    ("DELETE", "/v2/console/namespace", "", "console", "DELETE /v3/console/core/namespace"),
    ("GET", "/v2/console/namespace", "", "console", "GET /v3/console/core/namespace"),
    ("POST", "/v2/console/namespace", "", "console", "POST /v3/console/core/namespace"),
    ("PUT", "/v2/console/namespace", "", "console", "PUT /v3/console/core/namespace"),
    ("GET", "/v2/console/namespace/list", "", "console", "GET /v3/console/core/namespace/list"),
    ("GET", "/v2/core/cluster/node/list", "", "admin", "GET {contextPath:nacos}/v3/admin/core/cluster/node/list"),
    ("GET", "/v2/core/cluster/node/self", "", "admin", "GET {contextPath:nacos}/v3/admin/core/cluster/node/self"),
    (
        "GET",
        "/v2/core/cluster/node/self/health",
        "",
        "admin",
        "GET {contextPath:nacos}/v3/admin/core/cluster/node/self/health",
    ),
    ("GET", "/v2/core/loader/current", "", "admin", "GET {contextPath:nacos}/v3/admin/core/loader/current"),
    ("GET", "/v2/core/ops/ids", "", "admin", "GET {contextPath:nacos}/v3/admin/core/ops/ids"),
    ("DELETE", "/v2/cs/config", "", "admin", "DELETE /v3/admin/cs/config"),
    ("GET", "/v2/cs/config", "", "admin", "GET /v3/admin/cs/config"),
    ("POST", "/v2/cs/config", "", "admin", "POST /v3/admin/cs/config"),
    ("GET", "/v2/cs/config/searchDetail", "", "console", "GET /v3/console/cs/config/searchDetail"),
    ("GET", "/v2/cs/history", "", "admin", "GET /v3/admin/cs/history"),
    ("GET", "/v2/cs/history/configs", "", "admin", "GET /v3/admin/cs/history/configs"),
    ("GET", "/v2/cs/history/list", "", "admin", "GET /v3/admin/cs/history/list"),
    ("GET", "/v2/cs/history/previous", "", "admin", "GET /v3/admin/cs/history/previous"),
    ("GET", "/v2/ns/catalog/instances", "", "console", "GET /v3/console/ns/instance/list"),
    ("GET", "/v2/ns/client", "", "admin", "GET /v3/admin/ns/client"),
    ("GET", "/v2/ns/client/list", "", "admin", "GET /v3/admin/ns/client/list"),
    ("GET", "/v2/ns/client/publish/list", "", "admin", "GET /v3/admin/ns/client/publish/list"),
    ("GET", "/v2/ns/client/service/publisher/list", "", "admin", "GET /v3/admin/ns/client/service/publisher/list"),
    ("GET", "/v2/ns/client/service/subscriber/list", "", "admin", "GET /v3/admin/ns/client/service/subscriber/list"),
    ("GET", "/v2/ns/client/subscribe/list", "", "admin", "GET /v3/admin/ns/client/subscribe/list"),
    ("PUT", "/v2/ns/health", "", "admin", "PUT /v3/admin/ns/health"),
    ("PUT", "/v2/ns/health/instance", "", "admin", "PUT /v3/admin/ns/health"),
    ("DELETE", "/v2/ns/instance", "", "admin", "DELETE /v3/admin/ns/instance"),
    ("GET", "/v2/ns/instance", "", "admin", "GET /v3/admin/ns/instance"),
    ("PATCH", "/v2/ns/instance", "", "admin", "PUT /v3/admin/ns/instance/partial"),
    ("POST", "/v2/ns/instance", "", "admin", "POST /v3/admin/ns/instance"),
    ("PUT", "/v2/ns/instance", "", "admin", "PUT /v3/admin/ns/instance"),
    ("PUT", "/v2/ns/instance/beat", "", "admin", ""),
    ("GET", "/v2/ns/instance/list", "", "admin", "GET /v3/admin/ns/instance/list"),
    ("DELETE", "/v2/ns/instance/metadata/batch", "", "admin", "DELETE /v3/admin/ns/instance/metadata/batch"),
    ("PUT", "/v2/ns/instance/metadata/batch", "", "admin", "PUT /v3/admin/ns/instance/metadata/batch"),
    ("GET", "/v2/ns/operator/metrics", "", "admin", "GET /v3/admin/ns/ops/metrics"),
    ("GET", "/v2/ns/operator/switches", "", "admin", "GET /v3/admin/ns/ops/switches"),
    ("PUT", "/v2/ns/operator/switches", "", "admin", "PUT /v3/admin/ns/ops/switches"),
    ("DELETE", "/v2/ns/service", "", "admin", "DELETE /v3/admin/ns/service"),
    ("GET", "/v2/ns/service", "", "admin", "GET /v3/admin/ns/service"),
    ("POST", "/v2/ns/service", "", "admin", "POST /v3/admin/ns/service"),
    ("PUT", "/v2/ns/service", "", "admin", "PUT /v3/admin/ns/service"),
    ("GET", "/v2/ns/service/list", "", "admin", "GET /v3/admin/ns/service/list"),
)
#: Calls between servers of old versions.
INNER = frozenset(
    {
        ("GET", "/v1/cs/communication/configWatchers"),
        ("GET", "/v1/cs/communication/watcherConfigs"),
        ("POST", "/v1/core/cluster/report"),
    }
)
_BY_CALL: dict[tuple[str, str], list[tuple[str, str, str]]] = {}
for _method, _path, _when, _switch, _instead in RETIRED:
    for _place in {_path, _path.replace("/v1/auth/users", "/v1/auth")}:  # users are at two places
        _BY_CALL.setdefault((_method, _place), []).append((_when, _switch, _instead))


def refusal(request: Request, path: str) -> Response | None:
    """The 410 of a retired call, None for one that is still served."""
    if (request.method, path) in INNER:
        return _gone(f"Old Inner API {request.path} is deprecated", request)
    for when, switch, instead in _BY_CALL.get((request.method, path), ()):
        name, _, value = when.partition("=")
        if not when or request.get(name) == value:
            return _gone(_told(switch, instead), request)
    return None


def _told(switch: str, instead: str) -> str:
    option = f"`nacos.core.api.compatibility.{switch}.enabled=true` in application.properties."
    if not instead:
        return f"Current API will be deprecated, If wanted continue to use, please set {option}"
    method, _, path = instead.partition(" ")
    # the server forgets to fill its place-holder, and spells it in two ways
    named = instead if path.startswith("{") else f"{method} ${{contextPath:nacos}}{path}"
    return f"Current API will be deprecated, please use API(s) `{named}` instead, or set {option}"


def _gone(message: str, request: Request) -> Response:
    body = json.dumps({"code": 40000, "message": message}, separators=(",", ":"))
    return spring_error(410, body, request.path)
