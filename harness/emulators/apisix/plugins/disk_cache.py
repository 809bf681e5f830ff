"""The disk strategy of proxy-cache: nginx's proxy_cache as APISIX sets it up. Its zone lives as long as the gateway."""

from __future__ import annotations

from harness.emulators.apisix.context import Context, Exit
from harness.emulators.apisix.plugins.base import Conf, Scope
from harness.emulators.apisix.plugins.cache_control import (
    Kept,
    directives,
    find,
    fresh_for,
    generated,
    keep,
    says_yes,
)
from harness.emulators.apisix.plugins.gathering import hold

#: proxy_cache_valid any, unless config.yaml's proxy_cache.cache_ttl says otherwise
_VALID = 10.0
_NOT_KEPT = frozenset(("connection", "transfer-encoding", "apisix-cache-status", "date", "server", "content-length"))
_STATE = "proxy-cache.disk"
_ENTRY = "proxy-cache.disk.entry"


class DiskCache:
    """One configuration's view of a zone."""

    def __init__(self, conf: Conf, scope: Scope) -> None:
        self.conf = conf
        self._store = scope.shared(conf["cache_zone"])
        self._clock = scope.clock
        self._bypass = generated(conf["cache_bypass"]) if "cache_bypass" in conf else None
        self._no_cache = generated(conf["no_cache"]) if "no_cache" in conf else None

    def access(self, ctx: Context, key: str) -> Exit | None:
        """The kept answer, if it is fresh and nothing says to pass it over."""
        if ctx.method == "PURGE":
            return Exit(200 if self.forget(key) else 404)
        bypass = ctx.method not in self.conf["cache_method"]
        if bypass or (self._bypass is not None and says_yes(self._bypass(ctx))):
            ctx.notes[_STATE] = ("BYPASS", key)
            return None
        kept = find(self._store, key)
        if kept is None or self._clock.time() - kept.stored >= kept.ttl:
            ctx.notes[_STATE] = ("MISS" if kept is None else "EXPIRED", key)
            return None
        ctx.notes[_STATE] = ("HIT", key)
        for name, value in kept.headers:
            ctx.response.add(name, value)
        return Exit(kept.status, kept.body)

    def forget(self, key: str) -> bool:
        """Drop a key; tells whether it was there."""
        there = self._store.get(key) is not None
        self._store.delete(key)
        return there

    def header_filter(self, ctx: Context) -> None:
        """Tell the cache's status; decide whether the answer is kept."""
        state = ctx.notes.get(_STATE)
        if state is None:
            return
        status, key = state
        response = ctx.response
        ttl = self._time_to_live(ctx) if status != "HIT" else None
        if ttl:
            headers = [[name, value] for lower, name, value in response.items if lower not in _NOT_KEPT]
            ctx.notes[_ENTRY] = (key, ctx.status, headers, ttl)
        if self.conf["hide_cache_headers"]:
            response.remove("cache-control")
            response.remove("expires")
        if status == "HIT" or ctx.tries:
            response.set("Apisix-Cache-Status", status)

    def _time_to_live(self, ctx: Context) -> float | None:
        """What nginx makes of the upstream's headers: its own word wins over proxy_cache_valid."""
        if not ctx.from_upstream or ctx.method not in self.conf["cache_method"]:
            return None
        if ctx.status not in self.conf["cache_http_status"]:
            return None
        if self._no_cache is not None and says_yes(self._no_cache(ctx)):
            return None
        response = ctx.response
        said = directives(response.get("cache-control"))
        if "set-cookie" in response or response.get("vary") == "*" or said.keys() & {"private", "no-store", "no-cache"}:
            return None
        own = fresh_for(said, response.get("expires"), self._clock.time())
        return _VALID if own is None else own

    def body_filter(self, ctx: Context, chunk: bytes, last: bool) -> bytes:
        """Gather a copy."""
        entry = ctx.notes.get(_ENTRY)
        if entry is not None:
            body = hold(ctx, "proxy-cache", chunk, last)
            if body is not None:
                key, status, headers, ttl = entry
                keep(self._store, key, Kept(status, headers, body, ttl, self._clock.time()))
        return chunk
