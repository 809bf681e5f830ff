"""`/v3/admin/ns`, and a part of it as `/v3/console/ns`: naming for operators."""

from __future__ import annotations

from typing import Any

from harness.emulators.nacos import names
from harness.emulators.nacos.errors import not_found
from harness.emulators.nacos.http import clients, instances, services, site_info
from harness.emulators.nacos.http.forms import service_key
from harness.emulators.nacos.http.routes import Call, Route, console_resource, naming_resource
from harness.emulators.nacos.http.services import page_object
from harness.emulators.nacos.http.wrap import binding, data_route
from harness.emulators.nacos.http_v1.service import SELECTOR_TYPES
from harness.emulators.nacos.http_v2.naming import updated
from harness.emulators.nacos.naming.model import Instance, ServiceKey
from harness.emulators.nacos.naming.registry import Subscriber


def instance(call: Call) -> dict[str, Any]:
    """One instance in full; raises NacosError (404)."""
    return instances.find(call).wire(service_key(call.request))


def instance_list(call: Call) -> list[dict[str, Any]]:
    """Every instance, disabled ones too; raises NacosError (404)."""
    key, found = services.catalog_instances(call, names.DEFAULT_CLUSTER)
    healthy_only = call.request.flag("healthyOnly", False)
    return [one.wire(key) for one in found if one.healthy or not healthy_only]


def instance_page(call: Call) -> dict[str, Any]:
    """The console's page of instances."""
    return page_object(instance_list(call), call.request)


def service(call: Call) -> dict[str, Any]:
    """One service in full; raises NacosError (400)."""
    return services.detail(services.known(call))


def console_service(call: Call) -> dict[str, Any]:
    """The same for the console; raises NacosError (404)."""
    key = service_key(call.request)
    found = call.domain.registry.services.get(key)
    if found is None:
        raise not_found(f"service {key.grouped} is not found!", code=30000)
    return services.detail(found)


def console_update(call: Call) -> str:
    """Replace a service's settings, for the console; raises NacosError (404)."""
    key = service_key(call.request)
    if key not in call.domain.registry.services:
        who = f"namespace='{key.namespace}', group='{key.group}', name='{key.name}', ephemeral=true, revision=0"
        raise not_found(f"service Service{{{who}}} is not exist.", code=21008)
    return services.update(call)


def service_list(call: Call) -> Any:
    """A page of services, or with `withInstances=true` of services in full."""
    found = services.matching(call)
    if call.request.flag("withInstances", False):
        return page_object([services.with_hosts(one) for one in found], call.request)
    shown = page_object([services.summary(one) for one in found], call.request)
    # a page too many where the last one is full, as the server counts
    pages = len(found) // call.request.number("pageSize", 100) + 1 if found else 0
    return {**shown, "pagesAvailable": pages}


def subscribers(call: Call) -> dict[str, Any]:
    """A page of subscribers."""
    found = [services.subscriber_v3(key, one) for key, one in services.subscribers(call)]
    return page_object(found, call.request)


def selector_types(call: Call) -> list[str]:
    """What the server offers; setting `label` is refused here."""
    return SELECTOR_TYPES


def checkers(call: Call) -> dict[str, Any]:
    """The kinds of health checks."""
    return site_info.CHECKERS


def metrics(call: Call) -> dict[str, Any]:
    """How it goes; what v2 tells of the machine is left out."""
    untold = {"cpu", "load", "mem", "responsibleInstanceCount"}
    return {name: value for name, value in site_info.metrics(call).items() if name not in untold}


# -- clients -----------------------------------------------------------------------------------------------------------


def _service(key: ServiceKey) -> dict[str, str]:
    return {"namespaceId": key.namespace, "groupName": key.group, "serviceName": key.name}


def _publisher(one: Instance, client_id: str | None) -> dict[str, Any]:
    return {"clientId": client_id, "ip": one.ip, "port": one.port, "clusterName": one.cluster}


def _subscriber(one: Subscriber) -> dict[str, Any]:
    return {"clientId": one.client_id, "appName": one.app, "agent": one.agent, "address": f"{one.ip}:{one.port}"}


