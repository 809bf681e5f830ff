"""What the Admin and Control APIs show of plugins: their names by priority, and their schemas."""

from __future__ import annotations

from typing import Any

from harness.emulators.apisix.resources.call import Outcome
from harness.emulators.apisix.resources.plugins import Catalogue
from harness.emulators.apisix.uri_args import Arg


class PluginPages:
    """The pages on one catalogue."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue

    def names(self, subsystem: Arg) -> list[str] | None:
        """The names for /plugins/list, None for a sub-system that isn't; stream plugins are not emulated."""
        if subsystem == "stream":
            return []
        return self._catalogue.by_priority() if subsystem == "http" else None

    def schema(self, name: str, args: dict[str, Arg]) -> Outcome:
        """/plugins/<name>: the schema for the role in ?schema_type, or all plugins with ?all=true."""
        subsystem = args.get("subsystem", "http")
        if subsystem not in ("http", "stream"):
            return Outcome(400, {"error_msg": f"unsupported subsystem: {subsystem}"})
        if args.get("all") == "true":
            return Outcome(200, self.everything() if subsystem == "http" else {})
        if subsystem == "stream" or name not in self._catalogue.enabled:
            return Outcome(404, {"error_msg": f"plugin not found in subsystem {subsystem}"})
        schema = self._catalogue.schema(name, "consumer" if args.get("schema_type") == "consumer" else "")
        return Outcome(200, schema) if schema else Outcome(400, {"error_msg": "not found schema"})

    def everything(self) -> dict[str, dict[str, Any]]:
        """Name → version, priority, schemas, type of each plugin."""
        return {name: self._attributes(name) for name in self._catalogue.enabled}

    def _attributes(self, name: str) -> dict[str, Any]:
        plugin = self._catalogue.enabled[name]
        found: dict[str, Any] = {"version": plugin.version, "priority": plugin.priority}
        for member, role in (("schema", ""), ("consumer_schema", "consumer"), ("metadata_schema", "metadata")):
            schema = self._catalogue.schema(name, role)
            if schema is not None:
                found[member] = schema
        return {**found, "type": plugin.type} if plugin.type else found
