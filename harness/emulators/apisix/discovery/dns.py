"""Nodes given by name: resolved to an address each, and kept for a while."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import socket
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import replace
from random import Random

from harness.clock import Clock, SystemClock
from harness.emulators.apisix.balance.node import Node, bracketed
from harness.emulators.apisix.discovery.dns_client import DnsClient

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
        chosen, seconds = await self._chosen(name)
        self._kept[name] = (self._clock.monotonic() + seconds, chosen)
        return chosen

    async def _chosen(self, name: str) -> tuple[str, float]:
        """One of a name's addresses, and for how many seconds it is good."""
        return bracketed(self._random.choice(_of_one_family(await self._look_up(name)))), self._valid

    def _fresh(self, name: str) -> str | None:
        until, address = self._kept.get(name, (0.0, ""))
        return address if address and self._clock.monotonic() < until else None


class DnsResolver(Resolver):
    """Names to addresses by servers of one's own, kept as long as their TTLs say."""

    def __init__(self, client: DnsClient, clock: Clock, random: Random) -> None:
        super().__init__(clock=clock, random=random)
        self._client = client

    async def _chosen(self, name: str) -> tuple[str, float]:
        records, ttl = await self._client.addresses(name)
        return bracketed(self._random.choice(records).address), ttl


def make_resolver(servers: Sequence[str], valid: float | None, clock: Clock, random: Random) -> Resolver:
    """The system's resolver, or one that asks `servers`; `valid` seconds take the place of TTLs."""
    if not servers:
        return Resolver(clock=clock, random=random, valid=VALID if valid is None else valid)
    return DnsResolver(DnsClient(servers, order=("A", "AAAA"), clock=clock, valid=valid), clock, random)


def _of_one_family(addresses: list[str]) -> list[str]:
    """The IPv4 addresses where there are some (dns_resolver's order of record types puts A first)."""
    if not addresses:
        raise OSError("no address")
    return [address for address in addresses if ":" not in address] or addresses


def _placed(node: Node, address: str) -> Node:
    return node if node.host == address else replace(node, host=address, domain=node.host)
