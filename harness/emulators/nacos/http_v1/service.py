"""`/v1/ns/service` and `/v1/ns/catalog`: services, who subscribes, and the console's lists."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from harness.emulators.nacos import names
from harness.emulators.nacos.errors import NacosError, invalid
from harness.emulators.nacos.http import services
from harness.emulators.nacos.http.forms import bound_key
from harness.emulators.nacos.http.message import Response, as_json
from harness.emulators.nacos.http.routes import Call, Family, Route, naming_resource
from harness.emulators.nacos.http.wrap import binding
from harness.emulators.nacos.http_v1.instance import plain
from harness.emulators.nacos.naming.model import ClusterSettings, ServiceMetadata

#: Spring's words for a missing number without a default (`CatalogController` declares these two so).
UNTRANSLATED = (
    "caused: Optional int parameter '{}' is present but cannot be translated into a null value due to being declared "
    "as a primitive type. Consider declaring it as object wrapper for the corresponding primitive type.;"
)
SELECTOR_TYPES = ["label", "none"]


def get(call: Call) -> Response:
    """One service with its clusters."""
    service = services.known(call)
    metadata = service.metadata or ServiceMetadata()
    return as_json(
        {
            "namespaceId": service.key.namespace,
            "groupName": service.key.group,
            "name": service.key.name,
            "protectThreshold": metadata.protect_threshold,
            "metadata": dict(metadata.metadata),
            "selector": dict(metadata.selector),
            "clusters": [
                {"name": name, "healthChecker": dict(one.checker), "metadata": dict(one.metadata)}
                for name, one in services.checked_clusters(service).items()
            ],
        }
    )


def update(call: Call) -> str:
    """Replace threshold, metadata and selector; the threshold has to come."""
    call.request.need("serviceName")
    call.request.need("protectThreshold")
    return services.update(call)


def update_cluster(call: Call) -> str:
    """Set a cluster's health check; the cluster has to be named."""
    call.request.need("clusterName")
    return services.update_cluster(call)


def list_names(call: Call) -> Response:
    """Plain names of one group."""
    call.request.need("pageNo")
    call.request.need("pageSize")
    count, found = services.names_page(call)
    return as_json({"count": count, "doms": found})


def all_names(call: Call) -> Response:
    """Grouped names of a namespace; the odd key is the server's own (`ServiceController`)."""
    namespace = names.namespace_or_public(call.request.get("namespaceId"))
    expression = call.request.get("expr")
    found = [one.key.grouped for one in services.in_namespace(call) if expression in one.key.grouped]
    return as_json({"META-INF/services": {namespace: found}, "count": len(found)})


def subscribers(call: Call) -> Response:
    """Who subscribes."""
    found = [services.subscriber_v1(key, one) for key, one in services.subscribers(call)]
    number, size = (call.request.get(name) for name in ("pageNo", "pageSize"))
    shown = services.page(found, int(number) if names.is_int(number) else 1, int(size) if names.is_int(size) else 1000)
    return as_json({"subscribers": shown, "count": len(found)})


def selector_types(call: Call) -> Response:
    """What the server offers; setting `label` is refused here."""
    return call.rest_result(SELECTOR_TYPES)


# -- catalog -----------------------------------------------------------------------------------------------------------


def catalog(call: Call) -> Response:
    """The console's list of services, with or without instances."""
    for name in ("pageNo", "pageSize"):
        if call.request.optional(name) is None:
            raise NacosError(500, UNTRANSLATED.format(name))
    number, size = call.request.number("pageNo", 1), call.request.number("pageSize", 10)
    found = services.matching(call)
    shown = services.page(found, number, size)
    if call.request.flag("withInstances", False):
        return as_json([services.with_hosts(one) for one in shown])
    return as_json({"count": len(found), "serviceList": [services.summary(one) for one in shown]})


def catalog_instances(call: Call) -> Response:
    """Every instance, disabled ones too."""
    call.request.present("serviceName")
    call.request.present("clusterName")
    key, found = services.catalog_instances(call)
    shown = services.page(found, call.request.number("pageNo", 1), call.request.number("pageSize", 10))
    return as_json({"list": [one.wire(key) for one in shown], "count": len(found)})


def catalog_service(call: Call) -> Response:
    """One service as the console's page wants it."""
    if not call.request.get("serviceName"):
        raise invalid("Param 'serviceName' is illegal, serviceName is blank")
    key = bound_key(call.request)
    service = call.domain.registry.known(key, f"service {key.grouped} is not found!", 404)
    metadata = service.metadata or ServiceMetadata()
    return as_json(
        {
            "service": {
                "name": service.key.name,
                "groupName": service.key.group,
                "protectThreshold": metadata.protect_threshold,
                "selector": dict(metadata.selector),
                "metadata": dict(metadata.metadata),
            },
            "clusters": [_cluster(call, key.grouped, name, one) for name, one in services.clusters(service).items()],
        }
    )


def _cluster(call: Call, service: str, name: str, settings: ClusterSettings) -> dict[str, Any]:
    return {
        "name": name,
        "healthChecker": dict(settings.checker),
        "metadata": dict(settings.metadata),
        "defaultPort": 80,
        "useIPPort4Check" if call.domain.version.is_2 else "useIpPort4Check": settings.use_instance_port,
        "defaultCheckPort": settings.check_port,
        "serviceName": service,
    }


def _route(method: str, path: str, run: Callable[[Call], Response], action: str) -> Route:
    return Route(method, f"/v1/ns/{path}", run, Family.NAMING, action, naming_resource)


ROUTES = (
    _route("POST", "service", plain(services.create_persistent), "w"),
    _route("PUT", "service", plain(update), "w"),
    _route("DELETE", "service", plain(binding(services.delete, "serviceName")), "w"),
    _route("GET", "service", binding(get, "serviceName"), "r"),
    _route("GET", "service/list", list_names, "r"),
    _route("GET", "service/names", all_names, "r"),
    _route("GET", "service/subscribers", subscribers, "r"),
    _route("GET", "service/selector/types", selector_types, "r"),
    _route("PUT", "cluster", plain(update_cluster), "w"),
    _route("GET", "catalog/services", catalog, "r"),
    _route("GET", "catalog/instances", catalog_instances, "r"),
    _route("GET", "catalog/service", catalog_service, "r"),
)
