"""client-control: another limit for the size of a request's body."""

from __future__ import annotations

from typing import ClassVar

from harness.emulators.apisix.context import Context, Exit
from harness.emulators.apisix.plugins.base import Plugin, Schema


class ClientControl(Plugin):
    """0 lifts the limit."""

    name = "client-control"
    priority = 22000
    schema: ClassVar[Schema] = {
        "type": "object",
        "properties": {"max_body_size": {"type": "integer", "minimum": 0}},
    }

    def rewrite(self, ctx: Context) -> Exit | None:
        """Refuse a body that says it is too long; others are cut off while they are read."""
        most: int | None = self.conf.get("max_body_size")
        if most is None:
            return None
        length = ctx.headers.get("content-length") or ""
        if most and length.isdecimal() and int(length) > most:
            return Exit(413)
        ctx.max_body = most
        return None
