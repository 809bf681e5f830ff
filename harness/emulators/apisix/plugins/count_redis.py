"""limit-count's two ways to count in redis, so that all gateways count together; keys as APISIX names them."""

from __future__ import annotations

from collections.abc import Awaitable
from math import floor
from typing import Protocol

from harness.clock import Clock
from harness.emulators.apisix.plugins.count_windows import Taken, accepted, refused, round_up, window_keys
from harness.emulators.apisix.plugins.redis_servers import Redis, Script

#: the counter's layout in limit-count/init.lua
_KEY_VERSION = "v1"

_COUNT = Script("""
local left = redis.call('PTTL', KEYS[1])
if left >= 0 then
  return {redis.call('INCRBY', KEYS[1], ARGV[1]), left}
end
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
return {tonumber(ARGV[1]), ARGV[2] * 1000}
""")
#: count, unless this window and the weighed last one are at the limit: {counted, of this window, of the last}
_SLIDE = Script("""
local cost, limit, last = tonumber(ARGV[1]), tonumber(ARGV[2]), math.min(tonumber(ARGV[6]), tonumber(ARGV[2]))
local alive = redis.call('PTTL', KEYS[1]) >= 0
local current = alive and tonumber(redis.call('GET', KEYS[1])) or 0
if current >= limit or last / tonumber(ARGV[3]) * tonumber(ARGV[4]) + current >= limit then
  return {0, current, last}
end
if alive then
  return {1, redis.call('INCRBY', KEYS[1], cost), last}
end
redis.call('SET', KEYS[1], cost, 'EX', ARGV[5])
return {1, cost, last}
""")


class Counter(Protocol):
    """A way to count in redis; both methods raise RedisFailed."""

    def take(self, name: str, limit: float, window: float, cost: float) -> Awaitable[Taken]:
        """Count a request that may still be refused."""
        ...

    def commit(self, name: str, limit: float, window: float, cost: float) -> Awaitable[Taken]:
        """Count requests that were let through already."""
        ...


class Fixed:
    """A window that begins with the first request and ends by redis's own clock."""

    def __init__(self, redis: Redis, plugin: str) -> None:
        self._redis = redis
        self._prefix = f"plugin-{plugin}:{_KEY_VERSION}:"

    async def take(self, name: str, limit: float, window: float, cost: float) -> Taken:
        """The count goes on when it is over the limit too."""
        told = await _COUNT.run(self._redis, self._prefix + name, int(cost), int(window))
        left = int(limit - int(told[0]))
        return left < 0, max(left, 0), int(told[1]) / 1000

    commit = take


class Sliding:
    """A window that slides by the gateway's clock."""

    def __init__(self, redis: Redis, plugin: str, clock: Clock) -> None:
        self._redis = redis
        self._prefix = f"plugin-{plugin}:"
        self._clock = clock

    async def take(self, name: str, limit: float, window: float, cost: float) -> Taken:
        """One step in redis decides and counts; the last window is past, so it can be read before."""
        now = self._clock.time()
        current_key, last_key = window_keys(self._prefix + name, window, now)
        left = window - now % window
        held = await self._redis.call(last_key, "GET", last_key)
        arguments = (int(cost), int(limit), int(window), left, int(window * 2), int(held or 0))
        counted, current, last = map(int, await _SLIDE.run(self._redis, current_key, *arguments))
        told = accepted if counted else refused
        return told(limit, window, left, current, last)

    async def commit(self, name: str, limit: float, window: float, cost: float) -> Taken:
        """What was let through counts even where the window is full."""
        now = self._clock.time()
        current_key, last_key = window_keys(self._prefix + name, window, now)
        left = window - now % window
        current, _ = map(int, await _COUNT.run(self._redis, current_key, int(cost), int(window * 2)))
        last = min(int(await self._redis.call(last_key, "GET", last_key) or 0), limit)
        return False, floor(limit - current - last / window * left), round_up(left)
