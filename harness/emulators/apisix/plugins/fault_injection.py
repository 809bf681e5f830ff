"""fault-injection: answer with an error, or let the client wait, for a share of the requests that match."""

from __future__ import annotations

from asyncio import sleep
from collections.abc import Mapping
from typing import Any, ClassVar

from harness.emulators.apisix.context import Context, Exit, MaybeVerdict
from harness.emulators.apisix.match.expression import Condition, check, compile_expression
from harness.emulators.apisix.match.lua_values import to_text
from harness.emulators.apisix.plugins.base import Conf, Plugin, Schema, Scope
from harness.emulators.apisix.plugins.expressions import reads_body, with_body
from harness.emulators.apisix.variables import getter, resolve

_PERCENTAGE: Schema = {"type": "integer", "minimum": 0, "maximum": 100}
_VARS: Schema = {"type": "array", "maxItems": 20, "items": {"type": "array"}}


class _Chance:
    """For which requests a fault is meant: any of the conditions, and the dice."""

    def __init__(self, conf: Mapping[str, Any] | None, scope: Scope) -> None:
        self.conf = conf
        self._percentage = conf.get("percentage") if conf else None
        self._conditions: list[Condition | None] | None = None
        self._random = scope.random
        if conf and "vars" in conf:
            self._conditions = [compile_expression(rule, getter) for rule in conf["vars"]]

    def hits(self, ctx: Context) -> bool:
        if self.conf is None:
            return False
        if self._percentage is not None and self._random.randint(1, 100) > self._percentage:
            return False
        return self._conditions is None or any(one is None or one(ctx) for one in self._conditions)


class FaultInjection(Plugin):
    name = "fault-injection"
    priority = 11000
    schema: ClassVar[Schema] = {
        "type": "object",
        "properties": {
            "abort": {
                "type": "object",
                "properties": {
                    "http_status": {"type": "integer", "minimum": 200},
                    "body": {"type": "string", "minLength": 0},
                    "headers": {
                        "type": "object",
                        "minProperties": 1,
                        "patternProperties": {"^[^:]+$": {"oneOf": [{"type": "string"}, {"type": "number"}]}},
                    },
                    "percentage": _PERCENTAGE,
                    "vars": _VARS,
                },
                "required": ["http_status"],
            },
            "delay": {
                "type": "object",
                "properties": {
                    "duration": {"type": "number", "minimum": 0},
                    "percentage": _PERCENTAGE,
                    "vars": _VARS,
                },
                "required": ["duration"],
            },
        },
        "minProperties": 1,
    }

    def __init__(self, conf: Conf, scope: Scope) -> None:
        super().__init__(conf, scope)
        self._reads_body = any(reads_body(conf.get(fault, {}).get("vars")) for fault in ("abort", "delay"))
        self._abort = _Chance(conf.get("abort"), scope)
        self._delay = _Chance(conf.get("delay"), scope)
        self._seconds: float = conf.get("delay", {}).get("duration", 0)
        fields = conf.get("abort", {}).get("headers", {})
        self._headers = [(name, resolve(to_text(value))) for name, value in fields.items()]
        body = conf.get("abort", {}).get("body")
        self._body = None if body is None else resolve(body)

    @classmethod
    def check(cls, conf: dict[str, Any]) -> str | None:
        """The expressions of both faults."""
        rules = [rule for fault in ("abort", "delay") for rule in conf.get(fault, {}).get("vars", ())]
        return next((problem for rule in rules if (problem := check(rule))), None)

    def rewrite(self, ctx: Context) -> MaybeVerdict:
        """Wait, then abort; whom it hits is decided before the wait."""
        return with_body(ctx, self._decide) if self._reads_body else self._decide(ctx)

    def _decide(self, ctx: Context) -> MaybeVerdict:
        delays = self._delay.hits(ctx)
        verdict = self._verdict(ctx) if self._abort.hits(ctx) else None
        return self._later(verdict) if delays else verdict

    async def _later(self, verdict: Exit | None) -> Exit | None:
        await sleep(self._seconds)
        return verdict

    def _verdict(self, ctx: Context) -> Exit:
        body = None if self._body is None else self._body(ctx).encode("latin-1")
        headers = tuple((name, value(ctx)) for name, value in self._headers)
        return Exit(self.conf["abort"]["http_status"], body, headers)
