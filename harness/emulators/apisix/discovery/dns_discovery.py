"""Upstream nodes from DNS: discovery_type dns, with SRV records their ports, weights and priorities (discovery/dns)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

from harness.clock import Clock
from harness.emulators.apisix.balance.node import Node, bracketed, parse_nodes, split_address
from harness.emulators.apisix.discovery.dns_client import ORDER, DnsClient, DnsError, Record, without_port

log = logging.getLogger(__name__)


class DnsDiscovery:
    """A service is a name, with or without a port. An answer that has run out serves while a new one is awaited."""

    def __init__(self, conf: Mapping[str, Any], clock: Clock | None = None) -> None:
        """`conf` is discovery.dns of config.yaml: servers or resolv_conf, and order."""
        self._client = DnsClient(
            tuple(conf.get("servers") or ()),
            resolv_conf=str(conf.get("resolv_conf") or ""),
            order=tuple(conf.get("order") or ORDER),
            clock=clock,
        )
        self._asking: dict[str, asyncio.Task[None]] = {}

    async def start(self) -> None:
        """Nothing is asked ahead."""

    async def stop(self) -> None:
        """Wait for no answer any more."""
        for task in self._asking.values():
            task.cancel()
        await asyncio.gather(*self._asking.values(), return_exceptions=True)

    def watch(self, name: str, args: Mapping[str, Any] | None = None, scheme: str = "http") -> str:
        """A service is asked for when a request needs it."""
        return name

    def unwatch(self, service: str) -> None:
        """Nothing to end."""

    def known(self, name: str, args: Mapping[str, Any] | None = None, scheme: str = "http") -> tuple[Node, ...] | None:
        """The nodes as last seen, without waiting; None when they must be asked for."""
        host, port = split_address(name)
        kept = self._client.known(host)
        if kept is None:
            return None
        records, old = kept
        if old and host not in self._asking:
            self._asking[host] = asyncio.get_running_loop().create_task(self._refresh(host), name=f"DNS of {host}")
        return _nodes(records, port, scheme)

    async def _refresh(self, host: str) -> None:
        try:
            await self._client.records(host)
        except DnsError as error:
            log.error("failed to resolve %s: %s", host, error)
        finally:
            self._asking.pop(host, None)

    async def nodes(
        self, name: str, args: Mapping[str, Any] | None = None, scheme: str = "http"
    ) -> tuple[Node, ...] | None:
        """As `known`, but asked for when there is nothing; None when there is no answer."""
        found = self.known(name, args, scheme)
        if found is not None:
            return found
        host, port = split_address(name)
        try:
            return _nodes(await self._client.records(host), port, scheme)
        except DnsError as error:
            log.error("failed to fetch nodes of dns service %s: %s", name, error)
            return None


def _nodes(records: tuple[Record, ...], port: int | None, scheme: str) -> tuple[Node, ...]:
    listed = []
    for record in map(without_port, records):
        node: dict[str, Any] = {
            "host": bracketed(record.address),
            "weight": 1 if record.weight is None else int(record.weight),
        }
        if port or record.port:
            node["port"] = port or record.port
        if record.priority is not None:
            node["priority"] = -record.priority  # the lower number is chosen first
        listed.append(node)
    return tuple(parse_nodes(listed, scheme))
