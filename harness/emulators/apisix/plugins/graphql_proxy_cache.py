"""graphql-proxy-cache: answers to GraphQL queries kept for a while; mutations go through."""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from harness.emulators.apisix.context import Context, Exit
from harness.emulators.apisix.exchange import App, Request, Response
from harness.emulators.apisix.match.lua_values import to_text
from harness.emulators.apisix.plugins.base import Conf, Plugin, Schema, Scope
from harness.emulators.apisix.plugins.disk_cache import DiskCache
from harness.emulators.apisix.plugins.graphql_requests import Asked, asked_by_get, asked_by_post, definitions
from harness.emulators.apisix.plugins.memory_cache import STATUS, MemoryCache
from harness.emulators.apisix.plugins.proxy_cache import ZONES
from harness.emulators.apisix.variables import getter

_PURGE = "/apisix/plugin/graphql-proxy-cache/*"
#: what proxy-cache's two strategies want of a configuration
_FIXED: dict[str, Any] = {
    "cache_method": ("GET", "POST"),
    "cache_http_status": (200,),
    "cache_control": False,
    "hide_cache_headers": False,
    "max_resp_body_size": 67108864,
}
_PASSED = "graphql-proxy-cache.passed"
_Read = Callable[[Context], Any]


class GraphqlProxyCache(Plugin):
    name = "graphql-proxy-cache"
    priority = 1009
    schema: ClassVar[Schema] = {
        "type": "object",
        "properties": {
            "cache_zone": {"type": "string", "minLength": 1, "maxLength": 100, "default": "disk_cache_one"},
            "cache_strategy": {"type": "string", "enum": ["disk", "memory"], "default": "disk"},
            "cache_ttl": {"type": "integer", "minimum": 1, "default": 300},
            "consumer_isolation": {"type": "boolean", "default": True},
            "cache_set_cookie": {"type": "boolean", "default": False},
        },
    }

    def __init__(self, conf: Conf, scope: Scope) -> None:
        super().__init__(conf, scope)
        held = {**_FIXED, **conf}
        self._cache = MemoryCache(held, scope) if conf["cache_strategy"] == "memory" else DiskCache(held, scope)
        self._version = str(zlib.crc32(json.dumps(conf, sort_keys=True, default=dict).encode()))
        self._place = [getter(name) for name in ("host", "route_id", "service_id")]
        self._user = getter("remote_user")

    @classmethod
    def check(cls, conf: dict[str, Any]) -> str | None:
        """The zone must be there; of which strategy it is isn't looked at."""
        zone = conf["cache_zone"]
        return None if zone in ZONES else f"cache_zone {zone} not found"

    async def access(self, ctx: Context) -> Exit | None:
        """Answer from the cache, or let the request through to fill it."""
        if ctx.method not in ("GET", "POST"):
            return Exit(405)
        asked = asked_by_get(ctx) if ctx.method == "GET" else await asked_by_post(ctx)
        found = definitions(asked.query) if isinstance(asked, Asked) else asked
        if isinstance(found, Exit):
            return found
        assert isinstance(asked, Asked)
        if any(getattr(getattr(one, "operation", None), "value", "") == "mutation" for one in found):
            ctx.response.set(STATUS, "BYPASS")
            return None
        key = self._key(ctx, asked.raw)
        ctx.response.set("APISIX-Cache-Key", key)
        ctx.notes[_PASSED] = True
        return self._cache.access(ctx, key)

    def _key(self, ctx: Context, raw: bytes) -> str:
        """By configuration, place and caller, so that nothing crosses between them."""
        identity = ""
        if self.conf["consumer_isolation"]:
            identity = ctx.consumer.name if ctx.consumer is not None else to_text(self._user(ctx) or "")
        place = [to_text(get(ctx) or "") for get in self._place]
        text = "\x01".join([self._version, *place, identity])
        digest = hashlib.md5(text.encode("latin-1", "replace") + b"\x01" + raw, usedforsecurity=False)
        return digest.hexdigest()

    def header_filter(self, ctx: Context) -> None:
        """Decide whether this answer is kept."""
        if _PASSED in ctx.notes:
            self._cache.header_filter(ctx)

    def body_filter(self, ctx: Context, chunk: bytes, last: bool) -> bytes:
        """Keep a copy."""
        return self._cache.body_filter(ctx, chunk, last) if _PASSED in ctx.notes else chunk

    @classmethod
    def public_api(cls, scope: Scope) -> Mapping[tuple[str, str], App]:
        """PURGE /apisix/plugin/graphql-proxy-cache/<strategy>/<route>/<key>."""
        return {("PURGE", _PURGE): lambda request: _purge(scope, request)}


def _purge(scope: Scope, request: Request) -> Response:
    strategy, route, key = [*request.path.split("/")[4:], "", "", ""][:3]
    if strategy not in ("disk", "memory") or not route or not key:
        return _bare(400)
    conf = _conf(scope, route)
    if conf is None:
        return _bare(404)
    if strategy != conf.get("cache_strategy", "disk"):
        return _bare(400)
    held = {**_FIXED, "cache_zone": "disk_cache_one", "cache_ttl": 300, "cache_set_cookie": False, **conf}
    if strategy == "memory":
        MemoryCache(held, scope).forget(key)
        return _bare(200)
    return _bare(200 if DiskCache(held, scope).forget(key) else 404)


def _bare(status: int) -> Response:
    return Response(status, b"", [])


def _conf(scope: Scope, route_id: str) -> Mapping[str, Any] | None:
    """The plugin's configuration of a route, its plugin_config or its service (the first of them that has plugins)."""
    route = scope.stored("routes", route_id)
    if route is None:
        return None
    plugins = route.get("plugins")
    if not plugins and "plugin_config_id" in route:
        plugins = (scope.stored("plugin_configs", str(route["plugin_config_id"])) or {}).get("plugins")
    elif not plugins and "service_id" in route:
        plugins = (scope.stored("services", str(route["service_id"])) or {}).get("plugins")
    return (plugins or {}).get("graphql-proxy-cache")
