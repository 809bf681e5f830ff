"""referer-restriction: from which sites a request may come."""

from __future__ import annotations

import re
from typing import ClassVar

from harness.emulators.apisix.context import Context, Exit
from harness.emulators.apisix.plugins.base import Conf, Plugin, Schema, Scope

_HOSTS: Schema = {
    "type": "array",
    "items": {"type": "string", "pattern": r"^\*$|^\*?[0-9a-zA-Z-._\[\]:]+$"},
    "minItems": 1,
}
#: lua-resty-http's parse_uri
_URI = re.compile(r"(?:https?:)?//([^\[\]:/?]+|\[.+\])(?::\d+)?[^?]*\??.*")


class RefererRestriction(Plugin):
    """A white-list or blacklist of hosts, a leading star for any beginning."""

    name = "referer-restriction"
    priority = 2990
    schema: ClassVar[Schema] = {
        "type": "object",
        "properties": {
            "bypass_missing": {"type": "boolean", "default": False},
            "whitelist": _HOSTS,
            "blacklist": _HOSTS,
            "message": {
                "type": "string",
                "minLength": 1,
                "maxLength": 1024,
                "default": "Your referer host is not allowed",
            },
        },
        "oneOf": [{"required": ["whitelist"]}, {"required": ["blacklist"]}],
    }

    def __init__(self, conf: Conf, scope: Scope) -> None:
        super().__init__(conf, scope)
        self._white = "whitelist" in conf
        hosts = conf.get("whitelist") or conf["blacklist"]
        self._hosts = frozenset(host for host in hosts if not host.startswith("*"))
        self._endings = tuple(host[1:] for host in hosts if host.startswith("*"))
        self._refusal = Exit(403, {"message": conf["message"]})

    def access(self, ctx: Context) -> Exit | None:
        """Refuse a referer's host that isn't on the white-list, or is on the blacklist."""
        match = _URI.match(ctx.headers.get("referer") or "")
        if match is None:
            passes = self.conf["bypass_missing"]
        else:
            host = match[1]
            passes = (host in self._hosts or host.endswith(self._endings)) is self._white
        return None if passes else self._refusal
