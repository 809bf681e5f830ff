"""ip-restriction: who may come in, by address."""

from __future__ import annotations

import socket
from typing import Any, ClassVar

from harness.emulators.apisix.context import Context, Exit
from harness.emulators.apisix.match.addresses import AddressSet
from harness.emulators.apisix.plugins.base import Conf, Plugin, Schema, Scope

_SEGMENT = "([0-9]|[1-9][0-9]|1[0-9]{2}|2[0-4][0-9]|25[0-5])"
_IPV4 = r"\.".join([_SEGMENT] * 4)
_IPV6 = "([a-fA-F0-9]{0,4}:){1,8}(:[a-fA-F0-9]{0,4}){0,8}([a-fA-F0-9]{0,4})?"
#: schema_def.lua's ip_def: the branches of an anyOf
IP_BRANCHES: list[Schema] = [
    {"title": "IPv4", "type": "string", "format": "ipv4"},
    {"title": "IPv4/CIDR", "type": "string", "pattern": f"^{_IPV4}/([12]?[0-9]|3[0-2])$"},
    {"title": "IPv6", "type": "string", "format": "ipv6"},
    {"title": "IPv6/CIDR", "type": "string", "pattern": f"^{_IPV6}/[0-9]{{1,3}}$"},
]


class IpRestriction(Plugin):
    """A white-list or a blacklist of addresses and networks."""

    name = "ip-restriction"
    priority = 3000
    schema: ClassVar[Schema] = {
        "type": "object",
        "properties": {
            "message": {
                "type": "string",
                "minLength": 1,
                "maxLength": 1024,
                "default": "Your IP address is not allowed",
            },
            "response_code": {"type": "integer", "minimum": 403, "maximum": 404, "default": 403},
            "whitelist": {"type": "array", "items": {"anyOf": IP_BRANCHES}, "minItems": 1},
            "blacklist": {"type": "array", "items": {"anyOf": IP_BRANCHES}, "minItems": 1},
        },
        "oneOf": [{"required": ["whitelist"]}, {"required": ["blacklist"]}],
    }

    @classmethod
    def check(cls, conf: dict[str, Any]) -> str | None:
        """The schema's patterns let some impossible IPv6 networks through."""
        for address in [*conf.get("whitelist", ()), *conf.get("blacklist", ())]:
            if not is_address(address):
                return f"invalid ip address: {address}"
        return None

    def __init__(self, conf: Conf, scope: Scope) -> None:
        super().__init__(conf, scope)
        self._white = "whitelist" in conf
        self._addresses = AddressSet(conf.get("whitelist") or conf["blacklist"])
        self._refusal = Exit(conf["response_code"], {"message": conf["message"]})

    def access(self, ctx: Context) -> Exit | None:
        """Refuse an address that is not on the white-list, or on the blacklist."""
        return None if self._addresses.match(ctx.remote_addr) is self._white else self._refusal


def is_address(text: str) -> bool:
    """Whether text is an IPv4 or IPv6 address or network (core.ip.validate_cidr_or_ip)."""
    address, slash, mask = text.partition("/")
    length = int(mask) if mask.isdecimal() else 0 if not slash else -1
    for family, bits in ((socket.AF_INET, 32), (socket.AF_INET6, 128)):
        try:
            socket.inet_pton(family, address)
        except OSError:
            continue
        return 0 <= length <= bits
    return False
