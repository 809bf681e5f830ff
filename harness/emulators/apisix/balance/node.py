"""One address that an upstream may be sent to."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

#: the port of a node that names none
PORTS: Mapping[str, int] = {"http": 80, "https": 443, "grpc": 80, "grpcs": 443}


@dataclass(frozen=True, slots=True)
class Node:
    """A node of an upstream: `host` is what is connected to, `domain` the name that was resolved to it, if one was."""

    host: str
    port: int
    weight: float = 1
    priority: int = 0
    domain: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict, compare=False, hash=False)

    @property
    def address(self) -> str:
        """host:port, an IPv6 address in brackets."""
        return f"{self.host}:{self.port}"

    @property
    def name(self) -> str:
        """The host as configured."""
        return self.domain or self.host

    def named(self, scheme: str) -> str:
        """The Host header of pass_host "node": the name, with the port unless it is the scheme's or none is known."""
        return self.name if not scheme or PORTS.get(scheme) == self.port else f"{self.name}:{self.port}"


def bracketed(host: str) -> str:
    """An IPv6 address in brackets, anything else as it is."""
    try:
        return f"[{ipaddress.IPv6Address(host)}]" if ":" in host and not host.startswith("[") else host
    except ValueError:
        return host


def split_address(text: str) -> tuple[str, int | None]:
    """host:port or host of the map form of nodes; IPv6 hosts come in brackets."""
    if text.endswith("]") or ":" not in text:
        return text, None
    host, _, port = text.rpartition(":")
    return (host, int(port)) if port.isdecimal() else (text, None)


def parse_nodes(nodes: Any, scheme: str = "http") -> list[Node]:
    """The nodes of an upstream's configuration, which is a map "host:port" → weight or a list of objects."""
    if isinstance(nodes, Mapping):
        parts = [(*split_address(address), weight) for address, weight in nodes.items()]
        return [Node(bracketed(host), port or PORTS.get(scheme, 80), weight) for host, port, weight in parts]
    return [_parse(node, scheme) for node in nodes or ()]


def _parse(node: Mapping[str, Any], scheme: str) -> Node:
    return Node(
        host=bracketed(str(node["host"])),
        port=int(node.get("port") or PORTS.get(scheme, 80)),
        weight=node.get("weight", 1),
        priority=node.get("priority") or 0,
        domain=str(node.get("domain") or ""),
        metadata=node.get("metadata") or {},
    )


def greatest_divisor(weights: Sequence[float]) -> float:
    """The greatest common divisor of weights, which may be fractions when they come from a registry; 0 for all 0."""
    found: float = 0
    for weight in weights:
        left, right = found, weight
        while right > 1e-9:
            left, right = right, left % right
        found = left
    return found
