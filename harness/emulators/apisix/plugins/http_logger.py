"""http-logger: entries as JSON to an HTTP server."""

from __future__ import annotations

from typing import Any, ClassVar

from harness.emulators.apisix import lua_json
from harness.emulators.apisix.context import Context
from harness.emulators.apisix.plugins.base import Schema
from harness.emulators.apisix.plugins.batch_queue import SendFailed, batch_properties
from harness.emulators.apisix.plugins.log_entry import Entry
from harness.emulators.apisix.plugins.logger import LOG_PROPERTIES, BatchLogger, check_expressions
from harness.emulators.apisix.plugins.senders import post
from harness.emulators.apisix.schema.common import URI


class HttpLogger(BatchLogger):
    name = "http-logger"
    priority = 410
    encrypt_fields = ("auth_header",)
    schema: ClassVar[Schema] = {
        "type": "object",
        "properties": {
            "uri": URI,
            "auth_header": {"type": "string"},
            "timeout": {"type": "integer", "minimum": 1, "default": 3},
            **LOG_PROPERTIES,
            "concat_method": {"type": "string", "default": "json", "enum": ["json", "new_line"]},
            "ssl_verify": {"type": "boolean", "default": False},
            **batch_properties("http logger"),
        },
        "required": ["uri"],
    }

    @classmethod
    def check(cls, conf: dict[str, Any]) -> str | None:
        """The expressions for bodies."""
        return check_expressions(conf)

    def write(self, ctx: Context, entry: Entry) -> None:
        """Requests without a route are told apart."""
        entry.setdefault("route_id", "no-matched")
        super().write(ctx, entry)

    async def send(self, entries: list[Any]) -> None:
        """POST them, as a list or one a line."""
        conf = self.conf
        lines = conf["concat_method"] == "new_line" and conf["batch_max_size"] != 1
        body = b"\n".join(lua_json.encode(entry) for entry in entries) if lines else self.encoded(entries)
        kind = "application/json" if conf["concat_method"] == "json" else "text/plain"
        fields = [("Content-Type", kind)]
        if "auth_header" in conf:
            fields.append(("Authorization", conf["auth_header"]))
        answer = await post(conf["uri"], fields, body, conf["timeout"], ssl_verify=conf["ssl_verify"], bare_host=True)
        if answer.status >= 400:
            told = answer.body.decode("utf-8", "replace")
            raise SendFailed(f"server returned status code[{answer.status}] uri[{conf['uri']}] body[{told}]")
