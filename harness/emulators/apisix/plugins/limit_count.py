"""limit-count: so many requests per window, counted by a key (or by several rules), shared by all workers."""

from __future__ import annotations

from math import floor
from typing import Any, ClassVar, NamedTuple

from harness.emulators.apisix.context import Context, Exit, MaybeVerdict
from harness.emulators.apisix.match.lua_values import to_text
from harness.emulators.apisix.plugins.base import Conf, Plugin, Schema, Scope
from harness.emulators.apisix.plugins.count_redis import Counter, Fixed, Sliding
from harness.emulators.apisix.plugins.count_windows import Taken, fixed, sliding
from harness.emulators.apisix.plugins.delayed_sync import DelayedSync
from harness.emulators.apisix.plugins.limits import REJECTED, Key, amount, amount_or_text, around, key_of, rejection
from harness.emulators.apisix.plugins.redis_pool import RedisFailed
from harness.emulators.apisix.plugins.redis_schema import REDIS, REDIS_CLUSTER, REDIS_SENTINEL
from harness.emulators.apisix.plugins.redis_servers import redis_of
from harness.emulators.apisix.plugins.templates import counted
from harness.emulators.apisix.variables import RATE_LIMITING_INFO

_AMOUNT = amount_or_text({"exclusiveMinimum": 0})
_POLICIES = {"redis": REDIS, "redis-cluster": REDIS_CLUSTER, "redis-sentinel": REDIS_SENTINEL}
_BOTH = "count/time_window and rules cannot be specified at the same time"
DEFAULT_HEADERS = {
    "limit_header": "X-RateLimit-Limit",
    "remaining_header": "X-RateLimit-Remaining",
    "reset_header": "X-RateLimit-Reset",
}

SCHEMA: Schema = {
    "type": "object",
    "properties": {
        "count": _AMOUNT,
        "time_window": _AMOUNT,
        "window_type": {"type": "string", "enum": ["fixed", "sliding"], "default": "fixed"},
        "rules": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "count": _AMOUNT,
                    "time_window": _AMOUNT,
                    "key": {"type": "string"},
                    "header_prefix": {"type": "string", "description": "prefix for rate limit headers"},
                },
                "required": ["count", "time_window", "key"],
            },
        },
        "group": {"type": "string"},
        "key": {"type": "string", "default": "remote_addr"},
        "key_type": {"type": "string", "enum": ["var", "var_combination", "constant"], "default": "var"},
        **REJECTED,
        "policy": {"type": "string", "enum": ["local", *_POLICIES], "default": "local"},
        "allow_degradation": {"type": "boolean", "default": False},
        "show_limit_quota_header": {"type": "boolean", "default": True},
        "sync_interval": {"type": "number", "default": -1},
    },
    "oneOf": [{"required": ["count", "time_window"]}, {"required": ["rules"]}],
    "if": {"properties": {"policy": {"enum": ["redis"]}}},
    "then": REDIS,
    "else": {
        "if": {"properties": {"policy": {"enum": ["redis-cluster"]}}},
        "then": REDIS_CLUSTER,
        "else": {"if": {"properties": {"policy": {"enum": ["redis-sentinel"]}}}, "then": REDIS_SENTINEL},
    },
}


class _Rule:
    """One limit: how to find its key, count, window and the three header names for a request."""

    __slots__ = ("amounts", "count", "headers", "key", "prefix", "text", "window")

    def __init__(self, key: Key, count: Any, window: Any, prefix: str = "") -> None:
        self.key = key
        self.count = amount(count)
        self.window = amount(window)
        self.prefix = prefix
        #: count and window, where no request has a say in them
        self.amounts = None if isinstance(count, str) or isinstance(window, str) else (+count, +window)
        self.text = to_text(count) if not isinstance(count, str) else None
        self.headers: tuple[tuple[str, str], ...] = ()


class _Applied(NamedTuple):
    """A rule with what it comes to for one request."""

    rule: _Rule
    name: str
    limit: float
    window: float


