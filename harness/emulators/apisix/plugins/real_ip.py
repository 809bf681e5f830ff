"""real-ip: takes the client's address from a variable, when the peer is trusted."""

from __future__ import annotations

import re
import socket
from typing import Any, ClassVar

from harness.emulators.apisix import variables
from harness.emulators.apisix.context import Context
from harness.emulators.apisix.match.addresses import AddressSet
from harness.emulators.apisix.plugins.base import Conf, Plugin, Schema, Scope
from harness.emulators.apisix.plugins.ip_restriction import IP_BRANCHES, is_address

_COMMA = re.compile(r",\s*", re.ASCII)


class RealIp(Plugin):
    """X-Forwarded-For counts from its end: the last address, or with `recursive` the last untrusted one."""

    name = "real-ip"
    priority = 23000
    schema: ClassVar[Schema] = {
        "type": "object",
        "properties": {
            "trusted_addresses": {"type": "array", "items": {"anyOf": IP_BRANCHES}, "minItems": 1},
            "source": {"type": "string", "minLength": 1},
            "recursive": {"type": "boolean", "default": False},
        },
        "required": ["source"],
    }

    @classmethod
    def check(cls, conf: dict[str, Any]) -> str | None:
        """The schema's patterns let some impossible IPv6 networks through."""
        wrong = next((text for text in conf.get("trusted_addresses", ()) if not is_address(text)), None)
        return f"invalid ip address: {wrong}" if wrong else None

    def __init__(self, conf: Conf, scope: Scope) -> None:
        super().__init__(conf, scope)
        trusted = conf.get("trusted_addresses")
        self._trusted = AddressSet(trusted) if trusted else None
        self._source = variables.getter(conf["source"])

    def rewrite(self, ctx: Context) -> None:
        """Replace the request's address."""
        if self._trusted is not None and not self._trusted.match(ctx.remote_addr):
            return
        text = self._address(ctx)
        if not isinstance(text, str):
            self.scope.log("warn", "missing real address")
            return
        address, port = _parsed(text)
        if address is None:
            self.scope.log("warn", f"bad address: {text}")
        elif port is not None and not 1 <= port <= 65535:
            self.scope.log("warn", f"bad port: {port}")
        else:
            ctx.remote_addr = address
            if port is not None:
                ctx.variables["remote_port"] = str(port)

    def _address(self, ctx: Context) -> Any:
        if self.conf["source"] != "http_x_forwarded_for":
            return self._source(ctx)
        chains = ctx.headers.get_all("x-forwarded-for")
        if not chains:
            return None
        if self.conf["recursive"] and self._trusted is not None:
            hops = _COMMA.split(chains[-1])
            return next((hop for hop in reversed(hops[1:]) if not self._trusted.match(hop)), hops[0])
        return chains[-1].rpartition(",")[2].lstrip(" ")


def _parsed(text: str) -> tuple[str | None, int | None]:
    """core.utils.parse_addr: an address (IPv6 with a port in brackets), and the port if one is given."""
    host, colon, port = text.rpartition(":")
    if _is_ip(socket.AF_INET, text) or _is_ip(socket.AF_INET6, text.strip("[]")):
        return text.strip("[]"), None
    bare = host.strip("[]")
    family = socket.AF_INET6 if host.startswith("[") else socket.AF_INET
    if colon and _is_ip(family, bare):
        return bare, int(port) if port.isdecimal() else None
    return None, None


def _is_ip(family: int, text: str) -> bool:
    try:
        socket.inet_pton(family, text)
    except (OSError, ValueError):
        return False
    return True
