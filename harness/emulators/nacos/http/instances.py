"""Operations on instances that the HTTP versions share; each version only words the answer."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from harness.emulators.nacos import names
from harness.emulators.nacos.errors import MissingParameter, NacosError, invalid
from harness.emulators.nacos.http.forms import address_of, cluster_of, read_instance, service_key
from harness.emulators.nacos.http.routes import Call
from harness.emulators.nacos.naming.beats import http_client_id
from harness.emulators.nacos.naming.model import Instance, Overlay, check_weight, checked, read_metadata
from harness.emulators.nacos.naming.service import Service


def register(call: Call) -> str:
    """Register one instance: heart-beat bound, or persistent with `ephemeral=false`."""
    call.domain.beats.register(service_key(call.request), read_instance(call.request))
    return "ok"


def register_unnamed(call: Call) -> str:
    """The same without an instance id (v2's `InstanceUtil` makes none)."""
    call.domain.beats.register(service_key(call.request), replace(read_instance(call.request), instance_id=None))
    return "ok"


def deregister(call: Call) -> str:
    """Deregister; `ok` also when nothing matched."""
    ip, port = address_of(call.request)
    ephemeral = call.request.flag("ephemeral", True)
    call.domain.beats.deregister(service_key(call.request), ip, port, ephemeral)
    return "ok"


def update(call: Call) -> str:
    """Lay weight, enabled and metadata over what the publisher says; raises NacosError (400)."""
    instance = checked(read_instance(call.request))
    overlay = Overlay(instance.weight, instance.enabled, dict(instance.metadata))
    try:
        call.domain.registry.overlay(service_key(call.request), instance.place, overlay)
    except NacosError as error:
        raise NacosError(error.status, error.detail, 21004) from None
    return "ok"


def patch(call: Call) -> str:
    """Change only what was given; raises NacosError (404) for an unknown instance."""
    request = call.request
    key, instance = service_key(request), find(call)
    held = call.domain.registry.services[key].overlays.get(instance.place, Overlay())
    weight = request.get("weight")
    overlay = Overlay(
        check_weight(names.to_float(weight)) if weight else held.weight,
        request.flag("enabled", True) if request.get("enabled") else held.enabled,
        {**held.metadata, **read_metadata(request.get("metadata"))},
    )
    checked(overlay.over(instance))
    call.domain.registry.overlay(key, instance.place, overlay)
    return "ok"


def find(call: Call) -> Instance:
    """The instance at `ip`, `port` and cluster; raises NacosError (404)."""
    key, cluster = service_key(call.request), call.request.get("clusterName", names.DEFAULT_CLUSTER)
    ip, port = address_of(call.request)
    service = call.domain.registry.services.get(key)
    if not service or not service.instances:
        raise NacosError(404, f"no ips found for cluster {cluster} in service {key.grouped}", 20004)
    for one in service.instances:
        if one.place == (ip, port, cluster):
            return one
    raise NacosError(404, "no matched ip found!", 20004)


def find_bound(call: Call) -> None:
    """Refuse a change that lacks what the web framework binds for v2; raises Unbound."""
    for name, kind in (("serviceName", "String"), ("ip", "String"), ("port", "Integer")):
        call.request.present(name, kind)
    call.request.present("enabled", "Boolean")
    call.request.present("weight", "Double")


def light_beat(call: Call) -> bool:
    """A heart-beat of v3: False means the instance is unknown."""
    ip, port = address_of(call.request)
    return call.domain.beats.beat(service_key(call.request), ip, port, None)


# -- metadata of many --------------------------------------------------------------------------------------------------


def update_metadata(call: Call) -> list[str]:
    """Add metadata to the named instances, all of the service if none is named; answers who was changed."""
    added = read_metadata(call.request.need("metadata"))
    return _each_overlay(call, lambda held: {**held, **added})


def delete_metadata(call: Call) -> list[str]:
    """Take metadata that operators added away from the named instances; answers who was changed."""
    gone = read_metadata(call.request.need("metadata"))
    return _each_overlay(call, lambda held: {key: value for key, value in held.items() if key not in gone})


def _each_overlay(call: Call, change: Any) -> list[str]:
    key = service_key(call.request)
    service = call.domain.registry.services.get(key)
    if service is None:
        return []
    changed = []
    for instance in _targets(call, service):
        held = service.overlays.get(instance.place, Overlay())
        metadata: Mapping[str, str] = change(held.metadata)
        call.domain.registry.overlay(key, instance.place, replace(held, metadata=metadata))
        kind = "ephemeral" if instance.ephemeral else "persistent"
        changed.append(f"{instance.ip}:{instance.port}:unknown:{instance.cluster}:{kind}")
    return changed


def _targets(call: Call, service: Service) -> list[Instance]:
    consistency = call.request.get("consistencyType")
    if consistency and consistency not in {"ephemeral", "persist"}:
        raise invalid(f"consistencyType {consistency!r} is neither ephemeral nor persist")
    named = _named_places(call.request.get("instances"))
    wanted = consistency == "ephemeral"
    return [one for one in service.instances if not named or (one.place in named and one.ephemeral == wanted)]


def _named_places(text: str) -> set[tuple[str, int, str]]:
    try:
        items = json.loads(text) if text else []
        return {(str(item["ip"]), int(item["port"]), item.get("clusterName") or "DEFAULT") for item in items}
    except (ValueError, TypeError, KeyError, AttributeError):
        raise invalid(f"instances format incorrect: {text}", code=21004) from None


def set_health(call: Call) -> str:
    """Set a persistent instance's health, where nothing probes it; raises NacosError (400).

    The server registers the instance anew, as an ephemeral one, and so refuses what it just allowed
    (`HealthOperatorV2Impl` of 2.5.1 and 3.0.3).
    """
    request = call.request
    key, cluster = service_key(request), cluster_of(request)
    ip, port = address_of(request)
    value = request.get("healthy") or request.get("valid")
    if not value:
        raise MissingParameter("healthy", "Boolean")
    service = call.domain.registry.services.get(key)
    settings = service.metadata.clusters.get(cluster) if service and service.metadata else None
    if service is None or settings is None or settings.checker.get("type", "").upper() != "NONE":
        raise NacosError(400, f"health check is still working, service: {key.grouped}, cluster: {cluster}")
    client = http_client_id(ip, port, False)
    if client in service.publications:
        why = f"Current service {key.grouped} is persistent service, can't register ephemeral instance."
        raise NacosError(400, f"errCode: 400, errMsg: {why} ")
    return "ok"
