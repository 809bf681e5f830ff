"""proxy-buffering: whether nginx gathers an answer before it passes it on.

This gateway passes each piece on as it comes, so `disable_proxy_buffering: true` (for server-sent events) is what
happens anyway; with false a client may get its first bytes earlier than from nginx, and never other bytes.
"""

from __future__ import annotations

from typing import ClassVar

from harness.emulators.apisix.plugins.base import Plugin, Schema


class ProxyBuffering(Plugin):
    name = "proxy-buffering"
    priority = 21991
    schema: ClassVar[Schema] = {
        "type": "object",
        "properties": {"disable_proxy_buffering": {"type": "boolean", "default": False}},
    }
