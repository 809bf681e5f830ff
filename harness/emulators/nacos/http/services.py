"""Operations on services that the HTTP versions share; each version only words the answer."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, TypeVar
from urllib.parse import unquote

from harness.emulators.nacos import names
from harness.emulators.nacos.errors import NacosError, invalid, not_found
from harness.emulators.nacos.http.forms import bound_key, service_key
from harness.emulators.nacos.http.message import Request
from harness.emulators.nacos.http.routes import Call
from harness.emulators.nacos.naming.model import ClusterSettings, Instance, ServiceKey, ServiceMetadata, read_metadata
from harness.emulators.nacos.naming.registry import Subscriber
from harness.emulators.nacos.naming.service import Service

T = TypeVar("T")

NO_SELECTOR = {"type": "none", "contextType": "NONE"}


def create(call: Call) -> str:
    """Create a service; the default is a persistent one, as on the server. Raises NacosError (400)."""
    request = call.request
    key = bound_key(request)
    call.domain.registry.create_service(key, replace(_read(request), ephemeral=request.flag("ephemeral", False)))
    return "ok"


def create_by_form(call: Call) -> str:
    """The same where a form is checked: a blank name counts as none. Raises NacosError (400)."""
    call.request.need("serviceName")
    return create(call)


def create_persistent(call: Call) -> str:
    """The same, where nothing but a persistent one can be asked for."""
    key = bound_key(call.request)
    call.domain.registry.create_service(key, replace(_read(call.request), ephemeral=False))
    return "ok"


def update(call: Call) -> str:
    """Replace threshold, metadata and selector; raises NacosError (400) for an unknown service."""
    key = service_key(call.request)
    service = call.domain.registry.services.get(key)
    held = service.metadata.clusters if service and service.metadata else {}
    call.domain.registry.update_service(key, replace(_read(call.request), clusters=held))
    return "ok"


def delete(call: Call) -> str:
    """Delete an empty service; raises NacosError (400)."""
    call.domain.registry.delete_service(service_key(call.request))
    return "ok"


def _read(request: Request) -> ServiceMetadata:
    return ServiceMetadata(
        protect_threshold=request.decimal("protectThreshold", 0.0),
        metadata=read_metadata(request.get("metadata")),
        selector=_read_selector(request.get("selector")),
    )


def _read_selector(text: str) -> Mapping[str, Any]:
    """Only `none` is emulated: a `label` selector would need the server's CMDB."""
    if not text:
        return NO_SELECTOR
    try:
        kind = json.loads(unquote(text)).get("type", "none")
    except (ValueError, AttributeError):
        kind = text
    if kind != "none":
        raise invalid("not match any type of selector!", code=21006)
    return NO_SELECTOR


# -- reading -----------------------------------------------------------------------------------------------------------


def known(call: Call, *, status: int = 400) -> Service:
    """The service; raises NacosError."""
    key = service_key(call.request)
    text = f"service not found, namespace: {key.namespace}, serviceName: {key.grouped}"
    return call.domain.registry.known(key, text, status)


def names_page(call: Call) -> tuple[int, list[str]]:
    """(total, plain names of the page) of one group."""
    request = call.request
    group = request.get("groupName", names.DEFAULT_GROUP)
    found = [one.key.name for one in in_namespace(call) if one.key.group == group]
    return len(found), page(found, request.number("pageNo", 1), request.number("pageSize", 20))


def in_namespace(call: Call) -> list[Service]:
    """The services of the namespace asked for."""
    return call.domain.registry.in_namespace(names.namespace_or_public(call.request.get("namespaceId")))


def matching(call: Call) -> list[Service]:
    """The services the catalog's filters leave; names match as parts or regular expressions."""
    request = call.request
    service, group = _filter(request.get("serviceNameParam")), _filter(request.get("groupNameParam"))
    hide_empty = request.flag("ignoreEmptyService" if "/v3/" in request.path else "hasIpCount", False)
    return [
        one
        for one in in_namespace(call)
        if service(one.key.name) and group(one.key.group) and not (hide_empty and not one.instances)
    ]


