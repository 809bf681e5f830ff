"""ua-restriction: who may come in, by User-Agent."""

from __future__ import annotations

from typing import Any, ClassVar

from harness.emulators.apisix import pcre
from harness.emulators.apisix.context import Context, Exit
from harness.emulators.apisix.plugins.base import Conf, Plugin, Schema, Scope


class UaRestriction(Plugin):
    """A list of patterns that an agent must match, or must not."""

    name = "ua-restriction"
    priority = 2999
    schema: ClassVar[Schema] = {
        "type": "object",
        "properties": {
            "bypass_missing": {"type": "boolean", "default": False},
            "allowlist": {"type": "array", "minItems": 1, "items": {"type": "string", "minLength": 1}},
            "denylist": {"type": "array", "minItems": 1, "items": {"type": "string", "minLength": 1}},
            "message": {"type": "string", "minLength": 1, "maxLength": 1024, "default": "Not allowed"},
        },
        "oneOf": [{"required": ["allowlist"]}, {"required": ["denylist"]}],
    }

    @classmethod
    def check(cls, conf: dict[str, Any]) -> str | None:
        """Patterns must compile."""
        return pcre.problem([*conf.get("allowlist", ()), *conf.get("denylist", ())])

    def __init__(self, conf: Conf, scope: Scope) -> None:
        super().__init__(conf, scope)
        self._allows = "allowlist" in conf
        self._patterns = [pcre.compile(rule) for rule in conf.get("allowlist") or conf["denylist"]]
        self._refusal = Exit(403, {"message": conf["message"]})

    def access(self, ctx: Context) -> Exit | None:
        """Refuse an agent that isn't allowed, or is denied; a missing one as configured."""
        agents = ctx.headers.get_all("user-agent")
        if not agents:
            return None if self.conf["bypass_missing"] else self._refusal
        return None if self._passes(agents) else self._refusal

    def _passes(self, agents: list[str]) -> bool:
        passing = [self._matches(agent) is self._allows for agent in agents]
        if len(agents) > 1 and not self._allows:
            # ua-restriction.lua's denylist over several headers is inverted: one that passes refuses the request
            return not any(passing)
        return any(passing)

    def _matches(self, agent: str) -> bool:
        text = agent.strip(" \t\r\n\v\f")
        return any(pattern.search(text) for pattern in self._patterns)
