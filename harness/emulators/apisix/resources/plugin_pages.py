"""What the Admin and Control APIs show of plugins: their names by priority, and their schemas."""

from __future__ import annotations

from typing import Any

from harness.emulators.apisix.resources.call import Outcome
from harness.emulators.apisix.resources.plugins import Catalogue
from harness.emulators.apisix.uri_args import Arg


class PluginPages:
    """The pages on the catalogues of the two sub-systems."""

    def __init__(self, http: Catalogue, stream: Catalogue) -> None:
        self._catalogues = {"http": http, "stream": stream}

    def names(self, subsystem: Arg) -> list[str] | None:
        """The names for /plugins/list, None for a sub-system that isn't."""
        catalogue = self._of(subsystem)
        return catalogue.by_priority() if catalogue else None

    def _of(self, subsystem: Arg) -> Catalogue | None:
        return self._catalogues.get(subsystem) if isinstance(subsystem, str) else None

    def schema(self, name: str, args: dict[str, Arg]) -> Outcome:
        """/plugins/<name>: the schema for the role in ?schema_type, or all plugins with ?all=true."""
        subsystem = args.get("subsystem", "http")
        catalogue = self._of(subsystem)
        if catalogue is None:
            return Outcome(400, {"error_msg": f"unsupported subsystem: {subsystem}"})
        if args.get("all") == "true":
            return Outcome(200, self.everything(str(subsystem)))
        if name not in catalogue.enabled:
            return Outcome(404, {"error_msg": f"plugin not found in subsystem {subsystem}"})
        schema = catalogue.schema(name, "consumer" if args.get("schema_type") == "consumer" else "")
        return Outcome(200, schema) if schema else Outcome(400, {"error_msg": "not found schema"})

    def everything(self, subsystem: str) -> dict[str, dict[str, Any]]:
        """Name → version, priority, schemas, type, scope of each plugin."""
        catalogue = self._catalogues[subsystem]
        return {name: _attributes(catalogue, name) for name in catalogue.enabled}


def _attributes(catalogue: Catalogue, name: str) -> dict[str, Any]:
    plugin = catalogue.enabled[name]
    found: dict[str, Any] = {"version": plugin.version, "priority": plugin.priority}
    for member, role in (("schema", ""), ("consumer_schema", "consumer"), ("metadata_schema", "metadata")):
        schema = catalogue.schema(name, role)
        if schema is not None:
            found[member] = schema
    for member, value in (("type", plugin.type), ("scope", plugin.reach)):
        if value:
            found[member] = value
    return found
