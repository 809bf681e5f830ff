"""How the gateway reaches a service: prefix, hosts, upstream, authentication, what is public."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from harness.model.security import RateLimit


class Timeouts(NamedTuple):
    """Seconds to connect to an upstream, to send to it, and to wait for what it sends."""

    connect: float
    send: float
    read: float


class Auth(NamedTuple):
    """How callers are known: `methods` are jwt and api-key, any one of them is enough; none lets everybody in.

    `options` are those of the one APISIX plugin (header, query, cookie, hide_credentials).
    """

    methods: tuple[str, ...]
    options: Mapping[str, Any]


class PublicEndpoint(NamedTuple):
    """A path of the service (without the route prefix) that needs no credentials; no `methods` means any."""

    path: str
    methods: tuple[str, ...]

    def __str__(self) -> str:
        return f"{','.join(self.methods)} {self.path}" if self.methods else self.path


@dataclass(frozen=True, slots=True)
class Gateway:
    """One service at the gateway.

    `route_prefix/*` goes to the service, on `hosts` where given, else on any host; `virtual_hosts` belong to the
    service as a whole. Where `consumers` are given, nobody else is let in. The upstream is either `nacos_service`
    (with its group and namespace) or `upstream_urls`; `upstream` has options of the APISIX upstream as they are.
    """

    route_prefix: str
    strip_prefix: bool
    hosts: tuple[str, ...]
    virtual_hosts: tuple[str, ...]
    nacos_service: str
    nacos_group: str
    nacos_namespace: str
    upstream_urls: tuple[str, ...]
    auth: Auth
    consumers: tuple[str, ...]
    public: tuple[PublicEndpoint, ...]
    rate_limit: RateLimit | None
    waf: bool
    websocket: bool
    timeouts: Timeouts | None
    retries: int | None
    retry_timeout: float | None
    upstream: Mapping[str, Any] = field(repr=False)
    plugins: Mapping[str, Mapping[str, Any]] = field(repr=False)
