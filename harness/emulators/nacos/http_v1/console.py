"""`/v1/console`: namespaces, state and health of the server."""

from __future__ import annotations

from harness.emulators.nacos.errors import NacosError
from harness.emulators.nacos.http import namespace_calls as calls
from harness.emulators.nacos.http import site_info
from harness.emulators.nacos.http.message import Response, as_json, text
from harness.emulators.nacos.http.routes import Call, Family, Route, console_resource
from harness.emulators.nacos.namespaces import check_name


def state(call: Call) -> Response:
    """Flat strings, as the console asks for them."""
    return as_json(site_info.server_state(call))


def health(call: Call) -> Response:
    """A server that answers is alive and ready."""
    return text("OK")


def actuator(call: Call) -> Response:
    """Spring Boot's own health."""
    return Response(200, b'{"status":"UP"}', "application/vnd.spring-boot.actuator.v3+json")


def nothing(call: Call) -> Response:
    """Announcements and guides: there are none."""
    return call.rest_result("")


def list_namespaces(call: Call) -> Response:
    """Every namespace."""
    return call.rest_result(calls.listing(call))


def get_namespace(call: Call) -> Response:
    """One namespace, bare; 404 if there is none."""
    try:
        return as_json(calls.shape(call, call.domain.namespaces.get(call.request.present("namespaceId"))))
    except NacosError as error:
        if error.status != 404:
            raise
        raise NacosError(500, error.detail) from error


def exists(call: Call) -> Response:
    """Whether a custom id is taken."""
    return as_json(calls.exists(call, "customNamespaceId"))


def create_namespace(call: Call) -> Response:
    """v1 answers a refusal with 200 and `false`."""
    call.request.present("customNamespaceId")
    call.request.present("namespaceName")
    calls.check_form(call, "customNamespaceId")
    try:
        return as_json(calls.create(call, "customNamespaceId"))
    except NacosError:
        return as_json(False)


def update_namespace(call: Call) -> Response:
    """Rename; 3.x's checker looks at the name beforehand."""
    request = call.request
    target, name = request.present("namespace"), request.present("namespaceShowName")
    try:
        check_name(name)
    except NacosError:
        return as_json(False)
    call.domain.namespaces.update(target, name, request.get("namespaceDesc"))
    return as_json(True)


def delete_namespace(call: Call) -> Response:
    """Delete one, known or not."""
    return as_json(calls.delete(call))


NAMESPACES = "/v1/console/namespaces"
ROUTES = (
    Route("GET", "/v1/console/server/state", state, Family.RESULT),
    Route("GET", "/v1/console/server/announcement", nothing, Family.RESULT),
    Route("GET", "/v1/console/server/guide", nothing, Family.RESULT),
    Route("GET", "/v1/console/health/liveness", health, Family.RESULT),
    Route("GET", "/v1/console/health/readiness", health, Family.RESULT),
    Route("GET", "/actuator/health", actuator, Family.RESULT),
    Route("GET", NAMESPACES, get_namespace, Family.CONFIG, when={"show": "all"}),
    Route("GET", NAMESPACES, exists, Family.CONFIG, when={"checkNamespaceIdExist": "true"}),
    Route("GET", NAMESPACES, list_namespaces, Family.CONFIG),
    Route("POST", NAMESPACES, create_namespace, Family.CONFIG, "w", console_resource),
    Route("PUT", NAMESPACES, update_namespace, Family.CONFIG, "w", console_resource),
    Route("DELETE", NAMESPACES, delete_namespace, Family.CONFIG, "w", console_resource),
)
