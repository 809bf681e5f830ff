"""openwhisk: the request's body goes to an OpenWhisk action, which may answer with status, headers and body."""

from __future__ import annotations

import base64
from typing import Any, ClassVar

from harness.emulators.apisix import lua_json
from harness.emulators.apisix.context import Context, Exit
from harness.emulators.apisix.exchange import Response
from harness.emulators.apisix.match.lua_values import to_text
from harness.emulators.apisix.plugins.base import Plugin, Schema
from harness.emulators.apisix.plugins.function_upstream import called, function_schema

_NAME = {"type": "string", "maxLength": 256, "pattern": r"\A([\w]|[\w][\w@ .-]*[\w@.-]+)\z"}
_COMMON = function_schema({})["properties"]


class Openwhisk(Plugin):
    name = "openwhisk"
    priority = -1901
    schema: ClassVar[Schema] = {
        "type": "object",
        "properties": {
            **{name: member for name, member in _COMMON.items() if name not in ("function_uri", "authorization")},
            "api_host": {"type": "string"},
            "service_token": {"type": "string"},
            "namespace": _NAME,
            "package": _NAME,
            "action": _NAME,
            "result": {"type": "boolean", "default": True},
            "timeout": {
                "type": "integer",
                "minimum": 1,
                "maximum": 60000,
                "default": 3000,
                "description": "timeout in milliseconds",
            },
        },
        "required": ["api_host", "service_token", "namespace", "action"],
    }
    encrypt_fields = ("service_token",)

    async def access(self, ctx: Context) -> Exit:
        """Invoke the action and wait for it."""
        conf = self.conf
        body = await ctx.read_body()
        if len(body) > conf["max_req_body_size"]:
            return Exit(413)
        action = f"{conf['package']}/{conf['action']}" if "package" in conf else conf["action"]
        where = f"{conf['api_host']}/api/v1/namespaces/{conf['namespace']}/actions/{action}"
        query = f"blocking=true&result={str(conf['result']).lower()}&timeout={conf['timeout']}"
        token = base64.b64encode(conf["service_token"].encode()).decode()
        headers = [("Authorization", f"Basic {token}"), ("Content-Type", "application/json")]
        answer = await called(self, "POST", f"{where}?{query}", headers, body)
        return answer if isinstance(answer, Exit) else self._told(ctx, answer)

    def _told(self, ctx: Context, answer: Response) -> Exit:
        """What the action says; the headers of OpenWhisk's own answer don't count."""
        text = answer.body or b""
        try:
            result: Any = lua_json.decode(text)
        except ValueError as error:
            self.scope.log("error", f"failed to parse openwhisk response data: {error}")
            return Exit(503)
        if not isinstance(result, dict):
            return Exit(answer.status, text)
        for name, value in (result.get("headers") or {}).items():
            ctx.response.set(name, to_text(value))
        body = result.get("body") or text
        return Exit(int(result.get("statusCode") or answer.status), body)
