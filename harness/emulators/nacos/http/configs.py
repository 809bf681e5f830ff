"""Operations on configurations that the HTTP versions share; each version only words the answer.

v1 calls the parameters `group` and `tenant`, v2 `group` and `namespaceId`, v3 `groupName` and `namespaceId`: a
`Dialect` says which.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from harness.emulators.nacos import names
from harness.emulators.nacos.auth.gate import Resource
from harness.emulators.nacos.config import transfer
from harness.emulators.nacos.config.model import ConfigKey, Draft, Entry, Found, Gray, check_tag
from harness.emulators.nacos.config.search import Query, search
from harness.emulators.nacos.errors import Unconvertible, invalid
from harness.emulators.nacos.http import forms, multipart
from harness.emulators.nacos.http.message import CONFIG_JSON, OCTETS, OCTETS_UTF8, Request, Response
from harness.emulators.nacos.http.routes import Call
from harness.emulators.nacos.version import Version


class Dialect(NamedTuple):
    """What one API version calls its parameters."""

    group: str
    tenant: str
    tags: str
    src_user: str
    types: str


V1 = Dialect("group", "tenant", "config_tags", "src_user", "types")
V2 = Dialect("group", "namespaceId", "configTags", "srcUser", "type")
V3 = Dialect("groupName", "namespaceId", "configTags", "srcUser", "type")


def resource_of(dialect: Dialect) -> Callable[[Request], Resource]:
    """What a configuration call touches, read from the very parameters that the call itself reads."""

    def resource(request: Request) -> Resource:
        tenant = names.tenant_of(request.get(dialect.tenant))
        return Resource(tenant, request.get(dialect.group), "config", request.get("dataId"))

    return resource


def target_of(name: str) -> Callable[[Request], Resource]:
    """What an import or a clone into the namespace of this parameter touches."""
    return lambda request: Resource(names.tenant_of(request.get(name)), "", "config", "")


def key_of(call: Call, dialect: Dialect) -> ConfigKey:
    """The configuration a call is about."""
    return forms.config_key(call.request, group=dialect.group, tenant=dialect.tenant, blank=dialect is V1)


def tenant_of(call: Call, dialect: Dialect) -> str:
    """The tenant a call is about."""
    tenant = names.tenant_of(call.request.get(dialect.tenant))
    names.check("tenant", tenant)
    return tenant


def publish(call: Call, dialect: Dialect) -> bool:
    """Store a configuration or a variant of it; raises CasFailed or NacosError (400)."""
    request = call.request
    key = key_of(call, dialect)
    (request.present if dialect is V1 else request.need)("content")
    draft = forms.read_draft(request, call.user, tags=dialect.tags, src_user=dialect.src_user)
    call.domain.config.publish(
        key, draft, cas=request.header("casmd5"), tag=request.get("tag"), beta_ips=request.header("betaips")
    )
    return True


def remove(call: Call, dialect: Dialect) -> bool:
    """Removing what is not there succeeds as well."""
    request = call.request
    tag = request.get("tag")
    if tag:
        check_tag(tag)
    call.domain.config.remove(key_of(call, dialect), tag=tag, user=call.user, ip=forms.client_ip(request))
    return True


def remove_many(call: Call) -> bool:
    """Remove by ids; unknown ones are passed over."""
    for config_id in ids_of(call.request.present("ids", "List")):
        entry = call.domain.config.by_id(config_id)
        if entry is not None:
            call.domain.config.remove(entry.key, user=call.user, ip=forms.client_ip(call.request))
    return True


def ids_of(text: str) -> list[int]:
    """A comma list of ids; raises Unconvertible."""
    parts = [part.strip() for part in text.split(",") if part.strip()]
    for part in parts:
        if not names.is_int(part):
            raise Unconvertible("ids", "java.util.List", part)
    return [int(part) for part in parts]


def stop_beta(call: Call, dialect: Dialect) -> bool:
    """Drop the beta variant; answers whether there was one."""
    return call.domain.config.stop_beta(key_of(call, dialect), user=call.user, ip=forms.client_ip(call.request))


def beta(call: Call, dialect: Dialect) -> Gray | None:
    """The beta variant."""
    return call.domain.config.state.grays.get(key_of(call, dialect))


def check_searched(request: Request, dialect: Dialect) -> None:
    """The checker lets wild-cards pass only where they are asked for by name; raises IllegalParameter."""
    if request.get("search") != "blur":
        names.check("dataId", request.get("dataId"))
        names.check("group", request.get(dialect.group))


def find_all(call: Call, dialect: Dialect, *, blur: bool) -> list[Entry]:
    """The entries that a search leaves."""
    request = call.request
    check_searched(request, dialect)
    query = Query(
        tenant_of(call, dialect),
        data_id=request.get("dataId"),
        group=request.get(dialect.group),
        app_name=request.get("appName"),
        tags=request.get(dialect.tags),
        types=request.get(dialect.types) if blur else "",
        content=request.get("config_detail") or request.get("configDetail") if blur else "",
        blur=blur,
    )
    return search(call.domain.config.state.entries.values(), query)


def is_blur(request: Request) -> bool:
    """Whether a search is a blurred one: all are that don't ask for an accurate one."""
    return request.get("search", "blur") != "accurate"


