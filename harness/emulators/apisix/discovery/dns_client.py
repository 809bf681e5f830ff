"""Records from given DNS servers, kept as long as their TTLs say (core/dns/client.lua on lua-resty-dns-client)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from harness.clock import Clock, SystemClock

if TYPE_CHECKING:
    from dns.asyncresolver import Resolver as Queries

#: the types asked for, in this order, until one has an answer; "last" is the type that had one before
ORDER: Final = ("last", "SRV", "A", "AAAA", "CNAME")
#: seconds for one question, all servers and repetitions together
PATIENCE: Final = 10.0
#: seconds for which an answer that has run out still serves, while it is asked for again
STALE: Final = 4.0


class DnsError(OSError):
    """No server has an answer."""


@dataclass(frozen=True, slots=True)
class Record:
    """One address; port, weight and priority only from SRV records."""

    address: str
    port: int | None = None
    weight: float | None = None
    priority: int | None = None


class DnsClient:
    """A cache before some servers, "host" or "host:port" each, or those of a resolv.conf.

    `valid` seconds take the place of the records' own TTLs.
    """

    def __init__(
        self,
        servers: Sequence[str] = (),
        *,
        resolv_conf: str = "",
        order: Sequence[str] = ORDER,
        clock: Clock | None = None,
        valid: float | None = None,
    ) -> None:
        self._servers = servers
        self._resolv_conf = resolv_conf
        self._order = order
        self._clock = clock or SystemClock()
        self._valid = valid
        self._queries: Queries | None = None
        self._last: dict[str, str] = {}
        self._kept: dict[str, tuple[float, tuple[Record, ...]]] = {}

    def known(self, name: str) -> tuple[tuple[Record, ...], bool] | None:
        """What is kept for a name, and whether it has to be asked for again; None when nothing is."""
        until, records = self._kept.get(name, (-math.inf, ()))
        now = self._clock.monotonic()
        return (records, now >= until) if now < until + STALE else None

    async def records(self, name: str) -> tuple[Record, ...]:
        """The addresses of a name, from the servers. Raises DnsError."""
        problem: Exception = DnsError(f"no type of record to ask for: {', '.join(self._order)}")
        for kind in self._kinds(name):
            try:
                records, ttl = await self._ask(name, kind)
            except OSError as error:
                problem = error
                continue
            self._last[name] = kind
            self._kept[name] = (self._clock.monotonic() + (self._valid if self._valid is not None else ttl), records)
            return records
        raise DnsError(f"failed to query the DNS server: {problem}")

    async def addresses(self, name: str) -> tuple[tuple[Record, ...], float]:
        """The addresses of a name, and the seconds for which they are good. Raises DnsError."""
        records = await self.records(name)
        return records, self._kept[name][0] - self._clock.monotonic()

    def _kinds(self, name: str) -> Iterable[str]:
        last = self._last.get(name)
        wanted = [last if kind == "last" else kind for kind in self._order]
        # a CNAME is followed by whatever is asked
        return dict.fromkeys(kind for kind in wanted if kind is not None and kind != "CNAME")

    async def _ask(self, name: str, kind: str) -> tuple[tuple[Record, ...], float]:
        answer = await self._query(name, kind)
        ttl = float(answer.rrset.ttl)
        if kind != "SRV":
            return tuple(Record(item.address) for item in answer), ttl
        return await self._targets(list(answer)), ttl

    async def _targets(self, services: list[Any]) -> tuple[Record, ...]:
        """The addresses of SRV records' targets; a target's weight is shared among its addresses, in whole numbers."""
        found: list[tuple[Any, list[str]]] = []
        for service in services:
            target = str(service.target).rstrip(".")
            found.append((service, await self._addresses(target)))
        common = math.lcm(*(len(addresses) for _, addresses in found))
        return tuple(
            Record(address, service.port, (service.weight or 1) * common // len(addresses), service.priority)
            for service, addresses in found
            for address in addresses
        )

    async def _addresses(self, target: str) -> list[str]:
        try:
            return [item.address for item in await self._query(target, "A")]
        except DnsError:
            return [item.address for item in await self._query(target, "AAAA")]

    async def _query(self, name: str, kind: str) -> Any:
        from dns.exception import DNSException

        try:
            return await self._servers_to_ask().resolve(name, kind, lifetime=PATIENCE)
        except DNSException as error:
            raise DnsError(f"{name} {kind}: {error}") from error

    def _servers_to_ask(self) -> Queries:
        """Made at first use: only who has DNS servers pays for the library."""
        if self._queries is None:
            from dns.asyncresolver import Resolver as Queries
            from dns.nameserver import Do53Nameserver

            if self._resolv_conf:
                self._queries = Queries(filename=self._resolv_conf)
            else:
                self._queries = Queries(configure=False)
                self._queries.nameservers = [Do53Nameserver(*_place(server)) for server in self._servers]
        return self._queries


def _place(server: str) -> tuple[str, int]:
    """host and port of a server, IPv6 with a port in brackets."""
    if server.startswith("["):
        host, _, rest = server[1:].partition("]")
        return host, int(rest.lstrip(":") or 53)
    host, colon, port = server.rpartition(":")
    return (host, int(port)) if colon and ":" not in host else (server, 53)


def without_port(record: Record) -> Record:
    """A record whose SRV port is zero leaves the port to whoever asks."""
    return replace(record, port=None) if record.port == 0 else record
