"""An upstream as requests use it: its nodes and their turns, time-outs, tries, host and connections."""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from harness.emulators.apisix.balance.health import Checker
from harness.emulators.apisix.balance.node import Node, parse_nodes
from harness.emulators.apisix.balance.picker import Balancing, Picker
from harness.emulators.apisix.context import Context, Exit, Try
from harness.emulators.apisix.discovery.base import Discovery
from harness.emulators.apisix.discovery.dns import is_name
from harness.emulators.apisix.proxy.grpc import GrpcPool
from harness.emulators.apisix.proxy.upstream import Keepalive, Pool, Pools, Target
from harness.emulators.apisix.store import Entry

if TYPE_CHECKING:
    from harness.emulators.apisix.data_plane import DataPlane

#: nginx's own, in seconds: connect, send, read
TIMEOUTS: Final = (60.0, 60.0, 60.0)
_NO_NODE: Final = Exit(503)
_NONE_LEFT: Final = Exit(502)
_TLS_SCHEMES: Final = frozenset({"https", "grpcs"})


def timeouts_of(conf: Mapping[str, Any] | None) -> tuple[float, float, float] | None:
    """(connect, send, read) of a `timeout` member, None when there is none."""
    if not conf:
        return None
    return (
        float(conf.get("connect", TIMEOUTS[0])),
        float(conf.get("send", TIMEOUTS[1])),
        float(conf.get("read", TIMEOUTS[2])),
    )