# -- listeners ---------------------------------------------------------------------------------------------------------


def listeners_of(call: Call, dialect: Dialect) -> dict[str, str]:
    """ip → md5 the client has, of everyone who listens to the configuration."""
    key = key_of(call, dialect)
    told = call.site.polls.listeners_of(key)
    for connection_id, (_, md5) in call.domain.listeners.of(key).items():
        connection = call.site.connections.by_id.get(connection_id)
        if connection is not None:
            told[connection.ip] = md5
    return told


def listened_by(call: Call, dialect: Dialect) -> dict[str, str]:
    """`dataId+group+tenant` → md5, of everything that clients at `ip` listen to."""
    ip, everything = call.request.present("ip"), call.request.flag("all", False)
    tenant = names.tenant_of(call.request.get(dialect.tenant))
    told: dict[str, str] = {}
    for connection in call.site.connections.registered():
        if connection.ip == ip:
            for key in call.domain.listeners.by_connection.get(connection.id, ()):
                told[_plus(key)] = call.domain.listeners.of(key)[connection.id][1]
    told |= {_plus(key): md5 for key, md5 in call.site.polls.listened_by(ip).items()}
    wanted = tenant or "public"
    return {key: md5 for key, md5 in told.items() if everything or key.endswith(f"+{wanted}")}


def _plus(key: ConfigKey) -> str:
    return f"{key.data_id}+{key.group}+{key.tenant or 'public'}"


# -- moving ------------------------------------------------------------------------------------------------------------


def export(call: Call, dialect: Dialect, *, new_layout: bool) -> Response:
    """A zip of what a search or a list of ids leaves."""
    wanted = ids_of(call.request.get("ids"))
    found: Iterable[Entry] = find_all(call, dialect, blur=True)
    if wanted:
        found = [entry for entry in call.domain.config.state.entries.values() if entry.id in wanted]
    stamp = time_stamp(call.domain.clock.time())
    name = f"nacos_config_export_{stamp}.zip"
    is_2 = call.domain.version.is_2
    content = transfer.pack(found, new_layout=new_layout, with_tags=dialect is V1 and not is_2)
    kind = OCTETS if dialect is not V1 else OCTETS_UTF8 if is_2 else CONFIG_JSON
    return Response(200, content, kind, (("Content-Disposition", f"attachment;filename={name}"),))


def time_stamp(seconds: float) -> str:
    """`yyyyMMddHHmmss` in UTC."""
    return time.strftime("%Y%m%d%H%M%S", time.gmtime(seconds))


def import_zip(call: Call, target: str, wording: transfer.Wording) -> dict[str, Any]:
    """Publish what an uploaded zip holds; raises TransferError."""
    policy = _policy(call.request)
    data = multipart.uploaded(call.request, "file")
    if data is None:
        raise transfer.TransferError(transfer.Refusal.EMPTY, counted=False)
    tenant = _existing(call, target)
    parcel = transfer.unpack(data, call.user, forms.client_ip(call.request), wording)
    result = transfer.save_all(call.domain.config, tenant, parcel.items, policy)
    if parcel.unrecognized:
        result |= {"unrecognizedCount": len(parcel.unrecognized), "unrecognizedData": parcel.unrecognized}
    return result


class CloneMembers(NamedTuple):
    """What one API calls the members of a line of the list of what is to be cloned."""

    id: str
    data_id: str
    group: str


#: v1's and the 3.x console's (`SameNamespaceCloneConfigBean`), and v3's (`ConfigCloneInfo`); others are ignored.
CLONE_V1 = CloneMembers("cfgId", "dataId", "group")
CLONE_V3 = CloneMembers("configId", "targetDataId", "targetGroupName")


def clone(call: Call, target: str, members: CloneMembers) -> dict[str, Any]:
    """Publish copies of the configurations named by the body's list; raises TransferError."""
    policy = _policy(call.request)
    wanted = call.request.json()
    if not isinstance(wanted, list) or not all(isinstance(one, dict) for one in wanted):
        raise invalid(f"a JSON list of {{{', '.join(members)}}} is expected")
    if not wanted:
        raise transfer.TransferError(transfer.Refusal.NOTHING_SELECTED)
    tenant = _existing(call, target)
    items = [item for one in wanted if (item := _cloned(call, one, members)) is not None]
    if not items:
        raise transfer.TransferError(transfer.Refusal.EMPTY)
    return transfer.save_all(call.domain.config, tenant, items, policy)


