"""Consumers, and the credentials below them."""

from __future__ import annotations

from typing import Any

from harness.emulators.apisix.resources.kind import Desk, Kind, Occasion, Refused, check_references
from harness.emulators.apisix.schema.common import DESC, ID, IDENTITY, LABELS, METADATA, PLUGINS, obj, text
from harness.emulators.apisix.schema.wording import text as shown

CONSUMER = obj(
    {
        **IDENTITY,
        "username": text(minLength=1, maxLength=256, pattern=r"^[a-zA-Z0-9_\-]+$"),
        "desc": DESC,
        "labels": LABELS,
        "group_id": ID,
        "plugins": PLUGINS,
    },
    required=["username"],
    additionalProperties=False,
)
_LONG_ID = text(minLength=15, maxLength=128, pattern="^[a-zA-Z0-9-_]+/credentials/[a-zA-Z0-9-_.]+$")
CREDENTIAL = obj(
    {**METADATA, "id": {"oneOf": [ID, _LONG_ID]}, "plugins": {"type": "object", "maxProperties": 1}},
    additionalProperties=False,
)


def _check_plugins(conf: dict[str, Any], desk: Desk) -> None:
    reason = desk.plugins.check(conf.get("plugins"), "consumer")
    if reason is not None:
        raise Refused(f"invalid plugins configuration: {reason}")


class _WithAuthentication(Kind):
    unsupported = ("post", "patch")
    plugin_role = "consumer"

    def encrypt(self, conf: dict[str, Any], desk: Desk) -> None:
        desk.plugins.encrypt(conf.get("plugins"), desk.keyring, "consumer")


class Consumers(_WithAuthentication):
    """Who calls."""

    directory = "consumers"
    label = "consumer"
    schema_name = "consumer"
    schema = CONSUMER
    has_id = False

    async def check(self, id_: Any, conf: Any, desk: Desk, occasion: Occasion) -> None:
        self.check_schema(conf)
        if id_ is not None and id_ != conf["username"]:
            raise Refused("wrong username")
        _check_plugins(conf, desk)
        reason = desk.auth_keys.problem(conf.get("plugins"), conf["username"])
        if reason is not None:
            raise Refused(reason)
        if occasion.references:
            await check_references(conf, ("group_id",), desk)

    def key_of(self, id_: Any, conf: Any) -> str:
        return str(conf["username"])


class Credentials(_WithAuthentication):
    """One more way for a consumer to prove who it is; kept under consumers/<name>/credentials/<id>."""

    directory = "credentials"
    label = "credential"
    schema_name = "credential"
    schema = CREDENTIAL

    async def check(self, id_: Any, conf: Any, desk: Desk, occasion: Occasion) -> None:
        self.check_schema(conf)
        _check_plugins(conf, desk)
        for name in conf.get("plugins") or {}:
            if desk.plugins.enabled[name].type != "auth":
                raise Refused("only supports auth type plugins in consumer credential")
        if occasion.parent:
            reason = desk.auth_keys.problem(conf.get("plugins"), occasion.parent, shown(id_))
            if reason is not None:
                raise Refused(reason)
