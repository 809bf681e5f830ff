"""Nodes given by name: resolved to an address each, and kept for a while."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import socket
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from random import Random

from harness.clock import Clock, SystemClock
from harness.emulators.apisix.balance.node import Node, bracketed

log = logging.getLogger(__name__)

#: seconds for which an answer is good: getaddrinfo tells no TTL
VALID = 30.0

#: name → its addresses; raises OSError when it has none
LookUp = Callable[[str], Awaitable[list[str]]]


def is_name(host: str) -> bool:
    """Whether a host must be resolved."""
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return True
    return False


async def system_look_up(name: str) -> list[str]:
    """The system's resolver (hosts file, DNS), IPv4 addresses first. Raises OSError."""
    found = await asyncio.get_running_loop().getaddrinfo(name, None, type=socket.SOCK_STREAM)
    ordered = sorted(found, key=lambda entry: entry[0] != socket.AF_INET)
    return list(dict.fromkeys(str(entry[4][0]) for entry in ordered))


class Resolver:
    """Names to addresses, kept `valid` seconds; of several addresses one is taken at random, as APISIX does."""

    def __init__(
        self,
        look_up: LookUp = system_look_up,
        *,
        clock: Clock | None = None,
        random: Random | None = None,
        valid: float = VALID,
    ) -> None:
        self._look_up = look_up
        self._clock = clock or SystemClock()
        self._random = random or Random()
        self._valid = valid
        self._kept: dict[str, tuple[float, str]] = {}

    def known(self, nodes: Iterable[Node]) -> list[Node] | None:
        """The nodes with their addresses, without waiting; None when a name has to be looked up first."""
        resolved: list[Node] = []
        for node in nodes:
            address = self._fresh(node.host) if is_name(node.host) else node.host
            if address is None:
                return None
            resolved.append(_placed(node, address))
        return resolved

    async def resolve(self, nodes: Iterable[Node]) -> list[Node]:
        """The nodes with their addresses; those whose name isn't known to anybody are left out."""
        resolved: list[Node] = []
        for node in nodes:
            try:
                resolved.append(_placed(node, await self.address(node.host) if is_name(node.host) else node.host))
            except OSError as error:
                log.error("failed to parse domain: %s, error: %s", node.host, error)
        return resolved

    async def address(self, name: str) -> str:
        """One address of a name. Raises OSError when it has none."""
        kept = self._fresh(name)
        if kept is not None:
            return kept
        chosen = bracketed(self._random.choice(_of_one_family(await self._look_up(name))))
        self._kept[name] = (self._clock.monotonic() + self._valid, chosen)
        return chosen

    async def addresses(self, name: str) -> list[str]:
        """All addresses of a name (discovery_type dns). Raises OSError when it has none."""
        return [bracketed(address) for address in _of_one_family(await self._look_up(name))]

    def _fresh(self, name: str) -> str | None:
        until, address = self._kept.get(name, (0.0, ""))
        return address if address and self._clock.monotonic() < until else None


def _of_one_family(addresses: list[str]) -> list[str]:
    """The IPv4 addresses where there are some (dns_resolver's order of record types puts A first)."""
    if not addresses:
        raise OSError("no address")
    return [address for address in addresses if ":" not in address] or addresses


def _placed(node: Node, address: str) -> Node:
    return node if node.host == address else replace(node, host=address, domain=node.host)
