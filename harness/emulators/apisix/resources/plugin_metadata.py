"""Metadata of plugins: what all uses of one plugin have in common."""

from __future__ import annotations

from typing import Any

from harness.emulators.apisix.resources.kind import ANY, Desk, Kind, Occasion, Refused


class PluginMetadata(Kind):
    """Kept under the plugin's name, without times."""

    directory = "plugin_metadata"
    label = "plugin_metadata"
    schema_name = "plugin_metadata"
    schema = ANY
    unsupported = ("post", "patch")
    has_id = False
    plugin_role = "metadata"

    async def check(self, id_: Any, conf: Any, desk: Desk, occasion: Occasion) -> None:
        if id_ is None:
            raise Refused("missing plugin name")
        if id_ not in desk.plugins.known:
            raise Refused("invalid plugin name")
        reason = desk.plugins.check_metadata(id_, conf)
        if reason is not None:
            raise Refused(f"invalid configuration: {reason}")

    def encrypt(self, conf: dict[str, Any], desk: Desk) -> None:
        desk.plugins.encrypt({conf.get("id"): conf}, desk.keyring, "metadata")