class LimitCount(Plugin):
    name = "limit-count"
    priority = 1002
    version = 0.5
    schema = SCHEMA
    metadata_schema: ClassVar[Schema] = {
        "type": "object",
        "properties": {key: {"type": "string", "default": name} for key, name in DEFAULT_HEADERS.items()},
    }
    encrypt_fields: ClassVar[tuple[str, ...]] = ("redis_password", "sentinel_password")
    #: the configuration with which each group was first seen: limit-count/init.lua keeps it as long as the process
    groups: ClassVar[dict[str, Conf]] = {}

    def __init__(self, conf: Conf, scope: Scope) -> None:
        super().__init__(conf, scope)
        store = scope.shared(f"plugin-{self.name}")
        self._before, self._after = (f"{conf['group']}:", "") if "group" in conf else around(conf, scope)
        self._show = conf["show_limit_quota_header"]
        self._rejected = rejection(conf)
        self._take = sliding(store, scope.clock) if conf["window_type"] == "sliding" else fixed(store)
        self._metadata: Any = self
        self._rules = _rules(conf)
        #: the last reset told: hundredths of a second, seconds, their text
        self._reset: tuple[int, float, str] = (-1, 0.0, "")
        self._single = None if "rules" in conf else self._rules[0]
        if conf["policy"] != "local":
            redis = redis_of(conf, scope)
            slides = conf["window_type"] == "sliding"
            self._counter: Counter = Sliding(redis, self.name, scope.clock) if slides else Fixed(redis, self.name)
            self._interval: float = conf["sync_interval"]
            self._delayed = DelayedSync(scope, store, self._counter, self._take, self._interval)
            self.charge = self._charge_redis  # type: ignore[method-assign]
        if "group" in conf and self._rules[0].amounts is None:
            self.charge = self._charge_group  # type: ignore[method-assign]
        if type(self).access is LimitCount.access:
            # spares each request a call
            self.access = self.charge  # type: ignore[method-assign]

    @classmethod
    def check(cls, conf: dict[str, Any]) -> str | None:
        """Rules against count, the group's first configuration, intervals."""
        if "rules" in conf and ("count" in conf or "time_window" in conf):
            return _BOTH
        if "group" in conf and (problem := cls._check_group(conf)):
            return problem
        keys = [rule["key"] for rule in conf.get("rules", ())]
        if repeated := next((key for index, key in enumerate(keys) if key in keys[:index]), None):
            return f"duplicate key '{repeated}' in rules"
        return _check_policy(conf)

    @classmethod
    def reword(cls, problem: str, conf: dict[str, Any]) -> str:
        """The schema's message, in limit-count's own words where count and rules collide."""
        collide = "rules" in conf and ("count" in conf or "time_window" in conf)
        return _BOTH if collide and "value should match only one schema" in problem else problem

    @classmethod
    def _check_group(cls, conf: dict[str, Any]) -> str | None:
        if "rules" in conf:
            return "group and rules cannot be specified at the same time"
        if "_vid" in conf:
            return "group is not supported"
        fields = {*SCHEMA["properties"], *_POLICIES.get(conf["policy"], {}).get("properties", ())}
        first = cls.groups.setdefault(conf["group"], dict(conf))
        return "group conf mismatched" if any(first.get(f) != conf.get(f) for f in fields) else None

    def access(self, ctx: Context) -> MaybeVerdict:
        """Count the request against the limit, or against each rule whose key is there."""
        return self.charge(ctx, 1)

    def charge(self, ctx: Context, cost: int = 1) -> MaybeVerdict:
        """Count `cost` against the limits; the answer when one is reached."""
        rule = self._single
        if rule is None or rule.amounts is None:
            applied = self._applied(ctx)
            return self._charge_all(ctx, applied, cost) if isinstance(applied, list) else applied
        key = rule.key(ctx)
        name = f"{self._before}{ctx.remote_addr if key is None else key}{self._after}"
        limit, window = rule.amounts
        return self._told(ctx, rule, name, limit, self._take(name, limit, window, cost))

    def _charge_all(self, ctx: Context, applied: list[_Applied], cost: int) -> Exit | None:
        for rule, name, limit, window in applied:
            if verdict := self._told(ctx, rule, name, limit, self._take(name, limit, window, cost)):
                return verdict
        return None

    def _charge_group(self, ctx: Context, cost: int = 1) -> MaybeVerdict:
        """Upstream makes a group's counter before it looks variables up, and fails: each request is a 500."""
        raise TypeError("attempt to compare number with string")

    async def _charge_redis(self, ctx: Context, cost: int = 1) -> Exit | None:
        """As `charge`, with counters in redis."""
        applied = self._applied(ctx)
        if not isinstance(applied, list):
            return applied
        for rule, name, limit, window in applied:
            # an interval as long as a window that only the request told would sync too late
            delayed = self._interval != -1 and window > self._interval
            try:
                taken = await (self._delayed if delayed else self._counter).take(name, limit, window, cost)
            except RedisFailed as problem:
                answer = Exit(500, {"error_msg": "failed to limit count"})
                return self._degrade(f"failed to limit count: {problem}", answer)
            if verdict := self._told(ctx, rule, name, limit, taken):
                return verdict
        return None

    def _applied(self, ctx: Context) -> list[_Applied] | Exit | None:
        """The rules that hold for the request, all found before any of them counts."""
        applied = []
        try:
            for rule in self._rules:
                key = rule.key(ctx)
                if key is None:
                    if self._single is None:
                        continue
                    key = ctx.remote_addr
                applied.append(_Applied(rule, self._before + key + self._after, rule.count(ctx), rule.window(ctx)))
        except ValueError as problem:
            return self._degrade(f"failed to get rate limit rules: {problem}", Exit(500))
        return applied or self._degrade("failed to get rate limit rules: nil", Exit(500))

    def _told(self, ctx: Context, rule: _Rule, name: str, limit: float, taken: Taken) -> Exit | None:
        """Leave what was counted in headers and variable, and the refusal if it is one."""
        metadata = self.scope.metadata(self.name)
        if metadata is not self._metadata:
            self._name_headers(metadata)
        rejected, left, exact = taken
        hundredths = floor(exact * 100)
        held = self._reset
        if held[0] != hundredths:
            # many requests come in a hundredth of a second
            seconds = hundredths / 100
            text = str(int(seconds) if seconds.is_integer() else seconds)
            held = self._reset = (hundredths, seconds, text)
        ctx.notes[RATE_LIMITING_INFO] = (name, limit, left, held[1])
        if self._show:
            (limits, limit_name), (lefts, left_name), (resets, reset_name) = rule.headers
            told = [
                (limits, limit_name, rule.text or to_text(limit)),
                (lefts, left_name, str(left)),
                (resets, reset_name, held[2]),
            ]
            response = ctx.response
            if response.items:
                for _, named, value in told:
                    response.set(named, value)
            else:
                response.items = told
        return self._rejected if rejected else None

    def _degrade(self, message: str, verdict: Exit) -> Exit | None:
        self.scope.log("error", message)
        return None if self.conf["allow_degradation"] else verdict

    def _name_headers(self, metadata: Any) -> None:
        self._metadata = metadata
        known = {**DEFAULT_HEADERS, **(metadata or {})}
        for rule in self._rules:
            named = [self.conf.get(key) or known[key] for key in DEFAULT_HEADERS]
            if rule.prefix:
                named = [name.replace("RateLimit-", f"{rule.prefix}-RateLimit-", 1) for name in named]
            rule.headers = tuple((name.lower(), name) for name in named)


def _rules(conf: Conf) -> tuple[_Rule, ...]:
    if "rules" not in conf:
        return (_Rule(key_of(conf["key"], conf["key_type"]), conf["count"], conf["time_window"]),)
    return tuple(
        _Rule(counted(rule["key"]), rule["count"], rule["time_window"], rule.get("header_prefix", str(index)))
        for index, rule in enumerate(conf["rules"], 1)
    )


def _check_policy(conf: dict[str, Any]) -> str | None:
    policy, interval = conf["policy"], conf["sync_interval"]
    if policy == "local":
        return None
    if interval != -1 and interval < 0.1:
        return "sync_interval should not be smaller than 0.1"
    window = conf.get("time_window")
    if interval != -1 and isinstance(window, int) and interval >= window:
        return "sync_interval should be smaller than time_window"
    return None
