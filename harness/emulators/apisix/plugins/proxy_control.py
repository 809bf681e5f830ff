"""proxy-control: whether the gateway gathers a request's body before it turns to the upstream."""

from __future__ import annotations

from typing import ClassVar

from harness.emulators.apisix.context import Context
from harness.emulators.apisix.plugins.base import Plugin, Schema


class ProxyControl(Plugin):
    name = "proxy-control"
    priority = 21990
    schema: ClassVar[Schema] = {
        "type": "object",
        "properties": {"request_buffering": {"type": "boolean", "default": True}},
    }

    def rewrite(self, ctx: Context) -> None:
        """Leave word for the transport."""
        ctx.request_buffering = self.conf["request_buffering"]
