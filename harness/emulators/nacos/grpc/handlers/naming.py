"""Naming over gRPC: what a connection publishes lives and dies with it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from harness.emulators.nacos import names
from harness.emulators.nacos.auth.gate import Resource
from harness.emulators.nacos.errors import NacosError
from harness.emulators.nacos.grpc.body import Body
from harness.emulators.nacos.grpc.calls import Call, Handler, Raw
from harness.emulators.nacos.naming.beats import http_client_id
from harness.emulators.nacos.naming.model import Instance, ServiceKey, check_metadata
from harness.emulators.nacos.naming.registry import Subscriber
from harness.emulators.nacos.naming.service import View

#: What a response has of services that it can't list.
UNCOUNTED = {"count": 0}


def register_or_deregister(call: Call) -> dict[str, Any]:
    """`registerInstance` replaces what this connection publishes in the service; `deregisterInstance` drops it."""
    key, kind = addressed(call.body), call.body.text("type")
    if kind in ("registerInstance", "deregisterInstance") and not call.body.has("instance"):
        raise NacosError(400, "Instance can not be null.")
    if kind == "registerInstance":
        instance = read_instance(call.body.part("instance"), key)
        call.domain.registry.register(key, call.connection.id, (instance,))
    elif kind == "deregisterInstance":
        call.domain.registry.deregister(key, call.connection.id)
    else:
        raise NacosError(400, f"Unsupported request type {kind}")
    return {"type": kind}


def batch_register(call: Call) -> dict[str, Any]:
    """The list replaces what this connection publishes; an empty one drops it."""
    key, kind = addressed(call.body), call.body.text("type")
    if kind != "batchRegisterInstance":
        raise NacosError(400, f"Unsupported request type {kind}")
    instances = [read_instance(part, key) for part in call.body.parts("instances")]
    call.domain.registry.register(key, call.connection.id, instances)
    return {"type": kind}


def persistent(call: Call) -> dict[str, Any]:
    """Persistent instances belong to no connection."""
    key, kind = addressed(call.body), call.body.text("type")
    instance = replace(read_instance(call.body.part("instance"), key), ephemeral=False)
    if kind == "registerInstance":
        call.domain.beats.register(key, instance)
    elif kind == "deregisterInstance":
        call.domain.registry.deregister(key, http_client_id(instance.ip, instance.port, False))
    else:
        raise NacosError(400, f"Unsupported request type {kind}")
    return {"type": kind}


def query(call: Call) -> dict[str, Any]:
    """One look at a service; Python clients spell `healthOnly`."""
    healthy_only = call.body.flag("healthyOnly", False) or call.body.flag("healthOnly", False)
    view = call.domain.registry.view(service_key(call.body), call.body.text("cluster"), healthy_only)
    return {"serviceInfo": service_info(call, view)}


def list_services(call: Call) -> dict[str, Any]:
    """Names of the services in a group, by page."""
    namespace = names.namespace_or_public(call.body.text("namespace"))
    group = call.body.text("groupName")
    found = [one.key.name for one in call.domain.registry.in_namespace(namespace) if one.key.group == group]
    size = max(int(call.body.number("pageSize", 10)), 0)
    start = max((int(call.body.number("pageNo", 1)) - 1) * size, 0)
    return {"count": len(found), "serviceNames": found[start : start + size]}


def subscribe(call: Call) -> dict[str, Any]:
    """Start or stop being told of a service's changes; the answer shows the service in both cases."""
    key, clusters = addressed(call.body), call.body.text("clusters")
    if call.body.flag("subscribe", True):
        connection = call.connection
        subscriber = Subscriber(
            connection.id,
            clusters,
            connection.ip,
            0,  # the server knows no port of a client that is told over its connection
            connection.version,
            call.headers.get("app", connection.app),
        )
        call.domain.registry.subscribe(key, subscriber)
    else:
        call.domain.registry.unsubscribe(key, call.connection.id)
    return {"message": "success", "serviceInfo": service_info(call, call.domain.registry.view(key, clusters))}


def service_info(call: Call, view: View) -> Raw:
    """The service as JSON text; gRPC speaks the plain name."""
    return Raw(view.to_json(call.domain.registry.next_ref(), grouped=False))


def service_key(body: Body) -> ServiceKey:
    """The service a request is about; some clients send the grouped name."""
    group, name = names.split_grouped(body.text("serviceName"), body.text("groupName"))
    return ServiceKey(names.namespace_or_public(body.text("namespace")), group, name)


def addressed(body: Body) -> ServiceKey:
    """The service of a request that needs its names; raises NacosError (500) as `NamingUtils.getGroupedName` throws."""
    for field, value in (("serviceName", body.text("serviceName")), ("groupName", service_group(body))):
        if not value.strip():
            raise NacosError(500, f"Param '{field}' is illegal, {field} is blank", 500)
    return service_key(body)


def service_group(body: Body) -> str:
    """The group as it was sent: beside the service's name, or in it."""
    return body.text("groupName") or body.text("serviceName").rpartition(names.SPLITTER)[0]


def read_instance(part: Body, key: ServiceKey) -> Instance:
    """The instance of a request; its id is filled in before the blank cluster is, as the server does."""
    cluster = part.text("clusterName")
    ip, port = part.text("ip"), part.whole("port", 0)
    return Instance(
        ip=ip,
        port=port,
        weight=part.number("weight", 1.0),
        healthy=part.flag("healthy", True),
        enabled=part.flag("enabled", True),
        cluster=cluster or names.DEFAULT_CLUSTER,
        metadata=part.text_map("metadata"),
        instance_id=part.text("instanceId") or f"{ip}#{port}#{cluster}#{part.text('serviceName') or key.grouped}",
    )


def check_service(body: Body) -> None:
    """The parameter checker on a naming request."""
    names.check("namespaceId", body.text("namespace"))
    names.check("groupName", body.text("groupName"))
    names.check("serviceName", body.text("serviceName").rpartition(names.SPLITTER)[2])
    for field in ("cluster", "clusters"):
        names.check_clusters(body.text(field))


def check_instance(body: Body) -> None:
    """The parameter checker on a request that carries an instance."""
    check_service(body)
    _check_one(body.part("instance"))


def check_batch(body: Body) -> None:
    """The parameter checker on a request that carries many."""
    check_service(body)
    for part in body.parts("instances"):
        _check_one(part)


def _check_one(part: Body) -> None:
    names.check("ip", part.text("ip"))
    names.check("clusterName", part.text("clusterName"))
    names.check_port(str(part.whole("port", 0)))
    check_metadata(part.text_map("metadata"))


def resource(body: Body) -> Resource:
    """What a naming request touches."""
    return Resource(body.text("namespace"), body.text("groupName"), "naming", body.text("serviceName"))


HANDLERS = (
    Handler("InstanceRequest", "InstanceResponse", register_or_deregister, "w", resource, check_instance),
    Handler("BatchInstanceRequest", "BatchInstanceResponse", batch_register, "w", resource, check_batch),
    Handler("PersistentInstanceRequest", "InstanceResponse", persistent, "w", resource, check_instance),
    Handler("ServiceQueryRequest", "QueryServiceResponse", query, "r", resource, check_service),
    Handler("ServiceListRequest", "ServiceListResponse", list_services, "r", resource, check_service, UNCOUNTED),
    Handler("SubscribeServiceRequest", "SubscribeServiceResponse", subscribe, "r", resource, check_service),
)