def _filter(pattern: str) -> Any:
    if not pattern:
        return lambda name: True
    if pattern.startswith("*"):  # the server puts the pattern between `.*` and gives it to Java's parser
        raise invalid(f"Dangling meta character '*' near index 6\n.*@@.*{pattern}.*\n      ^")
    try:
        return re.compile(pattern.replace("*", ".*") if ".*" not in pattern else pattern).search
    except re.error:
        raise invalid(f"bad name pattern: {pattern}") from None


def summary(service: Service) -> dict[str, Any]:
    """One line of the catalog."""
    return {
        "name": service.key.name,
        "groupName": service.key.group,
        "clusterCount": len({one.cluster for one in service.instances}),
        "ipCount": len(service.instances),
        "healthyInstanceCount": sum(one.healthy for one in service.instances),
        "triggerFlag": "true" if triggered(service) else "false",
    }


def triggered(service: Service) -> bool:
    """Whether the protect threshold is reached: none set counts as 0, which a service without health reaches."""
    total = len(service.instances)
    return bool(total) and sum(one.healthy for one in service.instances) / total <= (service.threshold or 0)


def clusters(service: Service) -> dict[str, ClusterSettings]:
    """The clusters: those with settings and those with instances."""
    held = dict(service.metadata.clusters) if service.metadata else {}
    for one in service.instances:
        held.setdefault(one.cluster, ClusterSettings())
    return held


def checked_clusters(service: Service) -> Mapping[str, ClusterSettings]:
    """The clusters that are known of: those with settings, and those in which health checks look after instances."""
    if service.ephemeral:
        return service.metadata.clusters if service.metadata else {}
    return clusters(service)


def detail(service: Service) -> dict[str, Any]:
    """What v2 and v3 tell of a service."""
    metadata = service.metadata or ServiceMetadata()
    return {
        "namespaceId": service.key.namespace,
        "serviceName": service.key.name,
        "groupName": service.key.group,
        "clusterMap": {name: cluster_detail(name, one) for name, one in checked_clusters(service).items()},
        "metadata": dict(metadata.metadata),
        "protectThreshold": metadata.protect_threshold,
        "selector": dict(metadata.selector),
        "ephemeral": service.ephemeral,
    }


def cluster_detail(name: str, settings: ClusterSettings) -> dict[str, Any]:
    """One cluster of v2 and v3."""
    return {
        "clusterName": name,
        "healthChecker": dict(settings.checker),
        "healthyCheckPort": settings.check_port,
        "useInstancePortForCheck": settings.use_instance_port,
        "metadata": dict(settings.metadata),
        "hosts": None,
    }


_NO_SETTINGS = {
    "clusterName": None,
    "healthChecker": None,
    "healthyCheckPort": 80,
    "useInstancePortForCheck": True,
    "metadata": None,
}


def with_hosts(service: Service) -> dict[str, Any]:
    """A service with its instances by cluster; what the server leaves out of such a list is null."""
    by_cluster: dict[str, dict[str, Any]] = {}
    for one in service.instances:
        held = by_cluster.setdefault(one.cluster, {**_NO_SETTINGS, "hosts": []})
        held["hosts"].append(one.wire(service.key))
    return {
        "namespaceId": None,
        "serviceName": service.key.name,
        "groupName": service.key.group,
        "clusterMap": by_cluster,
        "metadata": dict(service.metadata.metadata) if service.metadata else {},
        "protectThreshold": 0.0,
        "selector": None,
        "ephemeral": None,
    }


def catalog_instances(call: Call, default: str = "") -> tuple[ServiceKey, list[Instance]]:
    """Every instance of one cluster of a service, disabled ones too; raises NacosError (404)."""
    key = service_key(call.request)
    service = call.domain.registry.services.get(key)
    if service is None:
        raise not_found(f"service {key.grouped} is not found!", code=30000)
    cluster = call.request.get("clusterName") or default
    if cluster and cluster not in clusters(service):
        raise not_found(f"cluster {cluster} is not found!", code=30000)
    return key, [one for one in service.instances if not cluster or one.cluster == cluster]


