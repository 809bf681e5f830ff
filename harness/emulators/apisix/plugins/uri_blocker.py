"""uri-blocker: refuses requests whose path and query match a pattern."""

from __future__ import annotations

from typing import Any, ClassVar

from harness.emulators.apisix import pcre
from harness.emulators.apisix.context import Context, Exit
from harness.emulators.apisix.plugins.base import Conf, Plugin, Schema, Scope


class UriBlocker(Plugin):
    """The patterns are one alternation, over the decoded path and the raw query."""

    name = "uri-blocker"
    priority = 2900
    schema: ClassVar[Schema] = {
        "type": "object",
        "properties": {
            "block_rules": {
                "type": "array",
                "items": {"type": "string", "minLength": 1, "maxLength": 4096},
                "uniqueItems": True,
            },
            "rejected_code": {"type": "integer", "minimum": 200, "default": 403},
            "rejected_msg": {"type": "string", "minLength": 1},
            "case_insensitive": {"type": "boolean", "default": False},
        },
        "required": ["block_rules"],
    }

    @classmethod
    def check(cls, conf: dict[str, Any]) -> str | None:
        """Patterns must compile."""
        return pcre.problem(conf["block_rules"])

    def __init__(self, conf: Conf, scope: Scope) -> None:
        super().__init__(conf, scope)
        flags = "(?i)" if conf["case_insensitive"] else ""
        self._search = pcre.compile(flags + "|".join(conf["block_rules"])).search
        message = conf.get("rejected_msg")
        self._refusal = Exit(conf["rejected_code"], {"error_msg": message} if message else None)

    def rewrite(self, ctx: Context) -> Exit | None:
        """Refuse when a pattern is found."""
        uri = f"{ctx.uri}?{ctx.query}" if ctx.query else ctx.uri
        return self._refusal if self._search(uri) else None
