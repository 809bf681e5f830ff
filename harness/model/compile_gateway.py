"""One service's `gateway` section → its upstream, service and routes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any
from urllib.parse import urlsplit

from harness.errors import SpecError
from harness.model.platform import Service
from harness.model.references import SERVICE_PLACEHOLDER
from harness.model.resources import Resource
from harness.model.routes import Gateway, PublicEndpoint
from harness.model.security import RateLimit

#: The plugin_config that carries the WAF's rules.
WAF = "waf"
#: Public endpoints are looked at before the routes that need credentials.
PUBLIC_PRIORITY = 10
AUTH_PLUGINS = {"jwt": "jwt-auth", "api-key": "key-auth"}
PORTS = {"http": 80, "https": 443}


def gateway_resources(service: Service, has_waf: bool, addresses: Mapping[str, Sequence[str]]) -> Iterator[Resource]:
    """Upstream, service and routes; the ids begin with the service's name."""
    gateway = service.gateway
    assert gateway is not None
    yield Resource("upstreams", service.name, _upstream(service.name, gateway, addresses))
    yield Resource("services", service.name, _service(service.name, gateway))
    shared: dict[str, Any] = {"service_id": service.name}
    if has_waf and gateway.waf:
        shared["plugin_config_id"] = WAF
    if gateway.websocket:
        shared["enable_websocket"] = True
    for id, body in _routes(service.name, gateway):
        yield Resource("routes", id, {"name": id, **body, **shared})


# --- upstream


def _upstream(name: str, gateway: Gateway, addresses: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    body: dict[str, Any] = {"name": name, "type": "roundrobin", **gateway.upstream}
    if gateway.nacos_service:
        body["service_name"] = gateway.nacos_service
        body["discovery_type"] = "nacos"
        body["discovery_args"] = {"namespace_id": gateway.nacos_namespace, "group_name": gateway.nacos_group}
    else:
        body.update(_nodes(name, gateway.upstream_urls, addresses))
    if gateway.timeouts:
        times = gateway.timeouts
        body["timeout"] = {"connect": times.connect, "send": times.send, "read": times.read}
    if gateway.retries is not None:
        body["retries"] = gateway.retries
    if gateway.retry_timeout is not None:
        body["retry_timeout"] = gateway.retry_timeout
    return body


def _nodes(name: str, urls: Sequence[str], addresses: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    parts = [urlsplit(url) for given in urls for url in _resolved(name, given, addresses)]
    schemes = sorted({part.scheme for part in parts})
    if len(schemes) > 1:
        raise SpecError(
            f"services.{name}.gateway.upstream_url: one upstream has one scheme, not {' and '.join(schemes)}"
        )
    nodes = [{"host": part.hostname, "port": part.port or PORTS[part.scheme], "weight": 1} for part in parts]
    return {"scheme": schemes[0] if schemes else "http", "nodes": nodes}


def _resolved(name: str, url: str, addresses: Mapping[str, Sequence[str]]) -> list[str]:
    """`http://${service:x}` → one URL for each address of x."""
    match = SERVICE_PLACEHOLDER.search(url)
    if not match:
        return [url]
    if match[1] not in addresses:
        mend = f"the engine knows addresses of {', '.join(addresses) or 'no service'}"
        raise SpecError(f"services.{name}.gateway.upstream_url: no address of {match[1]!r} is known", mend=mend)
    return [url.replace(match[0], address) for address in addresses[match[1]]]


# --- service and routes


def _service(name: str, gateway: Gateway) -> dict[str, Any]:
    """What all routes of the service share."""
    plugins: dict[str, Any] = dict(gateway.plugins)
    if gateway.rate_limit:
        plugins["limit-count"] = rate_limit(gateway.rate_limit, name)
    return {"name": name, "upstream_id": name, "plugins": plugins}


def rate_limit(limit: RateLimit, name: str) -> dict[str, Any]:
    """A limit-count configuration; `name` is what requests are counted under when all count together."""
    keys = {"consumer": "consumer_name", "ip": "remote_addr"}
    by = {"key_type": "constant", "key": name} if limit.by == "service" else {"key": keys.get(limit.by, limit.by)}
    body = {"count": limit.count, "time_window": limit.window, "policy": "local", "rejected_code": limit.status, **by}
    return {**body, "rejected_msg": limit.message} if limit.message else body


def _routes(name: str, gateway: Gateway) -> Iterator[tuple[str, dict[str, Any]]]:
    if gateway.route_prefix:
        hosts = {"hosts": list(gateway.hosts)} if gateway.hosts else {}
        yield from _entrance(name, gateway, gateway.route_prefix, hosts)
    if gateway.virtual_hosts:
        id = f"{name}-host" if gateway.route_prefix else name
        yield from _entrance(id, gateway, "", {"hosts": list(gateway.virtual_hosts)})


def _entrance(id: str, gateway: Gateway, prefix: str, hosts: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The routes under one prefix: all that needs credentials, and the public endpoints."""
    uris = [prefix, f"{prefix}/*"] if prefix else ["/*"]
    strip: dict[str, Any] = _strip(prefix) if prefix and gateway.strip_prefix else {}
    yield id, _with_plugins({"uris": uris, **hosts}, {**_auth(gateway), **strip})
    if not gateway.auth.methods:
        return
    for methods, endpoints in groupby(sorted(gateway.public, key=_methods), key=_methods):
        suffix = "-".join(["public", *map(str.lower, methods)])
        body: dict[str, Any] = {"uris": [f"{prefix}{endpoint.path}" for endpoint in endpoints], **hosts}
        if methods:
            body["methods"] = list(methods)
        yield f"{id}-{suffix}", _with_plugins({**body, "priority": PUBLIC_PRIORITY}, strip)


def _methods(endpoint: PublicEndpoint) -> tuple[str, ...]:
    return endpoint.methods


def _with_plugins(body: dict[str, Any], plugins: dict[str, Any]) -> dict[str, Any]:
    return {**body, "plugins": plugins} if plugins else body


def _auth(gateway: Gateway) -> dict[str, Any]:
    members = {AUTH_PLUGINS[method]: dict(gateway.auth.options) for method in gateway.auth.methods}
    found: dict[str, Any] = members
    if len(members) > 1:
        found = {"multi-auth": {"auth_plugins": [{name: options} for name, options in members.items()]}}
    if gateway.consumers:
        found["consumer-restriction"] = {"whitelist": list(gateway.consumers)}
    return found


def _strip(prefix: str) -> dict[str, Any]:
    """`/bi-basic/v1/users` → `/v1/users`, and the bare prefix → `/`; a dot is the only sign to escape in a prefix."""
    literal = prefix.replace(".", r"\.")
    return {"proxy-rewrite": {"regex_uri": [f"^{literal}/?(.*)$", "/$1"]}}
