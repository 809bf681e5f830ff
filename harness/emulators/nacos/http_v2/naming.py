"""`/v2/ns`: instances, services, clients and operators' calls in the envelope."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from harness.emulators.nacos import names
from harness.emulators.nacos.errors import invalid
from harness.emulators.nacos.http import clients, instances, services, site_info
from harness.emulators.nacos.http.forms import checked_key, service_key
from harness.emulators.nacos.http.message import Response, raw_json, text
from harness.emulators.nacos.http.routes import Call, Family, Route, console_resource, naming_resource
from harness.emulators.nacos.http.wrap import binding, data_route, open_route
from harness.emulators.nacos.http_v1.instance import beat_of, statuses_of
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
    key = service_key(request)
    if not key.name:
        raise invalid("Param 'serviceName' is illegal, serviceName is blank")
    view = call.domain.registry.view(key, clusters, request.flag("healthyOnly", False))
    info = view.to_json(call.domain.registry.next_ref(), grouped=True)
    return raw_json(f'{{"code":0,"message":"success","data":{info}}}')


def heart_beat(call: Call) -> Response:
    """A heart-beat; the name has to have its group inside."""
    request = call.request
    names.check_grouped(request.get("serviceName"))
    return beat_of(call, checked_key(request, *names.split_grouped(request.get("serviceName"))))


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
    if call.domain.version.is_2:
        for cluster in found["clusterMap"].values():
            del cluster["healthyCheckPort"], cluster["useInstancePortForCheck"]
    return {"namespace": found.pop("namespaceId"), **found}


def service_names(call: Call) -> dict[str, Any]:
    """Plain names of one group."""
    count, found = services.names_page(call)
    return {"count": count, "services": found}


def catalog_instances(call: Call) -> dict[str, Any]:
    """Every instance, disabled ones too."""
    # a group beside the name and a cluster are not read: `CatalogControllerV2`
    key = checked_key(call.request, *names.split_grouped(call.request.need("serviceName")))
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
    found = clients.publishers(call) if call.request.get("ip") else []  # an address that isn't told fits nobody
    return [{**_place(one), "clientId": client} for client, one in found]


def subscribers(call: Call) -> list[dict[str, Any]]:
    """Who subscribes to a service."""
    return [{"clientId": one.client_id, "ip": one.ip, "port": one.port} for one in clients.subscribers(call)]


INSTANCE, SERVICE, CLIENT = "/v2/ns/instance", "/v2/ns/service", "/v2/ns/client"
_OPERATOR = tuple(
    route
    for alias in ("operator", "ops")
    for route in (
        open_route("GET", f"/v2/ns/{alias}/metrics", site_info.metrics_v2),
        open_route("GET", f"/v2/ns/{alias}/switches", site_info.switches),
        data_route("PUT", f"/v2/ns/{alias}/switches", site_info.turn_switch, console_resource),
    )
)
ROUTES = (
    data_route("POST", INSTANCE, instances.register_unnamed, naming_resource),
    data_route("PUT", INSTANCE, instances.update, naming_resource),
    data_route("DELETE", INSTANCE, instances.deregister, naming_resource),
    data_route("GET", INSTANCE, binding(get_instance, "serviceName", "ip", "port:Integer"), naming_resource),
    Route("PATCH", INSTANCE, patch, Family.RESULT, "w", naming_resource),
    Route("GET", f"{INSTANCE}/list", binding(list_instances, "serviceName"), Family.RESULT, "r", naming_resource),
    Route("PUT", f"{INSTANCE}/beat", binding(heart_beat, "serviceName"), Family.RESULT, "w", naming_resource),
    Route("GET", f"{INSTANCE}/statuses/{{key}}", statuses, Family.RESULT, "r", naming_resource),
    data_route("PUT", f"{INSTANCE}/metadata/batch", updated(instances.update_metadata), naming_resource),
    data_route("DELETE", f"{INSTANCE}/metadata/batch", updated(instances.delete_metadata), naming_resource),
    data_route("POST", SERVICE, services.create_by_form, naming_resource),
    data_route("PUT", SERVICE, services.update, naming_resource),
    data_route("DELETE", SERVICE, binding(services.delete, "serviceName"), naming_resource),
    data_route("GET", SERVICE, binding(service, "serviceName"), naming_resource),
    data_route("GET", f"{SERVICE}/list", service_names, naming_resource),
    data_route("GET", "/v2/ns/catalog/instances", catalog_instances, naming_resource),
    data_route("PUT", "/v2/ns/health", instances.set_health, naming_resource),
    data_route("PUT", "/v2/ns/health/instance", instances.set_health, naming_resource),
    data_route("GET", f"{CLIENT}/list", clients.ids, console_resource),
    data_route("GET", CLIENT, binding(clients.summary, "clientId"), console_resource),
    data_route("GET", f"{CLIENT}/publish/list", binding(published, "clientId"), console_resource),
    data_route("GET", f"{CLIENT}/subscribe/list", binding(subscribed, "clientId"), console_resource),
    data_route("GET", f"{CLIENT}/service/publisher/list", binding(publishers, "serviceName"), console_resource),
    data_route("GET", f"{CLIENT}/service/subscriber/list", binding(subscribers, "serviceName"), console_resource),
    *_OPERATOR,
)
