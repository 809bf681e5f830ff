"""The data plane of one worker: it follows the store, and begins a journey for each request."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Coroutine, Sequence
from functools import partial
from ipaddress import ip_address, ip_network
from random import Random
from typing import Any

from harness.clock import Clock
from harness.emulators.apisix.balance.checkers import Checkers
from harness.emulators.apisix.balance.picker import Balancing
from harness.emulators.apisix.compiled import Compiler
from harness.emulators.apisix.context import Context
from harness.emulators.apisix.directory import Directory
from harness.emulators.apisix.discovery.base import Discovery
from harness.emulators.apisix.discovery.dns import make_resolver
from harness.emulators.apisix.discovery.dns_discovery import DnsDiscovery
from harness.emulators.apisix.discovery.nacos import NacosDiscovery
from harness.emulators.apisix.explain import near_misses
from harness.emulators.apisix.headers import Headers
from harness.emulators.apisix.journal import Journal
from harness.emulators.apisix.lua import Lua
from harness.emulators.apisix.match.encoded_slash import SlashKeepingRouter
from harness.emulators.apisix.match.router import Router
from harness.emulators.apisix.pipeline import Journey
from harness.emulators.apisix.plans import Plan, Route
from harness.emulators.apisix.plugins.base import Plugin
from harness.emulators.apisix.plugins.registry import BY_NAME
from harness.emulators.apisix.proxy.answer import Answer
from harness.emulators.apisix.proxy.apps import refuse
from harness.emulators.apisix.proxy.fetch import fetch
from harness.emulators.apisix.proxy.head import Field, Head
from harness.emulators.apisix.proxy.listener import Exchange
from harness.emulators.apisix.proxy.nginx import Bad, normalise
from harness.emulators.apisix.proxy.upstream import Pools
from harness.emulators.apisix.scope import PlaneScope
from harness.emulators.apisix.secret_managers.book import SecretBook, resolved
from harness.emulators.apisix.settings import Settings
from harness.emulators.apisix.shared import Stores
from harness.emulators.apisix.store import KINDS, Change, Table
from harness.emulators.apisix.tls import Certificates, load_pair
from harness.emulators.apisix.upstream import Upstream
from harness.emulators.apisix.ways import Kept, Way

log = logging.getLogger("harness.emulators.apisix")

_FORWARDED = frozenset({"x-forwarded-proto", "x-forwarded-host", "x-forwarded-port", "forwarded"})
#: Kinds whose change can make a plan wrong
_IN_PLANS = frozenset({"services", "upstreams", "plugin_configs", "consumer_groups", "global_rules", "ssls"})


class DataPlane:
    """Everything that requests share; a handler for the listeners of the data plane."""

    def __init__(self, settings: Settings, store: Table, clock: Clock, shared: Stores) -> None:
        self.settings = settings
        self.store = store
        self.clock = clock
        self.shared = shared
        self.loop = asyncio.get_running_loop()
        self.random = Random(settings.seed)
        self.balancing = Balancing(clock=clock, random=self.random)
        self.pools = Pools(self.loop, settings.trusted_certificates)
        self.max_body = settings.wire.max_body
        self.journal = Journal(misses=lambda ctx: near_misses(self.router, ctx))
        self.kept: dict[str, Any] = {}
        self.server_field: Field = ("server", "Server", settings.server)
        self.plugins = {name: plugin for name, plugin in BY_NAME.items() if settings.enabled(name)}
        self.nothing = Plan()
        self.compiler = Compiler(self)
        self.secrets = SecretBook(
            store.get("secrets"),
            partial(fetch, self.pools),
            clock,
            self._secrets_changed,
            ttl=settings.secret_ttl,
            neg_ttl=settings.secret_neg_ttl,
        )
        self.directory = Directory(
            store.get("consumers"), lambda kind: self.compiler.validator(kind, consumer=True), self.secret
        )
        self.lua = Lua()
        router = SlashKeepingRouter if settings.match_uri_encoded_slash else Router
        self.router = router(settings.router, compile_filter=self.lua.compile_filter)  # type: ignore[arg-type]
        self._of_service: dict[str, set[str]] = {}
        self._trusted = [ip_network(network) for network in settings.real_ip_from if network != "unix:"]
        self._trusts: dict[str, bool] = {}
        self._trusted_peers = [ip_network(network) for network in settings.trusted_addresses]
        self._strips_slash = settings.delete_uri_tail_slash
        self.shows_status = settings.show_upstream_status
        self._tasks: set[asyncio.Task[Any]] = set()
        self.requests = 0
        self.time = clock.time
        #: the loop's time, for what takes how long
        self.now = self.loop.time
        #: another one after each change of the configuration
        self.epoch = object()
        #: the TLS listener's, once it listens
        self.https_port: int | None = None
        self.resolver = make_resolver(settings.dns_servers, settings.dns_valid, clock, self.random)
        self.checkers = Checkers(clock)
        alpn = ["h2", "http/1.1"] if settings.enable_http2 else ["http/1.1"]
        self.certificates = Certificates(
            store.get("ssls"), alpn, settings.wire.tls, secret=self.secret, fallback=settings.fallback_sni
        )
        self.discoveries: dict[str, Discovery] = {}

    async def start(self) -> None:
        """Begin to follow the store and the discoveries."""
        conf = nacos_conf(self.settings)
        if conf is not None:
            # `watch: false` in config.yaml makes it as slow to see changes as the real one
            watch = bool(conf.get("watch", True))
            nacos = NacosDiscovery(conf, watch=watch, clock=self.clock, random=self.random)
            self.discoveries["nacos"] = nacos
        if self.settings.discovery.get("dns"):
            self.discoveries["dns"] = DnsDiscovery(self.settings.discovery["dns"], self.clock)
        for discovery in self.discoveries.values():
            await discovery.start()
        self.store.subscribe(self._changed)
        self.secrets.follow([(kind, id_, entry) for kind in KINDS for id_, entry in self.store.get(kind).items()])
        self._changed([("routes", id_, entry) for id_, entry in self.store.get("routes").items()])

    async def stop(self) -> None:
        """Follow nothing any more and close the kept connections."""
        self.store.unsubscribe(self._changed)
        self.checkers.stop()
        await self.secrets.stop()
        for discovery in self.discoveries.values():
            await discovery.stop()
        for task in list(self._tasks):
            task.cancel()
        self.pools.close()

    def reset(self) -> None:
        """Forget what requests have left behind: counters, the journal, who was ill (between tests)."""
        self.shared.clear()
        self.journal.clear()
        self.checkers.stop()
        self.compiler.forget_health()
        if self.settings.seed is not None:
            self.random.seed(self.settings.seed)

    # -- configuration

    def _changed(self, changes: Sequence[Change]) -> None:
        self.epoch = object()
        self.secrets.follow(changes)
        routes: set[str] = set()
        for kind, id_, entry in changes:
            if kind == "routes":
                routes.add(id_)
            elif kind == "services":
                routes |= self._of_service.get(id_, set())
            elif kind in ("consumers", "secrets"):
                self.directory.changed()
            elif kind == "ssls":
                self.certificates.changed()
            if kind in _IN_PLANS or entry is None:
                self.compiler.changed(kind, id_, entry is None)
        for id_ in routes:
            self._route_changed(id_)

    def _route_changed(self, id_: str) -> None:
        entry = self.store.get("routes").get(id_)
        if entry is None:
            self.router.remove(id_)
            return
        service_id = entry.value.get("service_id")
        service = None
        if service_id is not None:
            self._of_service.setdefault(str(service_id), set()).add(id_)
            service = self.store.get("services").get(str(service_id))
        self.router.put(Route(entry, service.value if service else None))

    def _secrets_changed(self) -> None:
        """What references stand for has changed: whatever was made with it is made anew."""
        self.epoch = object()
        self.compiler.secrets_changed()
        self.directory.changed()
        self.certificates.forget()

    def scope(self, kind: type[Plugin], resource: tuple[str, str, int]) -> PlaneScope:
        """What a plugin of `kind` on `resource` is given."""
        return PlaneScope(self, resource, self.settings.attr(kind.name))

    def secret(self, value: Any) -> Any:
        """`value` with $env:// and $secret:// references resolved, in depth."""
        return resolved(value, self.secrets)

    def upstream_tls(self, upstream: Upstream) -> ssl.SSLContext:
        """The TLS client's side towards an upstream: no verification unless it is asked for, as nginx's default."""
        context = upstream.tls
        if context is None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            if upstream.scheme == "grpcs":
                context.set_alpn_protocols(["h2"])
            self._show_certificate(context, upstream)
            upstream.tls = context
        return context

    def _show_certificate(self, context: ssl.SSLContext, upstream: Upstream) -> None:
        """The client certificate of an upstream's `tls`, its own or that of an `ssl` resource."""
        tls = upstream.conf.get("tls") or {}
        held = self.store.get("ssls").get(str(tls.get("client_cert_id")))
        cert = self.secret(held.value["cert"] if held else tls.get("client_cert"))
        key = self.secret(held.value["key"] if held else tls.get("client_key"))
        if cert and key:
            load_pair(context, cert, key)

    def untrusted(self, ctx: Context) -> bool:
        """Whether a request over TLS lacks a client certificate that its SNI or its Host asks for (init.lua)."""
        connection = ctx.client
        shown = self.certificates.find(connection.sni or "")
        optional = shown is not None and shown.skip is not None and not shown.skips(ctx.uri)
        if shown is not None and optional and not shown.verified(connection.tls):
            return True
        # a certificate that was verified for one name is none for another one
        named = self.certificates.find(ctx.host)
        return named is not None and named.verifies and connection.sni != ctx.host

    def error_log(self, level: str, message: str) -> None:
        """A line in the error log."""
        log.log(logging.ERROR if level == "error" else logging.WARNING, "%s", message)

    def refused_handshake(self, why: str) -> None:
        """A TLS handshake that ended before it began."""
        log.warning("%s", why)

    def wait(self, waiting: Coroutine[Any, Any, Any]) -> None:
        """Run a coroutine for a request that must wait."""
        task = self.loop.create_task(waiting)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # -- requests

    def request(self, exchange: Exchange, head: Head) -> None:
        """A request's head is here: begin its journey."""
        if self.secrets.busy:
            self.secrets.when_ready(lambda: self.request(exchange, head))
            return
        self.requests += 1
        way = head.way
        if way is None or way.epoch is not self.epoch:
            way = head.way = self._way(exchange, head)
        remote = exchange.remote_addr
        if head.real_ip:
            remote = self._real_ip(remote, head.real_ip)
        plan = way.plan
        kept = way.kept
        now = self.time()
        if kept is not None and not kept.begins <= now < kept.ends:
            kept = None
        headers = way.headers
        if plan is None or not plan.direct:
            # plugins change them
            headers = Headers((headers if kept is None else kept).items.copy())
        ctx = Context(exchange, head.method, head.target, way.path, head.query, head.version, headers, remote, now)
        ctx.host = head.host
        ctx.exchange = exchange
        ctx.request_length = head.size + (head.length or 0)
        if self.max_body:
            ctx.max_body = self.max_body
        exchange.state = journey = Journey(self, exchange, ctx)
        if plan is None:
            journey.begin()
        else:
            ctx.route = way.route
            ctx.path_params = way.params
            if kept is None:
                journey.take(plan)
            else:
                journey.go_on(kept)

    def _way(self, exchange: Exchange, head: Head) -> Way:
        """Find what can be told from the head alone."""
        path = head.path
        if self._strips_slash and path.endswith("/"):
            path = path[:-1]
        if self._trusted_peers:
            # whose X-Forwarded-* stay depends on the peer: such a way is for this request alone
            return Way(object(), path, Headers(self._outgoing(head, exchange)))
        if head.outgoing is None:
            head.outgoing = self._outgoing(head, exchange)
        way = Way(self.epoch, path, Headers(head.outgoing))
        if exchange.scheme == "http":
            found = self.router.sure(head.host, path)
            if found is not None:
                way.route, way.params = found.route, dict(found.found)
                way.plan = plan = self.compiler.plan(found.route)
                if plan.direct:
                    way.kept = Kept(way.headers.items, plan)
        return way

    def _outgoing(self, head: Head, exchange: Exchange) -> list[Field]:
        """The fields a request begins with; a peer of trusted_addresses keeps its own X-Forwarded-* (init.lua)."""
        made = _outgoing(head, exchange.scheme, exchange.server_port)
        if not self._trusted_peers:
            return made
        trusted = any(ip_address(exchange.remote_addr) in network for network in self._trusted_peers)
        headers = Headers(made)
        if trusted:
            for lower, name, value in head.fields:
                if lower in _FORWARDED:
                    headers.set(name, value)
        else:
            headers.remove("x-forwarded-for")
        return headers.items

    def _real_ip(self, peer: str, named: str) -> str:
        """$remote_addr: what a trusted peer names in real_ip_header."""
        trusted = self._trusts.get(peer)
        if trusted is None:
            trusted = self._trusts[peer] = any(ip_address(peer) in network for network in self._trusted)
        if not trusted:
            return peer
        try:
            return str(ip_address(named.strip("[]") if named.count(":") != 1 else named.partition(":")[0]))
        except ValueError:
            return peer

    def refused(self, exchange: Exchange, status: int) -> None:
        """nginx's own refusal of a request that it can't read."""
        refuse(exchange, status, self.clock)

    def lost(self, exchange: Exchange) -> None:
        """The client is gone."""
        journey = exchange.state
        if journey is not None:
            journey.lost()

    def redirect_inside(self, ctx: Context, answer: Answer) -> None:
        """X-Accel-Redirect: the same request for another path; the answer's Content-Type stays."""
        try:
            ctx.uri, ctx.query = normalise(answer.accel)
        except Bad:
            ctx.uri, ctx.query = answer.accel, ""
        # they may be those of every request with this head, and the other route's plugins change them
        ctx.headers = ctx.headers.copy()
        ctx.route = None
        ctx.upstream = None
        ctx.consumer = None
        ctx.upstream_uri = answer.accel
        ctx.tries.clear()
        ctx.notes.clear()
        ctx.response.items = [field for field in answer.fields if field[0] == "content-type"]


def nacos_conf(settings: Settings) -> dict[str, Any] | None:
    """discovery.nacos of config.yaml, its host overruled by --nacos; None when neither is given."""
    conf = dict(settings.discovery.get("nacos") or {})
    if settings.nacos:
        conf["host"] = [settings.nacos if "://" in settings.nacos else f"http://{settings.nacos}"]
    return conf if conf.get("host") else None


def _outgoing(head: Head, scheme: str, port: int) -> list[Field]:
    """The client's fields with X-Forwarded-Proto, -Host and -Port, which are the gateway's own (ngx_tpl.lua)."""
    named_host = head.named_host
    tail = named_host.rpartition(":")[2] if ":" in named_host else ""
    own: list[Field] = [
        ("x-forwarded-proto", "X-Forwarded-Proto", scheme),
        ("x-forwarded-host", "X-Forwarded-Host", named_host or "_"),
        ("x-forwarded-port", "X-Forwarded-Port", tail if tail.isdigit() else str(port)),
    ]
    if not head.forwarded:
        return head.fields + own
    headers = Headers(head.fields.copy())
    headers.remove("forwarded")
    for _, name, value in own:
        headers.set(name, value)
    return headers.items
