"""Configuration over gRPC."""

from __future__ import annotations

from typing import Any

from harness.emulators.nacos import names
from harness.emulators.nacos.auth.gate import Resource
from harness.emulators.nacos.config.model import ConfigKey, Draft
from harness.emulators.nacos.config.store import CasFailed
from harness.emulators.nacos.errors import NacosError
from harness.emulators.nacos.grpc.body import Body
from harness.emulators.nacos.grpc.calls import Call, Failed, Handler

NOT_FOUND = 300
#: What a response has of a configuration that it can't show.
UNREAD = {"beta": False, "lastModified": 0}
UNLISTENED: dict[str, Any] = {"changedConfigs": []}


def query(call: Call) -> dict[str, Any]:
    """One configuration. `tag` stays out of the answer: Python clients take it for a boolean."""
    auto_tag = call.headers.get("Vipserver-Tag", "")
    key = config_key(call.body)
    found = call.domain.config.get(key, ip=call.connection.ip, tag=call.body.text("tag"), auto_tag=auto_tag)
    if found is None:
        raise Failed(NOT_FOUND, "config data not exist", UNREAD)
    entry = found.entry
    return {
        "content": entry.content,
        "encryptedDataKey": entry.encrypted_data_key,
        "contentType": entry.type,
        "md5": entry.md5,
        "lastModified": entry.modified,
        "beta": found.beta,
    }


def publish(call: Call) -> dict[str, Any]:
    """Store a configuration or a variant of it."""
    more = call.body.part("additionMap")
    draft = Draft(
        content=call.body.text("content"),
        type=more.optional("type"),
        app_name=more.text("appName"),
        desc=more.optional("desc"),
        use=more.optional("use"),
        effect=more.optional("effect"),
        schema=more.optional("schema"),
        tags=more.optional("config_tags"),
        encrypted_data_key=more.text("encryptedDataKey"),
        user=more.text("src_user") or call.user,
        ip=call.connection.ip,
    )
    try:
        call.domain.config.publish(
            config_key(call.body),
            draft,
            cas=call.body.text("casMd5"),
            tag=more.text("tag"),
            beta_ips=more.text("betaIps"),
        )
    except CasFailed as error:
        raise Failed(500, error.detail) from None
    except NacosError as error:
        raise Failed(error.status, error.detail) from None
    return {}


def remove(call: Call) -> dict[str, Any]:
    """Removing what is not there succeeds too."""
    try:
        call.domain.config.remove(
            config_key(call.body), tag=call.body.text("tag"), user=call.user, ip=call.connection.ip
        )
    except NacosError as error:
        raise Failed(error.status, error.detail) from None
    return {}


def batch_listen(call: Call) -> dict[str, Any]:
    """Start or stop listening; the answer lists what differs from what the client has, spelled as it spelled it."""
    listen = call.body.flag("listen", True)
    tag = call.headers.get("Vipserver-Tag", "")
    changed = []
    for context in call.body.parts("configListenContexts"):
        key, md5 = config_key(context), context.text("md5")
        if not listen:
            call.domain.listeners.forget(call.connection.id, key)
            continue
        call.domain.listeners.listen(call.connection.id, key, context.text("tenant"), md5)
        if call.domain.config.md5(key, ip=call.connection.ip, tag=tag) != md5:
            changed.append({"dataId": key.data_id, "group": key.group, "tenant": context.text("tenant")})
    return {"changedConfigs": changed}


def config_key(body: Body) -> ConfigKey:
    """The configuration a request is about."""
    group = body.text("group") or names.DEFAULT_GROUP
    return ConfigKey(names.tenant_of(body.text("tenant")), group, body.text("dataId"))


def check_config(body: Body) -> None:
    """The parameter checker on a configuration request."""
    names.check("tenant", body.text("tenant"))
    names.check("dataId", body.text("dataId"))
    names.check("group", body.text("group"))


def check_listened(body: Body) -> None:
    """The parameter checker on a batch of listened keys."""
    for context in body.parts("configListenContexts"):
        check_config(context)


def resource(body: Body) -> Resource:
    """What a configuration request touches."""
    return Resource(names.tenant_of(body.text("tenant")), body.text("group"), "config", body.text("dataId"))


def listened(body: Body) -> Resource:
    """A batch is judged by its first key's tenant alone, as on the server (`ConfigGrpcResourceParser`)."""
    contexts = body.parts("configListenContexts")
    return Resource(names.tenant_of(contexts[0].text("tenant")) if contexts else "", "", "config", "")


HANDLERS = (
    Handler("ConfigQueryRequest", "ConfigQueryResponse", query, "r", resource, check_config, UNREAD),
    Handler("ConfigPublishRequest", "ConfigPublishResponse", publish, "w", resource, check_config),
    Handler("ConfigRemoveRequest", "ConfigRemoveResponse", remove, "w", resource, check_config),
    Handler(
        "ConfigBatchListenRequest",
        "ConfigChangeBatchListenResponse",
        batch_listen,
        "r",
        listened,
        check_listened,
        UNLISTENED,
    ),
)
