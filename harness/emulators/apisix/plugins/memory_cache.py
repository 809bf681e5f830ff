"""The memory strategy of proxy-cache (apisix/plugins/proxy-cache/memory_handler.lua), Vary and PURGE included."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from harness.emulators.apisix.context import Context, Exit
from harness.emulators.apisix.plugins.base import Conf, Scope
from harness.emulators.apisix.plugins.cache_control import (
    Directives,
    Kept,
    directives,
    find,
    fresh_for,
    generated,
    keep,
    says_yes,
)
from harness.emulators.apisix.plugins.gathering import hold

STATUS = "Apisix-Cache-Status"
_MOST_VARIANTS = 64
#: never kept: the connection's own, and what the server writes anew
_NOT_KEPT = frozenset(
    (
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "te",
        "trailers",
        "transfer-encoding",
        "upgrade",
        "content-length",
        "apisix-cache-status",
        "date",
        "server",
    )
)
_CACHE_HEADERS = ("cache-control", "expires")
#: the key to fill, noted from access to the last of the body
_FILLING = "proxy-cache.filling"
_ENTRY = "proxy-cache.entry"


class MemoryCache:
    """One configuration's view of a zone."""

    def __init__(self, conf: Conf, scope: Scope) -> None:
        self.conf = conf
        self._store = scope.shared(conf["cache_zone"])
        self._clock = scope.clock
        self._bypass = generated(conf["cache_bypass"]) if "cache_bypass" in conf else None
        self._no_cache = generated(conf["no_cache"]) if "no_cache" in conf else None

    # -- access

    def access(self, ctx: Context, key: str) -> Exit | None:
        """The kept answer, if there is a fresh one for this request."""
        # the length in front keeps a crafted key from spelling another one's variant
        base = f"{len(key)}:{key}"
        if ctx.method == "PURGE":
            return self._purge(ctx, base)
        asked = directives(ctx.headers.get("cache-control"))
        refused = self._not_for_cache(ctx, asked)
        if refused:
            ctx.response.set(STATUS, refused)
            return None
        ctx.notes[_FILLING] = base
        kept = find(self._store, self._variant(ctx, base))
        status = self._stale(kept, asked)
        if status:
            ctx.response.set(STATUS, status)
            alone = kept is None and self.conf["cache_control"] and "only-if-cached" in asked
            return Exit(504) if alone else None
        assert kept is not None
        del ctx.notes[_FILLING]
        return self._hit(ctx, kept)

    def _purge(self, ctx: Context, base: str) -> Exit:
        if self._store.get(base) is None and self._store.get(f"{base}::__vary") is None:
            # upstream's slip: the 404 itself is then kept under this key
            ctx.notes[_FILLING] = base
            return Exit(404)
        self._drop(base)
        return Exit(200)

    def _not_for_cache(self, ctx: Context, asked: Directives) -> str:
        if ctx.method not in self.conf["cache_method"]:
            return "MISS"
        if self._bypass is not None and says_yes(self._bypass(ctx)):
            return "BYPASS"
        return "BYPASS" if self.conf["cache_control"] and ("no-store" in asked or "no-cache" in asked) else ""

    def _stale(self, kept: Kept | None, asked: Directives) -> str:
        """Why a kept answer can't be used; empty when it can."""
        if kept is None:
            return "MISS"
        age = self._clock.time() - kept.stored
        if age >= kept.ttl:
            return "EXPIRED"
        if self.conf["cache_control"]:
            most, least = _number(asked, "max-age"), _number(asked, "min-fresh")
            too_old = (most is not None and age > most) or (least is not None and kept.ttl - age < least)
            return "STALE" if too_old or age - kept.ttl > (_number(asked, "max-stale") or 0) else ""
        return ""

    def _hit(self, ctx: Context, kept: Kept) -> Exit:
        for name, _ in kept.headers:
            ctx.response.remove(name)
        for name, value in kept.headers:
            if not (self.conf["hide_cache_headers"] and name.lower() in _CACHE_HEADERS):
                ctx.response.add(name, value)
        ctx.response.set("Age", str(int(self._clock.time() - kept.stored)))
        ctx.response.set(STATUS, "HIT")
        return Exit(kept.status, kept.body)

    # -- filling

    def header_filter(self, ctx: Context) -> None:
        """Decide whether the answer is kept, and for how long."""
        base = ctx.notes.pop(_FILLING, None)
        if base is None:
            return
        if self.conf["hide_cache_headers"]:
            for name in _CACHE_HEADERS:
                ctx.response.remove(name)
        ttl = self._time_to_live(ctx)
        if ttl is not None:
            headers = [
                [name, value]
                for lower, name, value in ctx.response.items
                if lower not in _NOT_KEPT and "ratelimit-remaining" not in lower
            ]
            vary = _vary(ctx)
            ctx.notes[_ENTRY] = (base, vary, ctx.status, headers, ttl)

    def _time_to_live(self, ctx: Context) -> float | None:
        if ctx.status not in self.conf["cache_http_status"]:
            return None
        if self._no_cache is not None and says_yes(self._no_cache(ctx)):
            return None
        response = ctx.response
        said = directives(response.get("cache-control")) if ctx.from_upstream else {}
        if said.keys() & {"private", "no-store", "no-cache"}:
            return None
        own = fresh_for(said, response.get("expires") if ctx.from_upstream else None, self._clock.time())
        if self.conf["cache_control"] and not own:
            return None
        if "set-cookie" in response and not self.conf["cache_set_cookie"]:
            return None
        if "*" in _vary(ctx):
            return None
        return own if self.conf["cache_control"] else float(self.conf["cache_ttl"])

    def body_filter(self, ctx: Context, chunk: bytes, last: bool) -> bytes:
        """Gather a copy; what is longer than allowed isn't kept."""
        entry = ctx.notes.get(_ENTRY)
        if entry is None:
            return chunk
        limit = self.conf["max_resp_body_size"]
        body = hold(ctx, "proxy-cache", chunk, last, limit)
        if body is not None and len(body) < limit:
            base, vary, status, headers, ttl = entry
            key = self._place(ctx, base, vary, ttl)
            keep(self._store, key, Kept(status, headers, body, ttl, self._clock.time()))
        return chunk

    # -- variants

    def _variant(self, ctx: Context, base: str) -> str:
        index = self._index(base)
        return f"{base}::{_signature(ctx, index['vary'])}" if index else base

    def _index(self, base: str) -> dict[str, Any] | None:
        raw = self._store.get(f"{base}::__vary")
        return json.loads(raw) if raw else None

    def _place(self, ctx: Context, base: str, vary: list[str], ttl: float) -> str:
        """The key to keep an answer under; older entries that would hide it go."""
        index = self._index(base)
        if not vary:
            if index:
                self._drop(base)
            return base
        if index and index["vary"] != vary:
            self._drop(base)
            index = None
        signature = _signature(ctx, vary)
        variants = [one for one in (index["variants"] if index else []) if one != signature] + [signature]
        for gone in variants[:-_MOST_VARIANTS]:
            self._store.delete(f"{base}::{gone}")
        held = {"vary": vary, "variants": variants[-_MOST_VARIANTS:]}
        self._store.set(f"{base}::__vary", json.dumps(held), ttl + 3600)
        self._store.delete(base)
        return f"{base}::{signature}"

    def forget(self, key: str) -> None:
        """Drop all variants of a key."""
        self._drop(f"{len(key)}:{key}")

    def _drop(self, base: str) -> None:
        index = self._index(base)
        for signature in index["variants"] if index else ():
            self._store.delete(f"{base}::{signature}")
        self._store.delete(f"{base}::__vary")
        self._store.delete(base)


def _vary(ctx: Context) -> list[str]:
    """The request headers that the upstream's answer depends on, sorted."""
    if not ctx.from_upstream:
        return []
    names = ",".join(ctx.response.get_all("vary")).lower().split(",")
    return sorted({name.strip() for name in names} - {""})


def _signature(ctx: Context, vary: list[str]) -> str:
    values = "\0".join(", ".join(ctx.headers.get_all(name)) for name in vary)
    return hashlib.md5(values.encode("latin-1", "replace"), usedforsecurity=False).hexdigest()


def _number(asked: Directives, name: str) -> float | None:
    value = asked.get(name)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
