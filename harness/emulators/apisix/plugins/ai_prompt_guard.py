"""ai-prompt-guard: what may be asked of an AI service, by patterns."""

from __future__ import annotations

import re
from typing import Any, ClassVar

from harness.emulators.apisix import lua_json, pcre
from harness.emulators.apisix.context import Context, Exit
from harness.emulators.apisix.plugins.ai_protocols import MAX_REQ_BODY_SIZE, Message, Protocol, detect
from harness.emulators.apisix.plugins.base import Conf, Plugin, Schema, Scope

_PATTERNS = {"type": "array", "items": {"type": "string"}, "default": []}
#: over characters, not bytes
_OPTIONS = "jou"
_LONGEST_REASON = 256
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class AiPromptGuard(Plugin):
    name = "ai-prompt-guard"
    priority = 1072
    schema: ClassVar[Schema] = {
        "type": "object",
        "properties": {
            "max_req_body_size": MAX_REQ_BODY_SIZE,
            "match_all_roles": {"type": "boolean", "default": False},
            "match_all_conversation_history": {"type": "boolean", "default": False},
            "allow_patterns": _PATTERNS,
            "deny_patterns": _PATTERNS,
            "fail_mode": {
                "type": "string",
                "enum": ["skip", "warn", "error"],
                "default": "skip",
                "description": "what becomes of a request that is none of an AI service: it goes through, with a "
                "warning or without, or is refused",
            },
        },
    }

    def __init__(self, conf: Conf, scope: Scope) -> None:
        super().__init__(conf, scope)
        self._allowed = [pcre.compile(pattern, _OPTIONS) for pattern in conf["allow_patterns"]]
        self._denied = [pcre.compile(pattern, _OPTIONS) for pattern in conf["deny_patterns"]]

    @classmethod
    def check(cls, conf: dict[str, Any]) -> str | None:
        """Patterns that compile."""
        for kind in ("allow", "deny"):
            for pattern in conf[f"{kind}_patterns"]:
                try:
                    pcre.compile(pattern, _OPTIONS)
                except ValueError:
                    return f"invalid {kind}_pattern: {pattern}"
        return None

    async def access(self, ctx: Context) -> Exit | None:
        """Refuse what matches no allowed pattern, or a denied one."""
        raw = await ctx.read_body()
        if not raw or len(raw) > self.conf["max_req_body_size"]:
            self.scope.log("error", "Empty request body")
            return Exit(400, {"message": "Empty request body"})
        try:
            body = lua_json.decode(raw)
        except ValueError as problem:
            return self._unsupported(f"request body is not valid JSON: {problem}", str(problem))
        protocol = detect(body, ctx.uri)
        if protocol is None or protocol.name == "passthrough":
            return self._unsupported(
                "request body does not match any supported AI protocol",
                "Request format not recognized by ai-prompt-guard",
            )
        messages = self._looked_at(protocol, body)
        if not messages:
            return Exit(200)  # upstream's slip: with nothing to check, the request ends here
        return self._judge(" ".join(message["content"] for message in messages))

    def _unsupported(self, reason: str, told: str) -> Exit | None:
        mode = self.conf["fail_mode"]
        if mode == "error":
            return Exit(400, {"message": told})
        safe = _CONTROL.sub(" ", reason)[:_LONGEST_REASON]
        self.scope.log("warn" if mode == "warn" else "info", f"{self.name} skipped: {safe}")
        return None

    def _looked_at(self, protocol: Protocol, body: Any) -> list[Message]:
        messages = protocol.read(body)
        # a response's instructions and input are no history
        if protocol.name != "openai-responses" and not self.conf["match_all_conversation_history"]:
            messages = messages[-1:]
        everyone = self.conf["match_all_roles"]
        return [message for message in messages if everyone or message["role"] == "user"]

    def _judge(self, text: str) -> Exit | None:
        if self._allowed and not any(pattern.search(text) for pattern in self._allowed):
            return Exit(400, {"message": "Request doesn't match allow patterns"})
        if any(pattern.search(text) for pattern in self._denied):
            return Exit(400, {"message": "Request contains prohibited content"})
        return None
