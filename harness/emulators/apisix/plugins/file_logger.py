"""file-logger: one line of JSON a request in a file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from harness.emulators.apisix import lua_json
from harness.emulators.apisix.context import Context
from harness.emulators.apisix.match.expression import check
from harness.emulators.apisix.plugins.base import Conf, Schema, Scope
from harness.emulators.apisix.plugins.log_entry import Entry, conditions
from harness.emulators.apisix.plugins.logger import LOG_PROPERTIES, Logger


class FileLogger(Logger):
    """The file is opened for each line, so that one which was moved away is made anew, as a reopen does."""

    name = "file-logger"
    priority = 399
    schema: ClassVar[Schema] = {
        "type": "object",
        "properties": {
            "path": {"type": "string"},
            **LOG_PROPERTIES,
            "match": {"type": "array", "maxItems": 20, "items": {"type": "array"}},
        },
    }
    metadata_schema: ClassVar[Schema] = {
        "type": "object",
        "properties": {
            "path": {"type": "string"},
            "log_format": {"type": "object"},
            "log_format_extra": {"type": "object"},
        },
    }

    def __init__(self, conf: Conf, scope: Scope) -> None:
        super().__init__(conf, scope)
        self._match = [conditions(rule) for rule in conf["match"]] if "match" in conf else None

    @classmethod
    def check(cls, conf: dict[str, Any]) -> str | None:
        """The expressions of `match`."""
        if "match" in conf and (problem := check(conf["match"])):
            return f"failed to validate the 'match' expression: {problem}"
        return None

    @classmethod
    def check_beside(cls, conf: dict[str, Any], metadata: Mapping[str, Any]) -> str | None:
        """A path, here or there."""
        if "path" in conf or "path" in metadata:
            return None
        return 'property "path" is not set in either the plugin conf or the metadata'

    def log(self, ctx: Context) -> None:
        """An entry, if any of `match` holds."""
        if self._match is None or any(rule is None or rule(ctx) for rule in self._match):
            self.write(ctx, self.entry(ctx))

    def write(self, ctx: Context, entry: Entry) -> None:
        """Append the line."""
        named = self.conf.get("path") or (self.scope.metadata(self.name) or {}).get("path")
        if not named:
            self.scope.log("error", 'property "path" is not set in either the plugin conf or the metadata')
            return
        path = Path(named)
        try:
            with path.open("ab") as file:
                file.write(lua_json.encode(entry) + b"\n")
        except OSError as error:
            self.scope.log("error", f"failed to open file: {path}, error info: {error}")
