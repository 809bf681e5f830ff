"""Reading the parameters that naming and configuration calls of every HTTP version share."""

from __future__ import annotations

from collections.abc import Callable

from harness.emulators.nacos import names
from harness.emulators.nacos.config.model import ConfigKey, Draft, check_key
from harness.emulators.nacos.errors import NacosError
from harness.emulators.nacos.http.message import Request
from harness.emulators.nacos.naming.model import Instance, ServiceKey, check_metadata, check_weight, read_metadata


def service_key(request: Request) -> ServiceKey:
    """`serviceName` (grouped or plain), `groupName`, `namespaceId`; raises NacosError (400)."""
    group, name = _splitter(request.path)(request.need("serviceName"), request.get("groupName"))
    return checked_key(request, group, name)


def _splitter(path: str) -> Callable[[str, str | None], tuple[str, str]]:
    if "/v2/ns/" in path:
        return names.split_composed
    return names.split_nothing if "/v3/" in path else names.split_grouped


def checked_key(request: Request, group: str, name: str) -> ServiceKey:
    """The service in the namespace asked for; raises IllegalParameter."""
    namespace = names.namespace_or_public(request.get("namespaceId"))
    names.check("namespaceId", namespace)
    names.check("groupName", group)
    names.check("serviceName", name.rpartition(names.SPLITTER)[2])
    return ServiceKey(namespace, group, name)


def cluster_of(request: Request) -> str:
    """`clusterName`, which v1 also spells `cluster`; DEFAULT if blank."""
    other = request.get("cluster") if _is_old(request) else ""
    cluster = request.get("clusterName") or other or names.DEFAULT_CLUSTER
    names.check("clusterName", cluster)
    return cluster


def _is_old(request: Request) -> bool:
    return "/v1/" in request.path


def address_of(request: Request) -> tuple[str, int]:
    """`ip` and `port`, both required."""
    ip = request.need("ip")
    names.check("ip", ip)
    return ip, names.check_port(request.need("port", "Integer"))


def read_instance(request: Request) -> Instance:
    """The instance that the parameters describe, with the server's defaults."""
    ip, port = address_of(request)
    weight, metadata = request.get("weight"), read_metadata(request.get("metadata"))
    check_metadata(metadata)
    return Instance(
        ip=ip,
        port=port,
        weight=check_weight(names.to_float(weight)) if weight else 1.0,
        healthy=request.flag("healthy", True),
        enabled=request.flag("enabled", request.flag("enable", True) if _is_old(request) else True),
        ephemeral=request.flag("ephemeral", True),
        cluster=cluster_of(request),
        metadata=metadata,
    )


def bound_key(request: Request) -> ServiceKey:
    """The same where the web framework binds `serviceName`; raises Unbound, or NacosError (400) for a blank one."""
    if not request.present("serviceName").strip():
        raise NacosError(400, "Param 'serviceName' is illegal, serviceName is blank")
    return service_key(request)


def config_key(request: Request, *, group: str = "group", tenant: str = "tenant", blank: bool = True) -> ConfigKey:
    """`dataId`, the group and the tenant, by the names this API version uses; v1 refuses blanks later on."""
    read = request.present if blank else request.need
    data_id, group_name = read("dataId").strip(), read(group).strip()
    key = ConfigKey(names.tenant_of(request.get(tenant)), group_name, data_id)
    names.check("tenant", key.tenant)
    names.check("dataId", key.data_id)
    names.check("group", key.group)
    if blank:
        check_key(key)
    return key


def read_draft(request: Request, user: str, *, tags: str = "config_tags", src_user: str = "src_user") -> Draft:
    """What a publisher hands in."""
    return Draft(
        content=request.params.get("content", ""),
        type=request.optional("type"),
        app_name=request.get("appName"),
        desc=request.optional("desc"),
        use=request.optional("use"),
        effect=request.optional("effect"),
        schema=request.optional("schema"),
        tags=request.optional(tags),
        encrypted_data_key=request.get("encryptedDataKey"),
        user=request.get(src_user) or user,
        ip=client_ip(request),
    )


def client_ip(request: Request) -> str:
    """The client's address: `X-Forwarded-For` and `X-Real-IP` count, as on the server (`RequestUtil`)."""
    forwarded = request.header("x-forwarded-for").split(",")[0].strip()
    return forwarded or request.header("x-real-ip") or request.peer
