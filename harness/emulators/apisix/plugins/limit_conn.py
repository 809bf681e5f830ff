"""limit-conn: so many requests at a time; some more are slowed down, the rest refused."""

from __future__ import annotations

from asyncio import sleep
from typing import Any, ClassVar

from harness.emulators.apisix.context import Context, Exit, MaybeVerdict
from harness.emulators.apisix.plugins.base import Conf, Plugin, Schema, Scope
from harness.emulators.apisix.plugins.limits import (
    KEY_TYPE,
    POLICY,
    REJECTED,
    Key,
    amount,
    amount_or_text,
    by_policy,
    key_of,
    namespace,
    refuse_policy,
    rejection,
)
from harness.emulators.apisix.plugins.redis_schema import REDIS, REDIS_CLUSTER, with_key_ttl
from harness.emulators.apisix.plugins.templates import counted

_CONN = amount_or_text({"exclusiveMinimum": 0})
_BURST = amount_or_text({"minimum": 0})
#: the counters that a request holds, to be given back when it is over
_HELD = "limit-conn"


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
        self._namespace = namespace(conf, scope)
        self._unit = float(conf["default_conn_delay"])
        self._rejected = rejection(conf)
        if "rules" in conf:
            self._rules = [_Rule(counted(rule["key"]), rule, True) for rule in conf["rules"]]
        else:
            self._rules = [_Rule(key_of(conf["key"], conf["key_type"]), conf, False)]

    @classmethod
    def check(cls, conf: dict[str, Any]) -> str | None:
        """Only the local policy is emulated."""
        return refuse_policy(conf)

    def access(self, ctx: Context) -> MaybeVerdict:
        """Take a place with each rule that applies; wait as long as the slowest one's queue says."""
        applied, delay = False, 0.0
        for rule in self._rules:
            key = rule.key(ctx)
            if key is None and rule.optional:
                continue
            try:
                conn, burst = rule.conn(ctx), rule.burst(ctx)
            except ValueError as problem:
                self.scope.log("error", f"failed to get limit conn rules: {problem}")
                continue
            applied = True
            waits = self._enter(ctx, self._namespace + (ctx.remote_addr if key is None else key), conn, burst)
            if waits is None:
                return self._rejected
            delay += waits
        if not applied:
            self.scope.log("error", "failed to get limit conn rules: nil")
            return None if self.conf["allow_degradation"] else Exit(500)
        return sleep(delay) if delay >= 0.001 else None

    def _enter(self, ctx: Context, key: str, conn: float, burst: float) -> float | None:
        """Seconds to wait with a place taken, None when there is none (resty.limit.conn)."""
        present = self._store.incr(key, 1, 0) or 1
        if present > conn + burst:
            self._store.incr(key, -1)
            return None
        ctx.notes.setdefault(_HELD, []).append((self._store, key))
        return self._unit * ((present - 1) // conn) if present > conn else 0.0

    def log(self, ctx: Context) -> None:
        """Give all places back, those taken for other configurations (workflow's) too."""
        for store, key in ctx.notes.pop(_HELD, ()):
            store.incr(key, -1)
