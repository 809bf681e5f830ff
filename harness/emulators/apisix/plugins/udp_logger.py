"""udp-logger: entries as JSON in datagrams."""

from __future__ import annotations

from typing import Any, ClassVar

from harness.emulators.apisix.plugins.base import Schema
from harness.emulators.apisix.plugins.batch_queue import batch_properties
from harness.emulators.apisix.plugins.logger import LOG_PROPERTIES, BatchLogger
from harness.emulators.apisix.plugins.senders import send_udp


class UdpLogger(BatchLogger):
    name = "udp-logger"
    priority = 400
    schema: ClassVar[Schema] = {
        "type": "object",
        "properties": {
            "host": {"type": "string"},
            "port": {"type": "integer", "minimum": 0},
            "timeout": {"type": "integer", "minimum": 1, "default": 3},
            **LOG_PROPERTIES,
            **batch_properties("udp logger"),
        },
        "required": ["host", "port"],
    }

    async def send(self, entries: list[Any]) -> None:
        """One datagram for each batch."""
        await send_udp((self.conf["host"], self.conf["port"]), self.encoded(entries), self.conf["timeout"])
