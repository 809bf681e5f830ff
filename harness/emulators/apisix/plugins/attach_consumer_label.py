"""attach-consumer-label: tells the upstream labels of the consumer."""

from __future__ import annotations

from typing import ClassVar

from harness.emulators.apisix.context import Context
from harness.emulators.apisix.match.expression import latin
from harness.emulators.apisix.plugins.base import Plugin, Schema


class AttachConsumerLabel(Plugin):
    """A header whose label is missing is taken off, so that no client can forge it."""

    name = "attach-consumer-label"
    priority = 2399
    schema: ClassVar[Schema] = {
        "type": "object",
        "properties": {
            "headers": {
                "type": "object",
                "additionalProperties": {"type": "string", "pattern": r"^\$.*"},
                "minProperties": 1,
            },
        },
        "required": ["headers"],
    }

    def before_proxy(self, ctx: Context) -> None:
        """Set the headers."""
        labels = ctx.consumer.labels if ctx.consumer else {}
        for header, label in self.conf["headers"].items():
            value = labels.get(label[1:])
            if value is None:
                ctx.headers.remove(header)
            else:
                ctx.headers.set(header, latin(str(value)))
