"""skywalking-logger: entries to SkyWalking's log receiver, tied to the request's trace."""

from __future__ import annotations

import base64
import binascii
import socket
from typing import Any, ClassVar

from harness.emulators.apisix import lua_json
from harness.emulators.apisix.context import Context
from harness.emulators.apisix.match.lua_values import to_number
from harness.emulators.apisix.plugins.base import Schema
from harness.emulators.apisix.plugins.batch_queue import SendFailed, batch_properties
from harness.emulators.apisix.plugins.clickhouse_logger import told
from harness.emulators.apisix.plugins.log_entry import Entry, readable
from harness.emulators.apisix.plugins.logger import LOG_PROPERTIES, URI, BatchLogger
from harness.emulators.apisix.plugins.senders import post

#: 1-TRACEID-SEGMENTID-SPANID-PARENT_SERVICE-PARENT_INSTANCE-PARENT_ENDPOINT-IPPORT
_PARTS = 8


class SkywalkingLogger(BatchLogger):
    name = "skywalking-logger"
    priority = 408
    schema: ClassVar[Schema] = {
        "type": "object",
        "properties": {
            "endpoint_addr": URI,
            "service_name": {"type": "string", "default": "APISIX"},
            "service_instance_name": {"type": "string", "default": "APISIX Instance Name"},
            "timeout": {"type": "integer", "minimum": 1, "default": 3},
            **LOG_PROPERTIES,
            **batch_properties("skywalking logger"),
        },
        "required": ["endpoint_addr"],
    }

    def write(self, ctx: Context, entry: Entry) -> None:
        """Wrap the entry as SkyWalking wants it, and put it into the queue."""
        instance = self.conf["service_instance_name"]
        wrapped: Entry = {
            "body": {"json": {"json": lua_json.encode(entry).decode("utf-8", "surrogateescape")}},
            "service": self.conf["service_name"],
            "serviceInstance": socket.gethostname() if instance == "$hostname" else instance,
            "endpoint": readable(ctx.uri),
        }
        trace = self._trace(ctx.headers.get("sw8"))
        if trace is not None:
            wrapped["traceContext"] = trace
        self._queue.push(wrapped, self.send, ctx)

    def _trace(self, header: str | None) -> Entry | None:
        if not header:
            return None
        parts = header.split("-")
        if len(parts) != _PARTS:
            self.scope.log("warn", f"failed to parse trace_context header: {header}")
            return None
        found = {"traceId": _decoded(parts[1]), "traceSegmentId": _decoded(parts[2]), "spanId": to_number(parts[3])}
        return {name: value for name, value in found.items() if value is not None}

    async def send(self, entries: list[Any]) -> None:
        """POST them as a list."""
        address = self.conf["endpoint_addr"]
        origin = "/".join(address.split("/")[:3])
        fields = [("Content-Type", "application/json")]
        body = lua_json.encode(entries)
        answer = await post(f"{origin}/v3/logs", fields, body, self.conf["timeout"], bare_host=True, marked=False)
        if answer.status >= 400:
            raise SendFailed(told(address, answer.status, answer.body))


def _decoded(text: str) -> str | None:
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode("utf-8", "replace")
    except (binascii.Error, ValueError):
        return None
