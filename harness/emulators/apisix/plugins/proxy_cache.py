"""proxy-cache: answers kept for a while, in a zone of memory or in one that stands for nginx's cache on disk."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from harness.emulators.apisix.context import Context, Exit
from harness.emulators.apisix.plugins.base import Conf, Plugin, Schema, Scope
from harness.emulators.apisix.plugins.cache_control import generated
from harness.emulators.apisix.plugins.disk_cache import DiskCache
from harness.emulators.apisix.plugins.memory_cache import MemoryCache

_PATTERN = "(^[^\\$].+$|^\\$[0-9a-zA-Z_]+$)"
#: the zones of APISIX's default configuration, by the strategy that they are for
ZONES = {"disk_cache_one": "disk", "memory_cache": "memory"}
#: a key with one of these tells callers apart by itself
_IDENTITIES = frozenset(("$consumer_name", "$consumer_group_id", "$remote_user", "$http_authorization"))


def _some(items: Schema, **more: Any) -> Schema:
    return {"type": "array", "minItems": 1, "items": items, **more}


class ProxyCache(Plugin):
    name = "proxy-cache"
    priority = 1085
    version = 0.2
    schema: ClassVar[Schema] = {
        "type": "object",
        "properties": {
            "max_resp_body_size": {
                "type": "integer",
                "minimum": 1,
                "default": 67108864,
                "description": "maximum response body size in bytes buffered into memory by the memory cache strategy; "
                "larger responses are streamed through without being cached",
            },
            "cache_zone": {"type": "string", "minLength": 1, "maxLength": 100, "default": "disk_cache_one"},
            "cache_strategy": {"type": "string", "enum": ["disk", "memory"], "default": "disk"},
            "cache_key": _some(
                {"description": "a key for caching", "type": "string", "pattern": _PATTERN},
                default=["$host", "$request_uri"],
            ),
            "cache_http_status": _some(
                {"description": "http response status", "type": "integer", "minimum": 200, "maximum": 599},
                uniqueItems=True,
                default=[200, 301, 404],
            ),
            "cache_method": _some(
                {"description": "supported http method", "type": "string", "enum": ["GET", "POST", "HEAD"]},
                uniqueItems=True,
                default=["GET", "HEAD"],
            ),
            "hide_cache_headers": {"type": "boolean", "default": False},
            "cache_control": {"type": "boolean", "default": False},
            "cache_bypass": _some({"type": "string", "pattern": _PATTERN}),
            "no_cache": _some({"type": "string", "pattern": _PATTERN}),
            "cache_ttl": {"type": "integer", "minimum": 1, "default": 300},
            "consumer_isolation": {"type": "boolean", "default": True},
            "cache_set_cookie": {"type": "boolean", "default": False},
        },
    }

    def __init__(self, conf: Conf, scope: Scope) -> None:
        super().__init__(conf, scope)
        self._cache: DiskCache | MemoryCache = (
            MemoryCache(conf, scope) if conf["cache_strategy"] == "memory" else DiskCache(conf, scope)
        )
        self._key: Callable[[Context], str] = generated(conf["cache_key"])
        self._isolates = conf["consumer_isolation"] and not _IDENTITIES.intersection(conf["cache_key"])

    @classmethod
    def check(cls, conf: dict[str, Any]) -> str | None:
        """The key may not tell methods apart, and the zone must be of the strategy."""
        if "$request_method" in conf["cache_key"]:
            return "cache_key variable $request_method unsupported"
        zone = conf["cache_zone"]
        if zone not in ZONES:
            return f"cache_zone {zone} not found"
        if ZONES[zone] != conf["cache_strategy"]:
            return f"invalid or empty cache_zone for cache_strategy: {conf['cache_strategy']}"
        return None

    def access(self, ctx: Context) -> Exit | None:
        """Answer from the cache, or let the request through to fill it."""
        key = self._key(ctx)
        if self._isolates and ctx.consumer is not None:
            key = f"{ctx.consumer.name}\x01{key}"
        return self._cache.access(ctx, key)

    def header_filter(self, ctx: Context) -> None:
        """Decide whether this answer is kept."""
        self._cache.header_filter(ctx)

    def body_filter(self, ctx: Context, chunk: bytes, last: bool) -> bytes:
        """Keep a copy."""
        return self._cache.body_filter(ctx, chunk, last)
