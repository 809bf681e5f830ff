"""ai-prompt-decorator: messages put before and after what a client asks an AI service."""

from __future__ import annotations

from typing import ClassVar

from harness.emulators.apisix import lua_json
from harness.emulators.apisix.context import Context, Exit
from harness.emulators.apisix.plugins.ai_protocols import CHAT, MAX_REQ_BODY_SIZE, detect, json_body
from harness.emulators.apisix.plugins.base import Plugin, Schema

_PROMPT = {
    "properties": {
        "role": {"type": "string", "enum": ["system", "user", "assistant"]},
        "content": {"type": "string", "minLength": 1},
    },
    "required": ["role", "content"],
}
PROMPTS: Schema = {"type": "array", "items": _PROMPT}


class AiPromptDecorator(Plugin):
    name = "ai-prompt-decorator"
    priority = 1070
    schema: ClassVar[Schema] = {
        "type": "object",
        "properties": {"max_req_body_size": MAX_REQ_BODY_SIZE, "prepend": PROMPTS, "append": PROMPTS},
        "anyOf": [{"required": ["prepend"]}, {"required": ["append"]}, {"required": ["append", "prepend"]}],
    }

    async def rewrite(self, ctx: Context) -> Exit | None:
        """The body with the messages in it, where its protocol has a place for them."""
        body = await json_body(ctx, self.conf["max_req_body_size"])
        if isinstance(body, Exit):
            return body
        for messages, before in ((self.conf.get("prepend"), True), (self.conf.get("append"), False)):
            protocol = detect(body, ctx.uri) or CHAT
            protocol.put(body, list(messages or ()), before)
        ctx.body = lua_json.encode(body)
        return None
