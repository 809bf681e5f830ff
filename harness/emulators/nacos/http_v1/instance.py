"""`/v1/ns/instance`: register, deregister, update, beat, list."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from harness.emulators.nacos import names
from harness.emulators.nacos.errors import invalid
from harness.emulators.nacos.http import instances
from harness.emulators.nacos.http.forms import cluster_of, service_key
from harness.emulators.nacos.http.message import Request, Response, as_json, raw_json, text
from harness.emulators.nacos.http.routes import Call, Family, Route, naming_resource
from harness.emulators.nacos.naming.model import BEAT_INTERVAL, Instance, ServiceKey, text_map

BEAT_OK, BEAT_UNKNOWN = 10200, 20404


def plain(act: Callable[[Call], str]) -> Callable[[Call], Response]:
    """A handler that answers an operation's bare text."""
    return lambda call: text(act(call))


def list_instances(call: Call) -> Response:
    """The service as clients see it; an unknown one is empty."""
    request = call.request
    clusters = request.get("clusters")
    if clusters:
        names.check_clusters(clusters)
    key = service_key(request)
    if request.get("udpPort") and names.to_int(request.get("udpPort")):
        call.site.udp.polled(key, clusters, request)
    view = call.domain.registry.view(key, clusters, request.flag("healthyOnly", False))
    return raw_json(view.to_json(call.domain.registry.next_ref(), grouped=True))


def beat(call: Call) -> Response:
    """A heart-beat: full ones register what is unknown, light ones ask the client to register again."""
    return beat_of(call, service_key(call.request))


def beat_of(call: Call, key: ServiceKey) -> Response:
    """A heart-beat of an instance of this service."""
    request = call.request
    full = _read_beat(request)
    ip, port = (full.ip, full.port) if full else (request.get("ip"), names.check_port(request.get("port", "0")))
    known = call.domain.beats.beat(key, ip, port, full)
    return as_json(
        {
            "clientBeatInterval": _interval(call, full or _at(call, key, ip, port)),
            "code": BEAT_OK if known else BEAT_UNKNOWN,
            "lightBeatEnabled": call.domain.switches.values["lightBeatEnabled"],
        }
    )


def _interval(call: Call, instance: Instance | None) -> int:
    default: int = call.domain.switches.values["clientBeatInterval"]
    return instance.millis(BEAT_INTERVAL, default) if instance else default


def _at(call: Call, key: ServiceKey, ip: str, port: int) -> Instance | None:
    service = call.domain.registry.services.get(key)
    found = service.instances if service else ()
    return next((one for one in found if (one.ip, one.port) == (ip, port)), None)


def _read_beat(request: Request) -> Instance | None:
    """The instance inside `beat`, None for a light beat."""
    body = request.get("beat")
    if not body:
        return None
    try:
        info: Any = json.loads(body)
        return Instance(
            ip=str(info.get("ip") or ""),
            port=names.check_port(str(info.get("port") or 0)),
            weight=float(info.get("weight") or 1.0),
            cluster=str(info.get("cluster") or cluster_of(request)),
            metadata=text_map(info.get("metadata") or {}),
        )
    except (ValueError, TypeError, KeyError, AttributeError):
        raise invalid(f"beat format incorrect: {body}", code=21004) from None


def get(call: Call) -> Response:
    """One instance; 404 if there is none."""
    key, one = service_key(call.request), instances.find(call)
    return as_json(
        {
            "service": key.grouped,
            "ip": one.ip,
            "port": one.port,
            "clusterName": one.cluster,
            "weight": one.weight,
            "healthy": one.healthy,
            "instanceId": one.named(key),
            "metadata": dict(one.metadata),
        }
    )


def statuses(call: Call) -> Response:
    """The health of a service's instances by the service's key."""
    return statuses_of(call, call.request.present("key"))


def statuses_of(call: Call, key: str) -> Response:
    """`ip:port_healthy` of each instance; `key` is `namespace##group@@service`."""
    namespace, separator, grouped = key.partition("##")
    if not separator:
        namespace, grouped = "", namespace
    names.check_grouped(grouped)
    group, name = names.split_grouped(grouped)
    service = call.domain.registry.services.get(ServiceKey(names.namespace_or_public(namespace), group, name))
    found = service.instances if service else ()
    return as_json({"ips": [f"{one.ip}:{one.port}_{'true' if one.healthy else 'false'}" for one in found]})


def updated(act: Callable[[Call], list[str]]) -> Callable[[Call], Response]:
    """A handler that tells which instances' metadata was changed."""
    return lambda call: as_json({"updated": act(call)})


INSTANCE = "/v1/ns/instance"


def _route(method: str, path: str, run: Callable[[Call], Response], action: str) -> Route:
    return Route(method, INSTANCE + path, run, Family.NAMING, action, naming_resource)


ROUTES = (
    _route("POST", "", plain(instances.register), "w"),
    _route("DELETE", "", plain(instances.deregister), "w"),
    _route("PUT", "", plain(instances.update), "w"),
    _route("PATCH", "", plain(instances.patch), "w"),
    _route("GET", "", get, "r"),
    _route("GET", "/list", list_instances, "r"),
    _route("PUT", "/beat", beat, "w"),
    _route("PUT", "/metadata/batch", updated(instances.update_metadata), "w"),
    _route("DELETE", "/metadata/batch", updated(instances.delete_metadata), "w"),
    _route("GET", "/statuses", statuses, "r"),
)
