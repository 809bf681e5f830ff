"""syslog: entries as RFC 5424 messages over TCP or UDP."""

from __future__ import annotations

from typing import Any, ClassVar

from harness.emulators.apisix import lua_json
from harness.emulators.apisix.context import Context
from harness.emulators.apisix.plugins import rfc5424
from harness.emulators.apisix.plugins.base import Schema
from harness.emulators.apisix.plugins.batch_queue import batch_properties
from harness.emulators.apisix.plugins.log_entry import Entry
from harness.emulators.apisix.plugins.logger import LOG_PROPERTIES, BatchLogger
from harness.emulators.apisix.plugins.senders import send_tcp, send_udp


class Syslog(BatchLogger):
    name = "syslog"
    priority = 401
    schema: ClassVar[Schema] = {
        "type": "object",
        "properties": {
            "host": {"type": "string"},
            "port": {"type": "integer"},
            "flush_limit": {"type": "integer", "minimum": 1, "default": 4096},
            "drop_limit": {"type": "integer", "default": 1048576},
            "timeout": {"type": "integer", "minimum": 1, "default": 3000},
            "sock_type": {"type": "string", "default": "tcp", "enum": ["tcp", "udp"]},
            "pool_size": {"type": "integer", "minimum": 5, "default": 5},
            "tls": {"type": "boolean", "default": False},
            **LOG_PROPERTIES,
            **batch_properties("sys logger"),
        },
        "required": ["host", "port"],
    }

    def write(self, ctx: Context, entry: Entry) -> None:
        """Frame the entry and put it into the queue."""
        head = rfc5424.head(rfc5424.SYSLOG, rfc5424.INFO, self.scope.clock, ctx.host)
        self._queue.push(head + lua_json.encode(entry) + b"\n", self.send, ctx)

    async def send(self, entries: list[Any]) -> None:
        """All messages of the batch at once."""
        conf, data = self.conf, b"".join(entries)
        address = (conf["host"], conf["port"])
        if conf["sock_type"] == "udp":
            await send_udp(address, data, conf["timeout"] / 1000)
        else:
            await send_tcp(address, data, conf["timeout"] / 1000, tls=conf["tls"], server_name=conf["host"])
