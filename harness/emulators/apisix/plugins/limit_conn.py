"""limit-conn: so many requests at a time; some more are slowed down, the rest refused."""

from __future__ import annotations

from asyncio import Task, get_running_loop, sleep
from typing import ClassVar
from uuid import uuid4

from harness.emulators.apisix.context import Context, Exit, MaybeVerdict
from harness.emulators.apisix.plugins.base import Conf, Plugin, Schema, Scope
from harness.emulators.apisix.plugins.limits import (
    KEY_TYPE,
    POLICY,
    REJECTED,
    Key,
    amount,
    amount_or_text,
    around,
    by_policy,
    key_of,
    rejection,
)
from harness.emulators.apisix.plugins.redis_pool import RedisFailed
from harness.emulators.apisix.plugins.redis_schema import REDIS, REDIS_CLUSTER, with_key_ttl
from harness.emulators.apisix.plugins.redis_servers import Redis, Script, redis_of
from harness.emulators.apisix.plugins.templates import counted

_CONN = amount_or_text({"exclusiveMinimum": 0})
_BURST = amount_or_text({"minimum": 0})
#: what gives back the places that a request holds
_HELD = "limit-conn"
#: the requests of a key in a sorted set, by when they count no longer (limit-conn/util.lua): {let in, present}
_ENTER = Script("""
local now, ttl = tonumber(ARGV[3]), tonumber(ARGV[2])
redis.call('ZREMRANGEBYSCORE', KEYS[1], 0, now)
local present = redis.call('ZCARD', KEYS[1])
if present >= tonumber(ARGV[1]) then
  return {0, present}
end
redis.call('ZADD', KEYS[1], now + ttl, ARGV[4])
redis.call('EXPIRE', KEYS[1], ttl)
return {1, present + 1}
""")


class _Rule:
    """One limit: whose key, how many at a time, how many more that wait."""

    __slots__ = ("burst", "conn", "key", "optional")

    def __init__(self, key: Key, conf: Conf, optional: bool) -> None:
        self.key = key
        self.conn = amount(conf["conn"])
        self.burst = amount(conf["burst"], 0)
        self.optional = optional


class LimitConn(Plugin):
    name = "limit-conn"
    priority = 1003
    schema: ClassVar[Schema] = {
        "type": "object",
        "properties": {
            "conn": _CONN,
            "burst": _BURST,
            "default_conn_delay": {"type": "number", "exclusiveMinimum": 0},
            "only_use_default_delay": {"type": "boolean", "default": False},
            "key": {"type": "string"},
            "key_type": KEY_TYPE,
            "policy": POLICY,
            **REJECTED,
            "allow_degradation": {"type": "boolean", "default": False},
            "rules": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {"conn": _CONN, "burst": _BURST, "key": {"type": "string"}},
                    "required": ["conn", "burst", "key"],
                },
            },
        },
        "oneOf": [
            {"required": ["conn", "burst", "default_conn_delay", "key"]},
            {"required": ["default_conn_delay", "rules"]},
        ],
        **by_policy(with_key_ttl(REDIS), with_key_ttl(REDIS_CLUSTER)),
    }
    encrypt_fields = ("redis_password",)

    def __init__(self, conf: Conf, scope: Scope) -> None:
        super().__init__(conf, scope)
        self._store = scope.shared("plugin-limit-conn")
        self._before, self._after = around(conf, scope)
        self._unit = float(conf["default_conn_delay"])
        self._rejected = rejection(conf)
        self._leaving: set[Task[None]] = set()
        if "rules" in conf:
            self._rules = [_Rule(counted(rule["key"]), rule, True) for rule in conf["rules"]]
        else:
            self._rules = [_Rule(key_of(conf["key"], conf["key_type"]), conf, False)]
        if conf["policy"] != "local":
            self._redis: Redis = redis_of(conf, scope)
            self.access = self._access_redis  # type: ignore[method-assign]

    def access(self, ctx: Context) -> MaybeVerdict:
        """Take a place with each rule that applies; wait as long as their queues say together."""
        delay = 0.0
        applied = self._applied(ctx)
        if not applied:
            return self._degrade("failed to get limit conn rules")
        for name, conn, burst in applied:
            waits = self._enter(ctx, name, conn, burst)
            if waits is None:
                return self._rejected
            delay += waits
        return sleep(delay) if delay >= 0.001 else None

    async def _access_redis(self, ctx: Context) -> Exit | None:
        """As `access`, with the places in redis, where they expire if nobody gives them back."""
        applied = self._applied(ctx)
        if not applied:
            return self._degrade("failed to get limit conn rules")
        for name, conn, burst in applied:
            try:
                waits = await self._enter_redis(ctx, f"limit_conn:{name}", conn, burst)
            except RedisFailed as problem:
                return self._degrade(f"failed to limit conn: {problem}")
            if waits is None:
                return self._rejected
            if waits >= 0.001:
                await sleep(waits)
        return None

    def _applied(self, ctx: Context) -> list[tuple[str, float, float]]:
        """(name, how many at a time, how many more that wait) of each rule that holds for the request."""
        applied = []
        for rule in self._rules:
            key = rule.key(ctx)
            if key is None:
                if rule.optional:
                    continue
                key = ctx.remote_addr
            try:
                applied.append((self._before + key + self._after, rule.conn(ctx), rule.burst(ctx)))
            except ValueError as problem:
                self.scope.log("error", f"failed to get limit conn rules: {problem}")
        return applied

    def _degrade(self, message: str) -> Exit | None:
        self.scope.log("error", message)
        return None if self.conf["allow_degradation"] else Exit(500)

    def _enter(self, ctx: Context, key: str, conn: float, burst: float) -> float | None:
        """Seconds to wait with a place taken, None when there is none (resty.limit.conn)."""
        present = self._store.incr(key, 1, 0) or 1
        if present > conn + burst:
            self._store.incr(key, -1)
            return None
        ctx.notes.setdefault(_HELD, []).append(lambda: self._store.incr(key, -1))
        return self._waits(present, conn)

    async def _enter_redis(self, ctx: Context, key: str, conn: float, burst: float) -> float | None:
        """As `_enter`, in redis; raises RedisFailed."""
        ours = str(uuid4())
        now = int(self.scope.clock.time())
        let_in, present = await _ENTER.run(self._redis, key, int(conn + burst), self.conf["key_ttl"], now, ours)
        if not let_in:
            return None
        ctx.notes.setdefault(_HELD, []).append(lambda: self._leave(key, ours))
        return self._waits(present, conn)

    def _waits(self, present: float, conn: float) -> float:
        return self._unit * ((present - 1) // conn) if present > conn else 0.0

    def _leave(self, key: str, ours: str) -> None:
        """Give a place in redis back; nobody waits for it."""
        task = get_running_loop().create_task(self._remove(key, ours))
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)

    async def _remove(self, key: str, ours: str) -> None:
        try:
            await self._redis.call(key, "ZREM", key, ours)
        except RedisFailed as problem:
            self.scope.log("error", f"failed to record the connection leaving request: {problem}")

    def log(self, ctx: Context) -> None:
        """Give all places back, those taken for other configurations (workflow's) too."""
        for leave in ctx.notes.pop(_HELD, ()):
            leave()
