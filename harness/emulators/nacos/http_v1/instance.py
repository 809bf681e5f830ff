"""`/v1/ns/instance`: register, deregister, beat, list."""

from __future__ import annotations

import json
from typing import Any

from harness.emulators.nacos import names
from harness.emulators.nacos.errors import invalid
from harness.emulators.nacos.http.forms import address_of, cluster_of, read_instance, service_key
from harness.emulators.nacos.http.message import Request, Response, as_json, raw_json, text
from harness.emulators.nacos.http.routes import Call, Family, Route, naming_resource
from harness.emulators.nacos.naming.model import Instance, text_map

BEAT_OK, BEAT_UNKNOWN = 10200, 20404


def register(call: Call) -> Response:
    """Register one instance: heart-beat bound, or persistent with `ephemeral=false`."""
    call.domain.beats.register(service_key(call.request), read_instance(call.request))
    return text("ok")


def deregister(call: Call) -> Response:
    """Deregister; `ok` also when nothing matched."""
    ip, port = address_of(call.request)
    ephemeral = call.request.flag("ephemeral", True)
    call.domain.beats.deregister(service_key(call.request), ip, port, ephemeral)
    return text("ok")


def list_instances(call: Call) -> Response:
    """The service as clients see it; an unknown one is empty."""
    request = call.request
    clusters = request.get("clusters")
    if clusters:
        names.check_clusters(clusters)
    view = call.domain.registry.view(service_key(request), clusters, request.flag("healthyOnly", False))
    return raw_json(view.to_json(call.domain.registry.next_ref(), grouped=True))


def beat(call: Call) -> Response:
    """A heart-beat: full ones register what is unknown, light ones ask the client to register again."""
    request = call.request
    key = service_key(request)
    full = _read_beat(request)
    ip, port = (full.ip, full.port) if full else address_of(request)
    known = call.domain.beats.beat(key, ip, port, full)
    return as_json(
        {
            "clientBeatInterval": full.beat_interval if full else _interval(call, ip, port),
            "code": BEAT_OK if known else BEAT_UNKNOWN,
            "lightBeatEnabled": True,
        }
    )


def _interval(call: Call, ip: str, port: int) -> int:
    service = call.domain.registry.services.get(service_key(call.request))
    found = service.instances if service else ()
    return next((one.beat_interval for one in found if (one.ip, one.port) == (ip, port)), 5000)


def _read_beat(request: Request) -> Instance | None:
    """The instance inside `beat`, None for a light beat."""
    body = request.get("beat")
    if not body:
        return None
    try:
        info: Any = json.loads(body)
        return Instance(
            ip=str(info["ip"]),
            port=names.check_port(str(info["port"])),
            weight=float(info.get("weight") or 1.0),
            cluster=str(info.get("cluster") or cluster_of(request)),
            metadata=text_map(info.get("metadata") or {}),
        )
    except (ValueError, TypeError, KeyError, AttributeError):
        raise invalid(f"beat format incorrect: {body}", code=21004) from None


ROUTES = (
    Route("POST", "/v1/ns/instance", register, Family.NAMING, "w", naming_resource),
    Route("DELETE", "/v1/ns/instance", deregister, Family.NAMING, "w", naming_resource),
    Route("PUT", "/v1/ns/instance/beat", beat, Family.NAMING, "w", naming_resource),
    Route("GET", "/v1/ns/instance/list", list_instances, Family.NAMING, "r", naming_resource),
)
