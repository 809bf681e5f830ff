"""Operations on namespaces that the HTTP versions share."""

from __future__ import annotations

from typing import Any

from harness.emulators.nacos import names
from harness.emulators.nacos.errors import NacosError, invalid
from harness.emulators.nacos.http.routes import Call
from harness.emulators.nacos.namespaces import Namespace, Taken, check_id, check_name

QUOTA = 200


def listing(call: Call) -> list[dict[str, Any]]:
    """Every namespace with its count of configurations."""
    return [shape(call, one) for one in call.domain.namespaces.all.values()]


def shape(call: Call, one: Namespace) -> dict[str, Any]:
    """One namespace; the public one goes by `public` in 3.x, by nothing in 2.x."""
    tenant = names.tenant_of(one.id)
    custom = 2 if call.domain.version.is_2 else 1  # `NamespaceTypeEnum`
    return {
        "namespace": tenant or call.domain.version.public_tenant,
        "namespaceShowName": one.name,
        "namespaceDesc": one.description,
        "quota": QUOTA,
        "configCount": sum(key.tenant == tenant for key in call.domain.config.state.entries),
        "type": custom if tenant else 0,
    }


def check_form(call: Call, id_name: str) -> None:
    """What the parameter checker says of a namespace's form; raises IllegalParameter."""
    names.check("namespaceId", call.request.get(id_name))
    names.check("namespaceShowName", call.request.get("namespaceName"))


def create(call: Call, id_name: str) -> bool:
    """A new namespace, with a random id when none is given; raises NacosError (400)."""
    request = call.request
    wanted, name = request.get(id_name).strip(), request.get("namespaceName")
    if wanted:
        check_id(wanted)
    check_name(name)
    return add(call, wanted, name)


def create_by_form(call: Call) -> bool:
    """The same by a form that has to name both; raises NacosError (400)."""
    required(call, "namespaceId", "namespaceName")
    return create(call, "namespaceId")


def add(call: Call, wanted: str, name: str) -> bool:
    """A new namespace of a checked id and name; raises NacosError (400), 2.x in its own words."""
    try:
        call.domain.namespaces.create(wanted, name, call.request.get("namespaceDesc"))
    except Taken as error:
        if call.domain.version.is_2:
            raise invalid(f"the namespaceId is existed, namespaceId: {error.id}", code=22000) from error
        raise
    return True


def update(call: Call) -> bool:
    """Rename; raises NacosError (400, 22000)."""
    required(call, "namespaceId", "namespaceName")
    name = call.request.get("namespaceName")
    check_name(name)
    call.domain.namespaces.update(call.request.get("namespaceId"), name, call.request.get("namespaceDesc"))
    return True


def get(call: Call) -> dict[str, Any]:
    """One namespace, by the id that was asked for in 3.x; raises NacosError (404)."""
    asked = call.request.present("namespaceId")
    told = shape(call, call.domain.namespaces.get(asked))
    return told if call.domain.version.is_2 else {**told, "namespace": asked}


def required(call: Call, *wanted: str) -> None:
    """Refuse a form without these in the words of the namespaces' form."""
    for name in wanted:
        if call.request.optional(name) is None:
            raise NacosError(400, f"required parameter '{name}' is missing", 10000)


def delete(call: Call) -> bool:
    """Delete one, known or not."""
    call.domain.namespaces.delete(call.request.present("namespaceId"))
    return True


def exists(call: Call, id_name: str) -> bool:
    """Whether there is such a namespace."""
    return call.request.present(id_name) in call.domain.namespaces.all
