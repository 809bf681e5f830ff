"""ai-prompt-template: a client names a template and its values, the AI service gets the whole prompt."""

from __future__ import annotations

from typing import ClassVar

from harness.emulators.apisix import lua_json
from harness.emulators.apisix.context import Context, Exit
from harness.emulators.apisix.plugins.ai_prompt_decorator import PROMPTS
from harness.emulators.apisix.plugins.ai_protocols import MAX_REQ_BODY_SIZE, json_body
from harness.emulators.apisix.plugins.base import Conf, Plugin, Schema, Scope
from harness.emulators.apisix.plugins.body_transformer import BodyTransformer

_MEMBERS = {"model": {"type": "string", "minLength": 1}, "messages": {**PROMPTS, "minItems": 1}}


class AiPromptTemplate(Plugin):
    name = "ai-prompt-template"
    priority = 1071
    schema: ClassVar[Schema] = {
        "type": "object",
        "properties": {
            "max_req_body_size": MAX_REQ_BODY_SIZE,
            "templates": {
                "type": "array",
                "minItems": 1,
                "items": {
                    "type": "object",
                    "properties": {
                        "name": {"type": "string", "minLength": 1},
                        "template": {"type": "object", "properties": _MEMBERS},
                    },
                    "required": ["name", "template"],
                },
            },
        },
        "required": ["templates"],
    }

    def __init__(self, conf: Conf, scope: Scope) -> None:
        super().__init__(conf, scope)
        self._templates: dict[str, BodyTransformer] = {}
        for template in conf["templates"]:
            self._templates.setdefault(template["name"], self._transformer(template["template"]))

    def _transformer(self, template: Conf) -> BodyTransformer:
        """body-transformer with the template's JSON; the size was looked at here."""
        text = lua_json.encode(template).decode("utf-8", "surrogateescape")
        request = {"template": text, "input_format": "json"}
        return BodyTransformer({"request": request, "max_req_body_size": self.conf["max_req_body_size"]}, self.scope)

    async def rewrite(self, ctx: Context) -> Exit | None:
        """The named template, filled with the body's members."""
        body = await json_body(ctx, self.conf["max_req_body_size"])
        if isinstance(body, Exit):
            return body
        name = body.get("template_name", False) if isinstance(body, dict) else False
        if name is False:
            return Exit(400, {"message": "template name is missing in request."})
        if not isinstance(name, str):
            return Exit(500) if name is None else Exit(400, {"message": f"template: {name} not configured."})
        if name not in self._templates:
            return Exit(400, {"message": f"template: {name} not configured."})
        return await self._templates[name].rewrite(ctx)