class Upstream:
    """One upstream of one configuration; shared by all routes that name it."""

    __slots__ = (
        "_certificate",
        "_checked",
        "_checker",
        "_configured",
        "_discovery",
        "_keepalive",
        "_plane",
        "_pools",
        "_service",
        "_uncounted",
        "_ways",
        "conf",
        "fixed",
        "key",
        "lone",
        "names_port",
        "pass_host",
        "picker",
        "retries",
        "retry_timeout",
        "scheme",
        "straight",
        "tells",
        "timeouts",
        "tls",
        "tries",
        "upstream_host",
    )

    def __init__(self, conf: Mapping[str, Any], key: str, plane: DataPlane) -> None:
        self.conf = conf
        self.key = key
        self._plane = plane
        self.scheme: str = conf.get("scheme") or "http"
        self.pass_host: str = conf.get("pass_host") or "pass"
        self.upstream_host: str = conf.get("upstream_host") or ""
        #: whether pass_host "node" tells the node's port as well
        self.names_port = True
        retries = conf.get("retries")
        self.retries: int | None = int(retries) if retries is not None and retries >= 0 else None
        self.retry_timeout = float(conf.get("retry_timeout") or 0)
        self.timeouts = timeouts_of(conf.get("timeout")) or TIMEOUTS
        pool = conf.get("keepalive_pool")
        self._keepalive = plane.settings.wire.keepalive
        if pool is not None:
            self._keepalive = Keepalive(
                int(pool.get("size", 320)), float(pool.get("idle_timeout", 60)), int(pool.get("requests", 1000))
            )
        self._pools: Pools = plane.pools
        #: id of a node → the node, its pool and its address, for plain connections
        self._ways: dict[int, tuple[Node, tuple[Pool, str]]] = {}
        self._discovery: Discovery | None = None
        self._service: Any = None
        #: nodes given by name, whose addresses are looked up before they are used
        self._configured: list[Node] = []
        nodes: list[Node] = []
        if conf.get("service_name"):
            self._discovery = plane.discoveries.get(conf.get("discovery_type") or "")
            if self._discovery is not None:
                self._service = self._discovery.watch(conf["service_name"], conf.get("discovery_args"), self.scheme)
        else:
            nodes = parse_nodes(conf.get("nodes"), self.scheme)
            if any(is_name(node.host) for node in nodes):
                self._configured = nodes
        balancing: Balancing = plane.balancing
        self.picker = Picker(conf, nodes, balancing, key=key)
        self.tries = self._count_tries()
        #: the nodes are what the configuration says: nothing to wait for before picking
        self.fixed = not self._configured and self._discovery is None
        self._checked = bool(conf.get("checks")) and not plane.settings.disable_health_checks
        self._checker: Checker | None = None
        #: the tries of the request that had the checker made: it comes too late for them (healthcheck_manager.lua)
        self._uncounted: Sequence[Try] = ()
        self.tells = self._checked or conf.get("type") in ("least_conn", "ewma")
        self.tls: ssl.SSLContext | None = None
        #: a request without a body needs nothing but a node and a connection
        self.straight = self.fixed and self.scheme == "http" and not self.retry_timeout
        alone = self.picker.alone
        #: the only node there will ever be, its connections and its address, where nobody checks how it is
        self.lone: tuple[Node, Pool, str] | None = None
        if self.straight and alone is not None and not self._checked:
            self.lone = (alone, *self.way(alone))
        # `tls.verify` is for Kafka's upstreams alone, as its description in schema_def.lua says
        self._certificate: Entry | None = None

    @property
    def nodes(self) -> Sequence[Node]:
        """The nodes as they are now."""
        return self.picker.nodes

    def _count_tries(self) -> int:
        """How many nodes a request may try."""
        return 1 + (self.retries if self.retries is not None else max(len(self.picker.nodes) - 1, 0))

    def prepare(self) -> Awaitable[None] | None:
        """What a request has to wait for before it can pick (a service or a name never looked up), or None."""
        if self._discovery is not None:
            known = self._discovery.known(self.conf["service_name"], self.conf.get("discovery_args"), self.scheme)
            if known is None:
                return self._discover(self._discovery)
            self._take(known)
        elif self._configured:
            resolved = self._plane.resolver.known(self._configured)
            if resolved is None:
                return self._resolve()
            self._take(resolved)
        return None

    async def _discover(self, discovery: Discovery) -> None:
        nodes = await discovery.nodes(self.conf["service_name"], self.conf.get("discovery_args"), self.scheme)
        self._take(nodes or ())

    async def _resolve(self) -> None:
        self._take(await self._plane.resolver.resolve(self._configured))

    def pick(self, ctx: Context) -> Node | Exit:
        """The first node for a request, or the answer when there is none."""
        picker = self.picker
        if picker.alone is not None and not self._checked:
            return picker.alone
        if not picker.nodes:
            return _NO_NODE
        if self._checked and self._checker is None:
            if self._plane.checkers.find(self.key) is None:
                self._uncounted = ctx.tries
            self._check()
        return picker.pick(ctx) or _NONE_LEFT

    def _check(self) -> None:
        """Have the nodes checked from here on: the real one begins with the first request as well."""
        self._checker = self._plane.checkers.of(self.key, self.conf, self.picker.nodes)
        self.picker.health = self._checker

    def _take(self, nodes: Sequence[Node]) -> None:
        if self.picker.set_nodes(nodes):
            self.tries = self._count_tries()
            if self._checker is not None:
                self._check()

    def next_node(self, ctx: Context, tried: list[Node]) -> Node | None:
        """The node for another try."""
        return self.picker.pick(ctx, tried)

    def done(self, node: Node, attempt: Try, *, final: bool) -> None:
        """A try is over; `final` unless another one follows (balancer.lua and init.lua report the two differently)."""
        if not self.tells:
            return
        self.picker.done(node, attempt.header_time)
        checker = self._checker
        if checker is None or attempt.status is None or any(attempt is one for one in self._uncounted):
            return
        if final:
            checker.report_status(node, attempt.status)
        elif attempt.status == 504:
            checker.report_timeout(node)
        else:
            checker.report_tcp_failure(node)

    def host_for(self, ctx: Context, node: Node, named_host: str) -> str:
        """The Host header for a node (pass_host)."""
        if self.pass_host == "pass":
            return ctx.upstream_host or named_host
        if self.pass_host == "rewrite":
            return self.upstream_host
        return node.named(self.scheme) if self.names_port else node.name

    def pool(self, node: Node, ctx: Context, host: str) -> tuple[Pool, str]:
        """The connections to a node, and its address as text."""
        scheme = ctx.upstream_scheme or self.scheme
        if scheme in _TLS_SCHEMES:
            name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
            target = Target(node.host.strip("[]"), node.port, self._plane.upstream_tls(self), name)
            return self._pools.get(target, self._keepalive), node.address
        return self.way(node)

    def way(self, node: Node) -> tuple[Pool, str]:
        """The plain connections to a node, and its address."""
        way = self._ways.get(id(node))
        if way is None or way[0] is not node:
            if len(self._ways) > 1000:
                self._ways.clear()
            pool = self._pools.get(Target(node.host.strip("[]"), node.port), self._keepalive)
            way = self._ways[id(node)] = (node, (pool, node.address))
        return way[1]

    def grpc_pool(self, node: Node, ctx: Context, host: str) -> GrpcPool:
        """The gRPC connection to a node."""
        host_name, port = node.host.strip("[]"), node.port
        if (ctx.upstream_scheme or self.scheme) != "grpcs":
            return self._pools.grpc(Target(host_name, port))
        name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
        return self._pools.grpc(Target(host_name, port, self._plane.upstream_tls(self), name))

    def forget_health(self) -> None:
        """The checker is no more, nor what it knew."""
        self._checker = None
        self.picker.health = None

    def show(self, certificate: Entry) -> None:
        """The `ssl` resource of the client's certificate; another one needs other connections."""
        if self._certificate is not certificate:
            self._certificate = certificate
            self.tls = None

    def close(self) -> None:
        """No request will pick from it any more."""
        if self._discovery is not None and self._service is not None:
            self._discovery.unwatch(self._service)
            self._service = None
