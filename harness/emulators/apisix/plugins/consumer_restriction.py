"""consumer-restriction: which consumers, groups, routes or services may pass."""

from __future__ import annotations

from typing import ClassVar

from harness.emulators.apisix import variables
from harness.emulators.apisix.context import Context, Exit
from harness.emulators.apisix.plugins.base import Conf, Plugin, Schema, Scope

_NAMES: Schema = {"type": "array", "minItems": 1, "items": {"type": "string"}}
_METHOD: Schema = {
    "description": "HTTP method",
    "type": "string",
    "enum": ["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "CONNECT", "TRACE", "PURGE"],
}


class ConsumerRestriction(Plugin):
    """A blacklist, a white-list and methods by consumer; the white-list comes before the methods."""

    name = "consumer-restriction"
    priority = 2400
    schema: ClassVar[Schema] = {
        "type": "object",
        "properties": {
            "type": {
                "type": "string",
                "enum": ["consumer_name", "service_id", "route_id", "consumer_group_id"],
                "default": "consumer_name",
            },
            "blacklist": _NAMES,
            "whitelist": _NAMES,
            "allowed_by_methods": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {
                        "user": {"type": "string"},
                        "methods": {"type": "array", "minItems": 1, "items": _METHOD},
                    },
                },
            },
            "rejected_code": {"type": "integer", "minimum": 200, "default": 403},
            "rejected_msg": {"type": "string"},
        },
        "anyOf": [{"required": ["blacklist"]}, {"required": ["whitelist"]}, {"required": ["allowed_by_methods"]}],
    }

    def __init__(self, conf: Conf, scope: Scope) -> None:
        super().__init__(conf, scope)
        self._value = variables.getter(conf["type"])
        self._white = frozenset(conf.get("whitelist") or ())
        self._black = frozenset(conf.get("blacklist") or ())
        self._methods: list[Conf] = conf.get("allowed_by_methods") or []
        message = conf.get("rejected_msg", f"The {conf['type']} is forbidden.")
        self._refusal = Exit(conf["rejected_code"], {"message": message})

    def access(self, ctx: Context) -> Exit | None:
        """Refuse a value that isn't allowed, and a request that has none."""
        value = str(self._value(ctx) or "")
        if not value:
            name = self.conf["type"]
            return Exit(401, {"message": f"The request is rejected, please check the {name} for this request"})
        if value in self._black:
            return self._refusal
        if self._white and value in self._white:
            return None
        if self._white or not self._method_allowed(ctx.method, value):
            return self._refusal
        return None

    def _method_allowed(self, method: str, user: str) -> bool:
        for entry in self._methods:
            if entry.get("user") == user:
                return method in entry.get("methods", ())
        return True
