"""The kinds that are a set of plugins: global rules, plugin configs, consumer groups."""

from __future__ import annotations

from typing import Any

from harness.emulators.apisix.resources.kind import Desk, Kind, Occasion, Refused, check_plugins, users
from harness.emulators.apisix.schema.common import IDENTITY, METADATA, PLUGINS, obj
from harness.emulators.apisix.schema.wording import text as shown

GLOBAL_RULE = obj({**IDENTITY, "plugins": PLUGINS}, required=["id", "plugins"], additionalProperties=False)
PLUGIN_CONFIG = obj(
    {**METADATA, "name": {"type": "string"}, "plugins": PLUGINS},
    required=["id", "plugins"],
    additionalProperties=False,
)
CONSUMER_GROUP = obj({**METADATA, "plugins": PLUGINS}, required=["id", "plugins"], additionalProperties=False)


class _PluginSet(Kind):
    unsupported = ("post",)

    async def check(self, id_: Any, conf: Any, desk: Desk, occasion: Occasion) -> None:
        self.check_schema(conf)
        check_plugins(conf, desk)

    def encrypt(self, conf: dict[str, Any], desk: Desk) -> None:
        desk.plugins.encrypt(conf.get("plugins"), desk.keyring)


class GlobalRules(_PluginSet):
    """Plugins for every request; no two rules may have the same one."""

    directory = "global_rules"
    label = "global rule"
    schema_name = "global_rule"
    schema = GLOBAL_RULE

    async def check(self, id_: Any, conf: Any, desk: Desk, occasion: Occasion) -> None:
        await super().check(id_, conf, desk, occasion)
        for rule in desk.table.get("global_rules").values():
            if rule.id == shown(id_):
                continue
            for name in conf["plugins"]:
                if name in (rule.value.get("plugins") or {}):
                    raise Refused(f"plugin '{name}' already exists in global rule with id '{rule.id}'")


class PluginConfigs(_PluginSet):
    """Plugins that routes share."""

    directory = "plugin_configs"
    label = "plugin config"
    schema_name = "plugin_config"
    schema = PLUGIN_CONFIG

    async def check_delete(self, id_: str, desk: Desk) -> None:
        if found := users(desk, "routes", "plugin_config_id", id_):
            raise Refused(f"can not delete this plugin config, route [{found[0]}] is still using it now")


class ConsumerGroups(_PluginSet):
    """Plugins that consumers share."""

    directory = "consumer_groups"
    label = "consumer group"
    schema_name = "consumer_group"
    schema = CONSUMER_GROUP

    async def check_delete(self, id_: str, desk: Desk) -> None:
        if found := users(desk, "consumers", "group_id", id_):
            raise Refused(f"can not delete this consumer group, consumer [{found[0]}] is still using it now")
