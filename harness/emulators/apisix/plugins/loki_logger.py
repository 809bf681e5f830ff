"""loki-logger: entries as streams of log lines to Grafana Loki."""

from __future__ import annotations

from typing import Any, ClassVar

from harness.emulators.apisix import lua_json
from harness.emulators.apisix.context import Context
from harness.emulators.apisix.match.lua_values import to_text
from harness.emulators.apisix.plugins.base import Conf, Schema, Scope
from harness.emulators.apisix.plugins.batch_queue import SendFailed, batch_properties
from harness.emulators.apisix.plugins.log_entry import Entry, readable
from harness.emulators.apisix.plugins.logger import LOG_PROPERTIES, BatchLogger, check_expressions
from harness.emulators.apisix.plugins.senders import post
from harness.emulators.apisix.plugins.templates import counted
from harness.emulators.apisix.schema.common import URI

_TEXTS: Schema = {"type": "object", "patternProperties": {".*": {"type": "string", "minLength": 1}}}


class LokiLogger(BatchLogger):
    name = "loki-logger"
    priority = 414
    encrypt_fields = ("headers",)
    schema: ClassVar[Schema] = {
        "type": "object",
        "properties": {
            "endpoint_addrs": {"type": "array", "minItems": 1, "items": URI},
            "endpoint_uri": {"type": "string", "minLength": 1, "default": "/loki/api/v1/push"},
            "tenant_id": {"type": "string", "default": "fake"},
            "headers": _TEXTS,
            "log_labels": {**_TEXTS, "default": {"job": "apisix"}},
            "ssl_verify": {"type": "boolean", "default": False},
            "timeout": {
                "type": "integer",
                "minimum": 1,
                "maximum": 60000,
                "default": 3000,
                "description": "timeout in milliseconds",
            },
            "keepalive": {"type": "boolean", "default": True},
            "keepalive_timeout": {
                "type": "integer",
                "minimum": 1000,
                "default": 60000,
                "description": "keepalive timeout in milliseconds",
            },
            "keepalive_pool": {"type": "integer", "minimum": 1, "default": 5},
            **LOG_PROPERTIES,
            **batch_properties("loki logger"),
        },
        "required": ["endpoint_addrs"],
    }

    def __init__(self, conf: Conf, scope: Scope) -> None:
        super().__init__(conf, scope)
        self._labels = [(name, text, counted(text)) for name, text in conf["log_labels"].items()]

    @classmethod
    def check(cls, conf: dict[str, Any]) -> str | None:
        """The expressions for bodies."""
        return check_expressions(conf)

    def write(self, ctx: Context, entry: Entry) -> None:
        """The queue holds (labels, nanoseconds as text, entry)."""
        entry.setdefault("route_id", "no-matched")
        labels = {name: text if (found := get(ctx)) is None else readable(found) for name, text, get in self._labels}
        stamp = f"{to_text(round(ctx.started * 1000))}000000"
        self._queue.push((labels, stamp, entry), self.send, ctx)

    async def send(self, entries: list[Any]) -> None:
        """One stream for each set of labels, to an endpoint drawn by lot."""
        streams: dict[tuple[tuple[str, str], ...], dict[str, Any]] = {}
        for labels, stamp, entry in entries:
            stream = streams.setdefault(tuple(sorted(labels.items())), {"stream": labels, "values": []})
            stream["values"].append([stamp, lua_json.encode(entry).decode("utf-8", "surrogateescape")])
        conf = self.conf
        fields = [*conf.get("headers", {}).items(), ("X-Scope-OrgID", conf["tenant_id"])]
        answer = await post(
            self.scope.random.choice(conf["endpoint_addrs"]) + conf["endpoint_uri"],
            [*fields, ("Content-Type", "application/json")],
            lua_json.encode({"streams": list(streams.values())}),
            conf["timeout"] / 1000,
            ssl_verify=conf["ssl_verify"],
        )
        if answer.status >= 300:
            told = answer.body.decode("utf-8", "replace")
            raise SendFailed(f"loki server returned status: {answer.status}, body: {told}")
