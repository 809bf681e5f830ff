"""Configuration over gRPC."""

from __future__ import annotations

from typing import Any

from harness.emulators.nacos import names
from harness.emulators.nacos.auth.gate import Resource
from harness.emulators.nacos.config.model import LONGEST_TAG, ConfigKey, Draft, RefusedField
from harness.emulators.nacos.config.store import CasFailed
from harness.emulators.nacos.errors import NacosError
from harness.emulators.nacos.grpc.body import Body
from harness.emulators.nacos.grpc.calls import Call, Failed, Handler

NOT_FOUND = 300
#: What a response has of a configuration that it can't show.
UNREAD = {"beta": False, "lastModified": 0}
UNLISTENED: dict[str, Any] = {"changedConfigs": []}


def query(call: Call) -> dict[str, Any]:
    """One configuration. `tag` is in the answer only where one was asked for: Python clients take it for a boolean.

    A connection's label chooses a tag as well, a request's header doesn't (`DefaultChainRequestExtractor`).
    """
    key, tag = config_key(call.body), call.body.text("tag")
    auto_tag = call.connection.labels.get("Vipserver-Tag", "")
    found = call.domain.config.get(key, ip=call.connection.ip, tag=tag, auto_tag=auto_tag)
    tagged = {"tag": tag} if tag else {}
    if found is None:
        raise Failed(NOT_FOUND, "config data not exist", {**UNREAD, **tagged})
    entry = found.entry
    plain = {} if found.beta or found.tag else {"encryptedDataKey": entry.encrypted_data_key}
    return {
        "content": entry.content,
        **plain,
        "contentType": entry.type or "text",
        "md5": entry.md5,
        "lastModified": entry.modified,
        **tagged,
        "beta": found.beta,
    }


def publish(call: Call) -> dict[str, Any]:
    """Store a configuration or a variant of it."""
    more = call.body.part("additionMap")
    if not call.body.has("content"):
        raise Failed(400, "content is blank : null")
    if len(more.text("tag").strip()) > LONGEST_TAG:
        raise Failed(500, f"too long tag, over {LONGEST_TAG}")
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
    except (CasFailed, RefusedField) as error:
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
        raise Failed(0, error.detail) from None
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
    return ConfigKey(names.tenant_of(body.text("tenant")), body.text("group"), body.text("dataId"))


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
