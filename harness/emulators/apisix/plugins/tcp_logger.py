"""tcp-logger: entries as JSON over TCP."""

from __future__ import annotations

from typing import Any, ClassVar

from harness.emulators.apisix.plugins.base import Schema
from harness.emulators.apisix.plugins.batch_queue import batch_properties
from harness.emulators.apisix.plugins.logger import LOG_PROPERTIES, BatchLogger
from harness.emulators.apisix.plugins.senders import send_tcp


class TcpLogger(BatchLogger):
    name = "tcp-logger"
    priority = 405
    schema: ClassVar[Schema] = {
        "type": "object",
        "properties": {
            "host": {"type": "string"},
            "port": {"type": "integer", "minimum": 0},
            "tls": {"type": "boolean", "default": False},
            "tls_options": {"type": "string"},
            "timeout": {"type": "integer", "minimum": 1, "default": 1000},
            **LOG_PROPERTIES,
            **batch_properties("tcp logger"),
        },
        "required": ["host", "port"],
    }

    async def send(self, entries: list[Any]) -> None:
        """A connection for each batch."""
        conf = self.conf
        address = (conf["host"], conf["port"])
        name = conf.get("tls_options") or conf["host"]
        await send_tcp(address, self.encoded(entries), conf["timeout"] / 1000, tls=conf["tls"], server_name=name)