def _cloned(call: Call, wanted: dict[str, Any], members: CloneMembers) -> transfer.Item | None:
    config_id = str(wanted.get(members.id))
    entry = call.domain.config.by_id(int(config_id)) if names.is_int(config_id) else None
    if entry is None:
        return None
    draft = Draft(
        entry.content,
        type=entry.type,
        app_name=entry.app_name,
        desc=entry.desc,
        encrypted_data_key=entry.encrypted_data_key,
        user=call.request.get("src_user") or call.request.get("srcUser") or call.user,
        ip=forms.client_ip(call.request),
    )
    group = wanted.get(members.group) or entry.key.group
    return transfer.Item(str(group), str(wanted.get(members.data_id) or entry.key.data_id), draft)


def _policy(request: Request) -> str:
    policy = request.get("policy", "ABORT")
    if policy not in transfer.POLICIES:
        raise invalid(f"policy {policy!r} is none of {', '.join(transfer.POLICIES)}")
    return policy


def _existing(call: Call, target: str) -> str:
    if names.namespace_or_public(target) not in call.domain.namespaces.all:
        raise transfer.TransferError(transfer.Refusal.NO_NAMESPACE)
    return names.tenant_of(target)


# -- shapes ------------------------------------------------------------------------------------------------------------


def tenant_told(tenant: str, version: Version) -> str:
    """What calls answer for a tenant."""
    return tenant or version.public_tenant


def basic_v1(entry: Entry, version: Version) -> dict[str, Any]:
    """A line of v1's search; ids are strings there."""
    return {
        "id": str(entry.id),
        "dataId": entry.key.data_id,
        "group": entry.key.group,
        "content": entry.content,
        "md5": entry.md5,
        "encryptedDataKey": entry.encrypted_data_key,
        "tenant": tenant_told(entry.key.tenant, version),
        "appName": entry.app_name,
        "type": entry.type,
    }


def advance(entry: Entry) -> dict[str, Any]:
    """The fields around a configuration."""
    return {
        "createTime": entry.created,
        "modifyTime": entry.modified,
        "createUser": entry.create_user or None,
        "createIp": entry.create_ip,
        "desc": entry.desc,
        "use": entry.use,
        "effect": entry.effect,
        "schema": entry.schema,
        "configTags": entry.tags,
    }


def basic_v3(entry: Entry) -> dict[str, Any]:
    """A line of v3's list."""
    return {
        "id": str(entry.id),
        "namespaceId": entry.key.tenant or "public",
        "groupName": entry.key.group,
        "dataId": entry.key.data_id,
        "md5": entry.md5,
        "type": entry.type,
        "appName": entry.app_name,
        "createTime": entry.created,
        "modifyTime": entry.modified,
    }


def detail_v3(entry: Entry) -> dict[str, Any]:
    """A configuration in full, in v3's words."""
    return {
        **basic_v3(entry),
        "content": entry.content,
        "desc": entry.desc,
        "encryptedDataKey": entry.encrypted_data_key,
        "createUser": entry.create_user or None,
        "createIp": entry.create_ip,
        "configTags": entry.tags,
    }


def gray_v3(gray: Gray) -> dict[str, Any]:
    """A beta variant in v3's words; the rule is JSON text, as on the server."""
    rule = '{"type":"beta","version":"1.0.0","expr":"' + ",".join(gray.ips) + '","priority":2147483647}'
    untold = dict.fromkeys(("createIp", "createUser", "encryptedDataKey", "type"))
    return {**detail_v3(gray.entry), **untold, "grayName": "beta", "grayRule": rule}


FRESH = (("Pragma", "no-cache"), ("Cache-Control", "no-cache,no-store"))
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def headers(found: Found) -> tuple[tuple[str, str], ...]:
    """What is known of a configuration beside its content."""
    entry = found.entry
    variant = ("isBeta", "true") if found.beta else ("Tag", found.tag)
    return (
        ("Content-MD5", entry.md5),
        ("Config-Type", entry.type or "text"),
        ("Last-Modified", http_date(entry.modified)),
        *FRESH,
        variant if variant[1] else ("Encrypted-Data-Key", entry.encrypted_data_key),
    )


def http_date(millis: int) -> str:
    """A time as HTTP headers carry it."""
    when = time.gmtime(millis / 1000)
    day, month = _DAYS[when.tm_wday], _MONTHS[when.tm_mon - 1]
    return f"{day}, {when.tm_mday:02} {month} {when.tm_year} {time.strftime('%H:%M:%S', when)} GMT"
