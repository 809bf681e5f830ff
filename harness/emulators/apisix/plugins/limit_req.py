"""limit-req: a leaky bucket — requests come out at a steady rate, a burst waits or is refused."""

from __future__ import annotations

from asyncio import sleep
from typing import Any, ClassVar

from harness.emulators.apisix.context import Context, MaybeVerdict
from harness.emulators.apisix.plugins.base import Conf, Plugin, Schema, Scope
from harness.emulators.apisix.plugins.limits import (
    KEY_TYPE,
    POLICY,
    REJECTED,
    by_policy,
    key_of,
    namespace,
    refuse_policy,
    rejection,
)
from harness.emulators.apisix.plugins.redis_schema import REDIS, REDIS_CLUSTER


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
        self._namespace = namespace(conf, scope)
        self._key = key_of(conf["key"], conf["key_type"])
        self._rate = float(conf["rate"])
        self._burst = float(conf["burst"])
        self._rejected = rejection(conf)
        self._waits = not conf["nodelay"]

    @classmethod
    def check(cls, conf: dict[str, Any]) -> str | None:
        """Only the local policy is emulated."""
        return refuse_policy(conf)

    def access(self, ctx: Context) -> MaybeVerdict:
        """Refuse what exceeds the burst; hold the rest back until its turn."""
        key = self._key(ctx)
        excess = self._excess(self._namespace + (ctx.remote_addr if key is None else key))
        if excess is None:
            return self._rejected
        delay = excess / self._rate
        return sleep(delay) if self._waits and delay >= 0.001 else None

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
