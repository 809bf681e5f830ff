"""limit-req: a leaky bucket — requests come out at a steady rate, a burst waits or is refused."""

from __future__ import annotations

from asyncio import sleep
from math import ceil
from typing import ClassVar

from harness.emulators.apisix.context import Context, Exit, MaybeVerdict
from harness.emulators.apisix.plugins.base import Conf, Plugin, Schema, Scope
from harness.emulators.apisix.plugins.limits import (
    KEY_TYPE,
    POLICY,
    REJECTED,
    around,
    by_policy,
    key_of,
    rejection,
)
from harness.emulators.apisix.plugins.redis_pool import RedisFailed
from harness.emulators.apisix.plugins.redis_schema import REDIS, REDIS_CLUSTER
from harness.emulators.apisix.plugins.redis_servers import Script, redis_of

#: the bucket in one hash, thousandths of a request and milliseconds (limit-req/util.lua): {let in, excess as text}
_POUR = Script("""
local rate, burst, now = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local held = redis.call('HMGET', KEYS[1], 'excess', 'last')
local excess = 0
if held[1] and held[2] then
  excess = math.max(tonumber(held[1]) - rate * math.abs(now - tonumber(held[2])) / 1000 + 1000, 0)
  if excess > burst then
    return {0, tostring(excess)}
  end
end
redis.call('HSET', KEYS[1], 'excess', excess, 'last', now)
redis.call('EXPIRE', KEYS[1], ARGV[4])
return {1, tostring(excess)}
""")


class LimitReq(Plugin):
    name = "limit-req"
    priority = 1001
    schema: ClassVar[Schema] = {
        "type": "object",
        "properties": {
            "rate": {"type": "number", "exclusiveMinimum": 0},
            "burst": {"type": "number", "minimum": 0},
            "key": {"type": "string"},
            "key_type": KEY_TYPE,
            "policy": POLICY,
            **REJECTED,
            "nodelay": {"type": "boolean", "default": False},
            "allow_degradation": {"type": "boolean", "default": False},
        },
        "required": ["rate", "burst", "key"],
        **by_policy(REDIS, REDIS_CLUSTER),
    }
    encrypt_fields = ("redis_password",)

    def __init__(self, conf: Conf, scope: Scope) -> None:
        super().__init__(conf, scope)
        self._store = scope.shared("plugin-limit-req")
        self._before, _ = around(conf, scope)
        self._key = key_of(conf["key"], conf["key_type"])
        self._rate = float(conf["rate"])
        self._burst = float(conf["burst"])
        self._rejected = rejection(conf)
        self._waits = not conf["nodelay"]
        if conf["policy"] != "local":
            self._redis = redis_of(conf, scope)
            self.access = self._access_redis  # type: ignore[method-assign]

    def access(self, ctx: Context) -> MaybeVerdict:
        """Refuse what exceeds the burst; hold the rest back until its turn."""
        excess = self._excess(self._name(ctx))
        if excess is None:
            return self._rejected
        delay = excess / self._rate
        return sleep(delay) if self._waits and delay >= 0.001 else None

    def _name(self, ctx: Context) -> str:
        key = self._key(ctx)
        return self._before + (ctx.remote_addr if key is None else key)

    async def _access_redis(self, ctx: Context) -> Exit | None:
        """As `access`, with the bucket in redis."""
        rate, burst = self._rate * 1000, self._burst * 1000
        arguments = (rate, burst, self.scope.clock.time() * 1000, ceil(burst / rate) + 1)
        try:
            let_in, told = await _POUR.run(self._redis, f"limit_req:{self._name(ctx)}", *arguments)
        except RedisFailed as problem:
            self.scope.log("error", f"failed to limit req: {problem}")
            return None if self.conf["allow_degradation"] else Exit(500)
        if not let_in:
            return self._rejected
        delay = float(told) / rate
        if self._waits and delay >= 0.001:
            await sleep(delay)
        return None

    def _excess(self, key: str) -> float | None:
        """How many requests are ahead in the bucket (resty.limit.req); None when it overflows."""
        now = self.scope.clock.time()
        held = self._store.get(key)
        excess = 0.0
        if held is not None:
            before, last = map(float, held.split())
            excess = max(before - self._rate * abs(now - last) + 1, 0.0)
            if excess > self._burst:
                return None
        # by then the bucket is empty, and a request sees what the first one saw
        self._store.set(key, f"{excess} {now}", (excess + 1) / self._rate)
        return excess
