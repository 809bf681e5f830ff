"""cors: answers preflights and tells browsers which origins may read an answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from harness.emulators.apisix import pcre
from harness.emulators.apisix.context import Context, Exit
from harness.emulators.apisix.plugins.base import Conf, Plugin, Schema, Scope

#: from the request's Origin to the origin to allow, or None
Rule = Callable[[str | None], str | None]

_ORIGINS = r"^(\*|\*\*|null|\w+://[^,]+(,\w+://[^,]+)*)$"
_ALL_METHODS = "GET,POST,PUT,DELETE,PATCH,HEAD,OPTIONS,CONNECT,TRACE"
_TEXTS: Schema = {
    "type": "array",
    "items": {"type": "string", "minLength": 1, "maxLength": 4096},
    "minItems": 1,
    "uniqueItems": True,
}
_NOT_STAR = (
    "allow_origins",
    "allow_methods",
    "allow_headers",
    "expose_headers",
    "timing_allow_origins",
)


class Cors(Plugin):
    """Origins come from a list, from patterns, or from lists in the plugin's metadata."""

    name = "cors"
    priority = 4000
    schema: ClassVar[Schema] = {
        "type": "object",
        "properties": {
            "allow_origins": {"type": "string", "pattern": _ORIGINS, "default": "*"},
            "allow_methods": {"type": "string", "default": "*"},
            "allow_headers": {"type": "string", "default": "*"},
            "expose_headers": {"type": "string"},
            "max_age": {"type": "integer", "default": 5},
            "allow_credential": {"type": "boolean", "default": False},
            "allow_origins_by_regex": _TEXTS,
            "allow_origins_by_metadata": _TEXTS,
            "timing_allow_origins": {"type": "string", "pattern": _ORIGINS},
            "timing_allow_origins_by_regex": _TEXTS,
        },
    }
    metadata_schema: ClassVar[Schema] = {
        "type": "object",
        "properties": {
            "allow_origins": {"type": "object", "additionalProperties": {"type": "string", "pattern": _ORIGINS}}
        },
    }

    @classmethod
    def check(cls, conf: dict[str, Any]) -> str | None:
        """No star along with credentials, and patterns that compile."""
        if conf["allow_credential"] and any(conf.get(member) == "*" for member in _NOT_STAR):
            return "you can not set '*' for other option when 'allow_credential' is true"
        patterns = [*conf.get("allow_origins_by_regex", ()), *conf.get("timing_allow_origins_by_regex", ())]
        return pcre.problem(patterns)

    def __init__(self, conf: Conf, scope: Scope) -> None:
        super().__init__(conf, scope)
        by_regex = conf.get("allow_origins_by_regex")
        self._own = by_pattern(by_regex) if by_regex else by_list(conf["allow_origins"])
        self._timing = self._timing_rule()
        self._metadata_keys: list[str] = conf.get("allow_origins_by_metadata") or []
        methods = _ALL_METHODS if conf["allow_methods"] == "**" else conf["allow_methods"]
        fixed = [("Access-Control-Allow-Methods", methods), ("Access-Control-Max-Age", str(conf["max_age"]))]
        if conf.get("expose_headers"):
            fixed.append(("Access-Control-Expose-Headers", conf["expose_headers"]))
        self._fixed = fixed

    def _timing_rule(self) -> Rule | None:
        by_regex = self.conf.get("timing_allow_origins_by_regex")
        if by_regex:
            return by_pattern(by_regex)
        origins = self.conf.get("timing_allow_origins")
        return by_list(origins) if origins else None

    def rewrite(self, ctx: Context) -> Exit | None:
        """Keep the Origin as it came, and answer every OPTIONS request."""
        ctx.notes["cors"] = ctx.headers.get("origin")
        return Exit(200) if ctx.method == "OPTIONS" else None

    def header_filter(self, ctx: Context) -> None:
        """Set what browsers look for."""
        origin = ctx.notes.get("cors")
        allowed = self._allowed(origin)
        if self.conf["allow_origins"] != "*":
            ctx.response.add("Vary", "Origin")
        if allowed is not None:
            self._allow(ctx, allowed)
        timing = self._timing(origin) if self._timing else None
        if timing is not None and timing in (origin, "*"):
            ctx.response.set("Timing-Allow-Origin", timing)

    def _allowed(self, origin: str | None) -> str | None:
        # cors.lua: with metadata the own rules count only when they aren't the default
        allowed = self._by_metadata(origin) if self._metadata_keys else self._own(origin)
        if self._metadata_keys and allowed not in (origin, "*") and self.conf["allow_origins"] != "*":
            allowed = self._own(origin)
        return allowed if allowed in (origin, "*") else None

    def _by_metadata(self, origin: str | None) -> str | None:
        origins = (self.scope.metadata("cors") or {}).get("allow_origins") or {}
        for key in self._metadata_keys:
            allowed = by_list(origins[key])(origin) if key in origins else None
            if allowed in (origin, "*"):
                return origin
        return None

    def _allow(self, ctx: Context, origin: str) -> None:
        response = ctx.response
        response.set("Access-Control-Allow-Origin", origin)
        for name, value in self._fixed:
            response.set(name, value)
        headers = self.conf["allow_headers"]
        if headers == "**":
            headers = ctx.headers.get("access-control-request-headers")
        if headers is None:
            response.remove("Access-Control-Allow-Headers")
        else:
            response.set("Access-Control-Allow-Headers", headers)
        if self.conf["allow_credential"]:
            response.set("Access-Control-Allow-Credentials", "true")


def by_list(origins: str) -> Rule:
    """The rule of `allow_origins`: a star, any origin (two stars), one origin or several with commas."""
    if origins == "**":
        return lambda origin: origin or "*"
    if "," in origins:
        listed = frozenset(part for part in origins.split(",") if part)
        return lambda origin: origin if origin in listed else None
    return lambda origin: origins


def by_pattern(patterns: list[str]) -> Rule:
    """The rule of `…_by_regex`: any pattern found in the origin."""
    search = pcre.compile("|".join(patterns)).search
    return lambda origin: origin if origin is not None and search(origin) else None
