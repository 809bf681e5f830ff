"""`/v2/ns`: instances, services, clients and operators' calls in the envelope."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from harness.emulators.nacos import names
from harness.emulators.nacos.http import clients, instances, services, site_info
from harness.emulators.nacos.http.forms import service_key
from harness.emulators.nacos.http.message import Response, raw_json, text
from harness.emulators.nacos.http.routes import Call, Family, Route, console_resource, naming_resource
from harness.emulators.nacos.http.wrap import data_route, open_route
from harness.emulators.nacos.http_v1.instance import beat, statuses_of
from harness.emulators.nacos.naming.model import Instance, ServiceKey
from harness.emulators.nacos.naming.registry import Subscriber


def get_instance(call: Call) -> dict[str, Any]:
    """One instance; raises NacosError (404)."""
    key, one = service_key(call.request), instances.find(call)
    return {
        "serviceName": key.grouped,
        "ip": one.ip,
        "port": one.port,
        "clusterName": one.cluster,
        "weight": one.weight,
        "healthy": one.healthy,
        "instanceId": one.named(key),
        "metadata": dict(one.metadata),
    }


def list_instances(call: Call) -> Response:
    """The service as clients see it, with its grouped name."""
    request = call.request
    clusters = request.get("clusterName") or request.get("clusters")
    names.check_clusters(clusters)
    view = call.domain.registry.view(service_key(request), clusters, request.flag("healthyOnly", False))
    info = view.to_json(call.domain.registry.next_ref(), grouped=True)
    return raw_json(f'{{"code":0,"message":"success","data":{info}}}')


def statuses(call: Call) -> Response:
    """The health of a service's instances; its key is the last part of the path."""
    return statuses_of(call, call.request.path.rpartition("/")[2])


def updated(act: Callable[[Call], list[str]]) -> Callable[[Call], dict[str, list[str]]]:
    """Which instances' metadata was changed."""
    return lambda call: {"updated": act(call)}


def patch(call: Call) -> Response:
    """Answers bare text, unlike its neighbours; weight and enabled have to come."""
    instances.find_bound(call)
    return text(instances.patch(call))


def service(call: Call) -> dict[str, Any]:
    """One service in full; v2 says `namespace`."""
    found = services.detail(services.known(call))
    return {"namespace": found.pop("namespaceId"), **found}


def service_names(call: Call) -> dict[str, Any]:
    """Plain names of one group."""
    count, found = services.names_page(call)
    return {"count": count, "services": found}


def catalog_instances(call: Call) -> dict[str, Any]:
    """Every instance, disabled ones too."""
    # a group beside the name and a cluster are not read: `CatalogControllerV2`
    key = service_key(call.request)._replace(group=names.split_grouped(call.request.get("serviceName"))[0])
    found = list(call.domain.registry.known(key, f"service {key.grouped} is not found!", 404).instances)
    shown = services.page(found, call.request.number("pageNo", 1), call.request.number("pageSize", 10))
    return {"instances": [one.wire(key) for one in shown], "count": len(found)}


# -- clients -----------------------------------------------------------------------------------------------------------


def _service(key: ServiceKey) -> dict[str, str]:
    return {"namespace": key.namespace, "group": key.group, "serviceName": key.name}


def _place(one: Instance) -> dict[str, Any]:
    return {"ip": one.ip, "port": one.port, "cluster": one.cluster}


def _who(one: Subscriber) -> dict[str, str]:
    return {"app": one.app, "agent": one.agent, "addr": f"{one.ip}:{one.port}"}


def published(call: Call) -> list[dict[str, Any]]:
    """What a client publishes."""
    return [{**_service(key), "registeredInstance": _place(one)} for key, one in clients.published(call)]


def subscribed(call: Call) -> list[dict[str, Any]]:
    """What a client subscribes to."""
    return [{**_service(key), "subscriberInfo": _who(one)} for key, one in clients.subscribed(call)]


def publishers(call: Call) -> list[dict[str, Any]]:
    """Who publishes in a service."""
    return [{**_place(one), "clientId": client} for client, one in clients.publishers(call)]


def subscribers(call: Call) -> list[dict[str, Any]]:
    """Who subscribes to a service."""
    return [{"clientId": one.client_id, "ip": one.ip, "port": one.port} for one in clients.subscribers(call)]


INSTANCE, SERVICE, CLIENT = "/v2/ns/instance", "/v2/ns/service", "/v2/ns/client"
_OPERATOR = tuple(
    route
    for alias in ("operator", "ops")
    for route in (
        open_route("GET", f"/v2/ns/{alias}/metrics", site_info.metrics),
        open_route("GET", f"/v2/ns/{alias}/switches", site_info.switches),
    )
)
ROUTES = (
    data_route("POST", INSTANCE, instances.register, naming_resource),
    data_route("PUT", INSTANCE, instances.update, naming_resource),
    data_route("DELETE", INSTANCE, instances.deregister, naming_resource),
    data_route("GET", INSTANCE, get_instance, naming_resource),
    Route("PATCH", INSTANCE, patch, Family.RESULT, "w", naming_resource),
    Route("GET", f"{INSTANCE}/list", list_instances, Family.RESULT, "r", naming_resource),
    Route("PUT", f"{INSTANCE}/beat", beat, Family.RESULT, "w", naming_resource),
    Route("GET", f"{INSTANCE}/statuses/{{key}}", statuses, Family.RESULT, "r", naming_resource),
    data_route("PUT", f"{INSTANCE}/metadata/batch", updated(instances.update_metadata), naming_resource),
    data_route("DELETE", f"{INSTANCE}/metadata/batch", updated(instances.delete_metadata), naming_resource),
    data_route("POST", SERVICE, services.create, naming_resource),
    data_route("PUT", SERVICE, services.update, naming_resource),
    data_route("DELETE", SERVICE, services.delete, naming_resource),
    data_route("GET", SERVICE, service, naming_resource),
    data_route("GET", f"{SERVICE}/list", service_names, naming_resource),
    data_route("GET", "/v2/ns/catalog/instances", catalog_instances, naming_resource),
    data_route("PUT", "/v2/ns/health", instances.set_health, naming_resource),
    data_route("PUT", "/v2/ns/health/instance", instances.set_health, naming_resource),
    data_route("GET", f"{CLIENT}/list", clients.ids, console_resource),
    data_route("GET", CLIENT, clients.summary, console_resource),
    data_route("GET", f"{CLIENT}/publish/list", published, console_resource),
    data_route("GET", f"{CLIENT}/subscribe/list", subscribed, console_resource),
    data_route("GET", f"{CLIENT}/service/publisher/list", publishers, console_resource),
    data_route("GET", f"{CLIENT}/service/subscriber/list", subscribers, console_resource),
    *_OPERATOR,
)
