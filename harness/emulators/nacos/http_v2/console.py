"""`/v2/console` and `/v2/core`: namespaces, health and members in the envelope."""

from __future__ import annotations

from typing import Any

from harness.emulators.nacos import names
from harness.emulators.nacos.http import namespace_calls as calls
from harness.emulators.nacos.http import site_info
from harness.emulators.nacos.http.routes import Call, console_resource
from harness.emulators.nacos.http.wrap import data_route, open_route


def create_namespace(call: Call) -> bool:
    """A new namespace; raises NacosError (400, 22000)."""
    calls.check_form(call, "namespaceId")
    return calls.create_by_form(call)


def update_namespace(call: Call) -> bool:
    """Rename; raises NacosError (400, 22000)."""
    names.check("namespaceShowName", call.request.get("namespaceName"))
    return calls.update(call)


def fine(call: Call) -> str:
    """A server that answers is alive and ready."""
    return "ok"


def up(call: Call) -> str:
    """This node's state."""
    return "UP"


def members(call: Call) -> list[dict[str, Any]]:
    """The members of the cluster: one, if its address begins as asked for."""
    return site_info.members(call, call.request.get("address"))


NAMESPACE = "/v2/console/namespace"
ROUTES = (
    open_route("GET", f"{NAMESPACE}/list", calls.listing),
    data_route("GET", NAMESPACE, calls.get, console_resource),
    data_route("POST", NAMESPACE, create_namespace, console_resource),
    data_route("PUT", NAMESPACE, update_namespace, console_resource),
    data_route("DELETE", NAMESPACE, calls.delete, console_resource),
    open_route("GET", "/v2/console/health/liveness", fine),
    open_route("GET", "/v2/console/health/readiness", fine),
    data_route("GET", "/v2/core/cluster/node/self", site_info.member, console_resource),
    data_route("GET", "/v2/core/cluster/node/list", members, console_resource),
    data_route("GET", "/v2/core/cluster/node/self/health", up, console_resource),
)
