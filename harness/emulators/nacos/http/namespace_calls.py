"""Operations on namespaces that the HTTP versions share."""

from __future__ import annotations

from typing import Any

from harness.emulators.nacos import names
from harness.emulators.nacos.errors import NacosError
from harness.emulators.nacos.http.routes import Call
from harness.emulators.nacos.namespaces import Namespace

QUOTA = 200


def listing(call: Call) -> list[dict[str, Any]]:
    """Every namespace with its count of configurations."""
    return [shape(call, one) for one in call.domain.namespaces.all.values()]


def shape(call: Call, one: Namespace) -> dict[str, Any]:
    """One namespace; the public one goes by `public` in 3.x, by nothing in 2.x."""
    tenant = names.tenant_of(one.id)
    return {
        "namespace": tenant or call.domain.version.public_tenant,
        "namespaceShowName": one.name,
        "namespaceDesc": one.description,
        "quota": QUOTA,
        "configCount": sum(key.tenant == tenant for key in call.domain.config.state.entries),
        "type": one.kind,
    }


def create(call: Call, id_name: str) -> bool:
    """A new namespace, with a random id when none is given; raises NacosError (400)."""
    request = call.request
    required(call, "namespaceName")
    names.check("namespaceId", request.get(id_name))
    names.check("namespaceShowName", request.get("namespaceName"))
    call.domain.namespaces.create(request.get(id_name), request.get("namespaceName"), request.get("namespaceDesc"))
    return True


def required(call: Call, name: str) -> None:
    """Refuse a form without this in the words of the namespaces' form."""
    if not call.request.get(name):
        raise NacosError(400, f"required parameter '{name}' is missing", 10000)


def delete(call: Call) -> bool:
    """Delete one, known or not."""
    call.domain.namespaces.delete(call.request.present("namespaceId"))
    return True


def exists(call: Call, id_name: str) -> bool:
    """Whether there is such a namespace."""
    return call.request.present(id_name) in call.domain.namespaces.all
