"""`/v3/admin/core`: namespaces, members and state."""

from __future__ import annotations

from harness.emulators.nacos.http import connection_info, site_info
from harness.emulators.nacos.http import namespace_calls as calls
from harness.emulators.nacos.http.routes import Call, Route, console_resource, own_resource
from harness.emulators.nacos.http.wrap import data_route, open_route
from harness.emulators.nacos.http_v2.console import fine, members, update_namespace


def check(call: Call) -> int:
    """How many namespaces have this id."""
    return int(calls.exists(call, "namespaceId"))


def namespace_routes(prefix: str) -> tuple[Route, ...]:
    """Namespaces, as the admin API and the console have them."""
    path, console = f"{prefix}/core/namespace", prefix.endswith("console")
    return (
        data_route("GET", f"{path}/list", calls.listing, own_resource if console else console_resource),
        data_route("GET", path, calls.get, console_resource),
        data_route("PUT", path, update_namespace if console else calls.update, console_resource),
        data_route("DELETE", path, calls.delete, console_resource),
    )


CORE = "/v3/admin/core"
ROUTES = (
    *namespace_routes("/v3/admin"),
    data_route("POST", f"{CORE}/namespace", calls.create_by_form, console_resource),  # without the parameter checker
    data_route("GET", f"{CORE}/namespace/check", check, console_resource),
    data_route("GET", f"{CORE}/cluster/node/self", site_info.member, console_resource),
    data_route("GET", f"{CORE}/cluster/node/list", members, console_resource),
    data_route("GET", f"{CORE}/loader/current", connection_info.by_id, console_resource),
    open_route("GET", f"{CORE}/state", site_info.server_state),
    open_route("GET", f"{CORE}/state/liveness", fine),
    open_route("GET", f"{CORE}/state/readiness", fine),
)