def update_cluster(call: Call) -> str:
    """Set a cluster's health check; raises NacosError (400)."""
    request = call.request
    port = names.check_port(request.need("checkPort", "Integer"))
    checker = _read_checker(request.need("healthChecker"))
    service = call.domain.registry.services.get(service_key(request))
    if service is None:
        raise _no_cluster_of(call)
    settings = ClusterSettings(
        checker,
        port,
        request.flag("useInstancePort4Check", request.flag("useInstancePortForCheck", True)),
        read_metadata(request.get("metadata")),
    )
    metadata = service.metadata or ServiceMetadata(ephemeral=service.ephemeral)
    name = request.get("clusterName", names.DEFAULT_CLUSTER)
    held = {**metadata.clusters, name: settings}
    call.domain.registry.update_service(service.key, replace(metadata, clusters=held))
    return "ok"


def _no_cluster_of(call: Call) -> NacosError:
    key = service_key(call.request)
    if call.domain.version.is_2:
        return invalid(f"service not found:{key.grouped}", code=30000)
    return invalid(f"service not found groupName: {key.group},serviceName: {key.name}", code=30000)


def _read_checker(text: str) -> Mapping[str, Any]:
    try:
        checker = json.loads(text)
        kind = str(checker["type"]).upper()
    except (ValueError, KeyError, TypeError):
        raise invalid(f"health checker format incorrect: {text}") from None
    # `HealthCheckerFactory` takes a type that it doesn't know for none
    return {**checker, "type": kind} if kind in {"TCP", "HTTP", "MYSQL"} else {"type": "NONE"}


# -- subscribers -------------------------------------------------------------------------------------------------------


def subscribers(call: Call) -> list[tuple[ServiceKey, Subscriber]]:
    """Who subscribes to the service."""
    key = service_key(call.request)
    return [(key, one) for one in call.domain.registry.subscribers.get(key, {}).values()]


def subscriber_v1(key: ServiceKey, one: Subscriber) -> dict[str, Any]:
    """One subscriber in v1's words."""
    return {
        "addrStr": f"{one.ip}:{one.port}" if one.port else one.ip,  # over gRPC there is no port to tell
        "agent": one.agent,
        "app": one.app,
        "ip": one.ip,
        "port": one.port,
        "namespaceId": key.namespace,
        "serviceName": key.grouped,
        "cluster": one.clusters,
    }


def subscriber_v3(key: ServiceKey, one: Subscriber) -> dict[str, Any]:
    """One subscriber in v3's words."""
    return {
        "namespaceId": key.namespace,
        "groupName": key.group,
        "serviceName": key.name,
        "ip": one.ip,
        "port": one.port,
        "address": f"{one.ip}:{one.port}",
        "agent": one.agent,
        "appName": one.app,
    }


# -- paging ------------------------------------------------------------------------------------------------------------


def page(items: Iterable[T], number: int, size: int) -> list[T]:
    """The items of one page; a page beyond the end is empty."""
    start = max((number - 1) * size, 0)
    return list(items)[start : start + max(size, 0)]


def page_object(items: list[Any], request: Request, *, size: int = 100) -> dict[str, Any]:
    """The server's Page; raises NacosError (400) for a page number or size below 1."""
    number, wanted = request.number("pageNo", 1), request.number("pageSize", size)
    for name, value in (("pageNo", number), ("pageSize", wanted)):
        if value < 1:
            told = f"Required parameter '{name}' should be positive integer, current is {value}"
            raise NacosError(400, told, 20002)
    return {
        "totalCount": len(items),
        "pageNumber": number,
        "pagesAvailable": -(-len(items) // wanted),
        "pageItems": page(items, number, wanted),
    }
