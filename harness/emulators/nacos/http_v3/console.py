"""`/v3/console`: what the console's own port answers (8080 on a real server, without context path)."""

from __future__ import annotations

from harness.emulators.nacos.http import configs, site_info
from harness.emulators.nacos.http import namespace_calls as calls
from harness.emulators.nacos.http.message import Response, as_json
from harness.emulators.nacos.http.routes import Call, Family, Route, console_resource
from harness.emulators.nacos.http.wrap import data_route, open_route
from harness.emulators.nacos.http_v2.console import fine, members
from harness.emulators.nacos.http_v3.config import admin_routes, listing
from harness.emulators.nacos.http_v3.core import namespace_routes
from harness.emulators.nacos.http_v3.naming import console_routes

config_resource = configs.resource_of(configs.V3)

CONSOLE = "/v3/console"


def state(call: Call) -> Response:
    """Flat strings without an envelope."""
    return as_json(site_info.server_state(call))


def create_namespace(call: Call) -> bool:
    """The console calls the id `customNamespaceId`, and takes a blank name."""
    calls.check_form(call, "customNamespaceId")
    calls.required(call, "namespaceName")
    return calls.add(call, call.request.get("customNamespaceId").strip(), call.request.get("namespaceName"))


def exists(call: Call) -> bool:
    """Whether a custom id is taken."""
    return calls.exists(call, "customNamespaceId")


def nothing(call: Call) -> str:
    """Announcements and guides: there are none."""
    return ""


ROUTES = (
    *admin_routes(CONSOLE),
    data_route("GET", f"{CONSOLE}/cs/config/searchDetail", listing, config_resource),
    *console_routes(CONSOLE),
    *namespace_routes(CONSOLE),
    data_route("POST", f"{CONSOLE}/core/namespace", create_namespace, console_resource),
    data_route("GET", f"{CONSOLE}/core/namespace/exist", exists, console_resource),
    data_route("GET", f"{CONSOLE}/core/cluster/nodes", members, console_resource),
    Route("GET", f"{CONSOLE}/server/state", state, Family.RESULT),
    open_route("GET", f"{CONSOLE}/server/announcement", nothing),
    open_route("GET", f"{CONSOLE}/server/guide", nothing),
    open_route("GET", f"{CONSOLE}/health/liveness", fine),
    open_route("GET", f"{CONSOLE}/health/readiness", fine),
)
