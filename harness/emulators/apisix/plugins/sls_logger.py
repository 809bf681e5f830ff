"""sls-logger: entries to Alibaba's log service as RFC 5424 messages over TLS."""

from __future__ import annotations

from typing import Any, ClassVar

from harness.emulators.apisix import lua_json
from harness.emulators.apisix.context import Context
from harness.emulators.apisix.plugins import rfc5424
from harness.emulators.apisix.plugins.base import Schema
from harness.emulators.apisix.plugins.batch_queue import batch_properties
from harness.emulators.apisix.plugins.log_entry import Entry
from harness.emulators.apisix.plugins.logger import LOG_PROPERTIES, BatchLogger
from harness.emulators.apisix.plugins.senders import send_tcp

_WHERE = ("project", "logstore", "access_key_id", "access_key_secret")


class SlsLogger(BatchLogger):
    name = "sls-logger"
    priority = 406
    encrypt_fields = ("access_key_secret",)
    schema: ClassVar[Schema] = {
        "type": "object",
        "properties": {
            "timeout": {"type": "integer", "minimum": 1, "default": 5000},
            "host": {"type": "string"},
            "port": {"type": "integer"},
            **{name: {"type": "string"} for name in _WHERE},
            "ssl_verify": {"type": "boolean", "default": True},
            **LOG_PROPERTIES,
            **batch_properties("sls-logger"),
        },
        "required": ["host", "port", *_WHERE],
    }

    def write(self, ctx: Context, entry: Entry) -> None:
        """Frame the entry and put it into the queue."""
        told = " ".join(f'{name.replace("_", "-")}="{self.conf[name]}"' for name in _WHERE)
        head = rfc5424.head(rfc5424.SYSLOG, rfc5424.INFO, self.scope.clock, ctx.host, f"[logservice {told}]")
        self._queue.push(head + lua_json.encode(entry) + b"\n", self.send, ctx)

    async def send(self, entries: list[Any]) -> None:
        """All messages of the batch at once."""
        conf = self.conf
        await send_tcp(
            (conf["host"], conf["port"]),
            b"".join(entries),
            conf["timeout"] / 1000,
            tls=True,
            server_name=conf["host"],
            verify=conf["ssl_verify"],
        )