def published(call: Call) -> list[dict[str, Any]]:
    """What a client publishes."""
    found = clients.published(call)
    return [{**_service(key), "publisherInfo": _publisher(one, None), "subscriberInfo": None} for key, one in found]


def subscribed(call: Call) -> list[dict[str, Any]]:
    """What a client subscribes to."""
    found = clients.subscribed(call)
    return [{**_service(key), "publisherInfo": None, "subscriberInfo": _subscriber(one)} for key, one in found]


def publishers(call: Call) -> list[dict[str, Any]]:
    """Who publishes in a service."""
    return [_publisher(one, client) for client, one in clients.publishers(call)]


def service_subscribers(call: Call) -> list[dict[str, Any]]:
    """Who subscribes to a service."""
    return [_subscriber(one) for one in clients.subscribers(call)]


def responsible(call: Call) -> dict[str, str]:
    """Which server answers for a client: the only one."""
    call.request.need("ip")
    names.check_port(call.request.need("port"))
    return {"responsibleServer": call.site.identity.address}


def admin_routes(prefix: str) -> tuple[Route, ...]:
    """All of the admin API under `prefix`."""
    one, many, client = f"{prefix}/ns/instance", f"{prefix}/ns/service", f"{prefix}/ns/client"
    return (
        *shared_routes(prefix),
        data_route("POST", one, instances.register_unnamed, naming_resource),
        data_route("DELETE", one, instances.deregister, naming_resource),
        data_route("GET", one, instance, naming_resource),
        data_route("GET", f"{one}/list", instance_list, naming_resource),
        data_route("PUT", f"{one}/partial", instances.patch, naming_resource),
        data_route("PUT", f"{one}/metadata/batch", updated(instances.update_metadata), naming_resource),
        data_route("DELETE", f"{one}/metadata/batch", updated(instances.delete_metadata), naming_resource),
        data_route("GET", many, service, naming_resource),
        data_route("PUT", many, services.update, naming_resource),
        data_route("PUT", f"{prefix}/ns/cluster", services.update_cluster, naming_resource),
        data_route("PUT", f"{prefix}/ns/health/instance", instances.set_health, naming_resource),
        data_route("GET", f"{prefix}/ns/health/checkers", checkers, console_resource),
        data_route("GET", f"{prefix}/ns/ops/metrics", metrics, console_resource),
        data_route("GET", f"{prefix}/ns/ops/switches", site_info.switches, console_resource),
        data_route("PUT", f"{prefix}/ns/ops/switches", site_info.turn_switch, console_resource),
        data_route("GET", f"{client}/list", clients.ids, console_resource),
        data_route("GET", client, binding(clients.summary, "clientId"), console_resource),
        data_route("GET", f"{client}/publish/list", binding(published, "clientId"), console_resource),
        data_route("GET", f"{client}/subscribe/list", binding(subscribed, "clientId"), console_resource),
        data_route("GET", f"{client}/service/publisher/list", publishers, console_resource),
        data_route("GET", f"{client}/service/subscriber/list", service_subscribers, console_resource),
        data_route("GET", f"{client}/distro", binding(responsible, "ip"), console_resource),
    )


def shared_routes(prefix: str) -> tuple[Route, ...]:
    """The calls that the admin API and the console share."""
    many = f"{prefix}/ns/service"
    return (
        data_route("PUT", f"{prefix}/ns/instance", instances.update, naming_resource),
        data_route("POST", many, services.create_by_form, naming_resource),
        data_route("DELETE", many, services.delete, naming_resource),
        data_route("GET", f"{many}/list", service_list, naming_resource),
        data_route("GET", f"{many}/subscribers", subscribers, naming_resource),
        data_route("GET", f"{many}/selector/types", selector_types, naming_resource),
    )


def console_routes(prefix: str) -> tuple[Route, ...]:
    """The console's part of naming."""
    return (
        *shared_routes(prefix),
        data_route("GET", f"{prefix}/ns/instance/list", instance_page, naming_resource),
        data_route("GET", f"{prefix}/ns/service", console_service, naming_resource),
        data_route("PUT", f"{prefix}/ns/service", console_update, naming_resource),
        data_route("PUT", f"{prefix}/ns/service/cluster", services.update_cluster, naming_resource),
    )
