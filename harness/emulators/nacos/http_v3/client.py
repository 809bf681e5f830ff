"""`/v3/client`: the open API for clients without an SDK."""

from __future__ import annotations

from typing import Any

from harness.emulators.nacos.errors import IllegalParameter, NacosError
from harness.emulators.nacos.http import configs, instances
from harness.emulators.nacos.http.configs import V3
from harness.emulators.nacos.http.forms import client_ip, cluster_of, service_key
from harness.emulators.nacos.http.message import Response, as_json, result, text
from harness.emulators.nacos.http.routes import Call, Family, Route, naming_resource
from harness.emulators.nacos.http.wrap import data_route

config_resource = configs.resource_of(configs.V3)


def register(call: Call) -> Response:
    """Register, or with `heartBeat=true` only beat: an unknown instance is told so inside the envelope."""
    if not call.request.flag("heartBeat", False):
        return result(instances.register_unnamed(call))
    if instances.light_beat(call):
        return result("ok")
    return as_json({"code": 21003, "message": "instance not found", "data": None})


def list_instances(call: Call) -> list[dict[str, Any]]:
    """The enabled instances of one cluster."""
    key = service_key(call.request)
    healthy_only = call.request.flag("healthyOnly", False)
    return [one.wire(key) for one in call.domain.registry.view(key, cluster_of(call.request), healthy_only).hosts]


def get_config(call: Call) -> Response:
    """One configuration as a gRPC query would answer it; a missing one is told inside the envelope.

    It knows no tags, and words what it refuses as v1 does (`ConfigOpenApiController` is no `@NacosApi`).
    """
    try:
        key = configs.key_of(call, V3)
    except IllegalParameter:
        raise
    except NacosError as error:
        return text(f"caused: {error.detail};", error.status)
    found = call.domain.config.get(key, ip=client_ip(call.request))
    if found is None:
        return as_json({"code": 20004, "message": "resource not found", "data": None})
    entry = found.entry
    return result(
        {
            "resultCode": 200,
            "errorCode": 0,
            "message": None,
            "requestId": None,
            "content": entry.content,
            "encryptedDataKey": None if found.beta else entry.encrypted_data_key,
            "contentType": entry.type or "text",
            "md5": entry.md5,
            "lastModified": entry.modified,
            "tag": None,
            "beta": found.beta,
            "success": True,
        }
    )


INSTANCE = "/v3/client/ns/instance"
ROUTES = (
    Route("POST", INSTANCE, register, Family.RESULT, "w", naming_resource),
    data_route("DELETE", INSTANCE, instances.deregister, naming_resource),
    data_route("GET", f"{INSTANCE}/list", list_instances, naming_resource),
    Route("GET", "/v3/client/cs/config", get_config, Family.RESULT, "r", config_resource),
)
