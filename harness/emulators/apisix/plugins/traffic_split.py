"""traffic-split: send a share of the requests, or those that match, to other upstreams."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

from harness.emulators.apisix.balance.node import Node
from harness.emulators.apisix.balance.roundrobin import turns
from harness.emulators.apisix.context import Context, Exit, MaybeVerdict
from harness.emulators.apisix.match.expression import Condition, ExpressionError, compile_expression
from harness.emulators.apisix.plugins.base import Conf, Plugin, Schema, Scope
from harness.emulators.apisix.plugins.expressions import reads_body, with_body
from harness.emulators.apisix.resources.upstream import UPSTREAM
from harness.emulators.apisix.schema.common import ID
from harness.emulators.apisix.variables import getter


class _Split:
    """The weighted upstreams of one rule: an id, an upstream of the plugin's own, or None for the route's."""

    def __init__(self, entries: list[dict[str, Any]], scope: Scope) -> None:
        self.ids = [str(entry["upstream_id"]) for entry in entries if "upstream_id" in entry]
        self._choices = [self._choice(entry, scope) for entry in entries]
        nodes = [Node(str(index), 0, entry["weight"]) for index, entry in enumerate(entries)]
        self._turns: Iterator[Node] = turns(nodes, scope.random.randrange(len(nodes)))

    @staticmethod
    def _choice(entry: dict[str, Any], scope: Scope) -> Any:
        if "upstream_id" in entry:
            return str(entry["upstream_id"])
        if "upstream" not in entry:
            return None
        upstream = scope.upstream(entry["upstream"])
        if upstream is not None and entry["upstream"].get("scheme") != "https":
            # traffic-split.lua doesn't settle the scheme before a node is picked, so its port is never named
            upstream.names_port = False
        return upstream

    def next(self) -> Any:
        return self._choices[int(next(self._turns).host)]


class TrafficSplit(Plugin):
    name = "traffic-split"
    priority = 966
    schema: ClassVar[Schema] = {
        "type": "object",
        "properties": {
            "rules": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {
                        "match": {
                            "type": "array",
                            "items": {"type": "object", "properties": {"vars": {"type": "array"}}},
                        },
                        "weighted_upstreams": {
                            "type": "array",
                            "items": {
                                "type": "object",
                                "properties": {
                                    "upstream_id": ID,
                                    "upstream": UPSTREAM,
                                    "weight": {
                                        "description": "used to split traffic between different"
                                        "upstreams for plugin configuration",
                                        "type": "integer",
                                        "default": 1,
                                        "minimum": 0,
                                    },
                                },
                            },
                            "default": [{"weight": 1}],
                            "minItems": 1,
                            "maxItems": 20,
                        },
                    },
                },
            }
        },
    }

    def __init__(self, conf: Conf, scope: Scope) -> None:
        super().__init__(conf, scope)
        self._reads_body = any(reads_body(rule.get("match")) for rule in conf.get("rules", ()))
        self._rules = [
            (_conditions(rule.get("match")), _Split(rule["weighted_upstreams"], scope))
            for rule in conf.get("rules", ())
        ]

    @classmethod
    def check(cls, conf: dict[str, Any]) -> str | None:
        """The expressions of `match`."""
        try:
            for rule in conf.get("rules", ()):
                _conditions(rule.get("match"))
        except ExpressionError as problem:
            return f"failed to validate the 'vars' expression: {problem}"
        return None

    def access(self, ctx: Context) -> MaybeVerdict:
        """The first rule that matches decides; without one the route's upstream stays."""
        return with_body(ctx, self._decide) if self._reads_body else self._decide(ctx)

    def _decide(self, ctx: Context) -> Exit | None:
        for conditions, split in self._rules:
            for identity in split.ids:
                if self.scope.upstream(identity) is None:
                    return Exit(500, f"failed to fetch upstream info by upstream id: {identity}")
            if conditions is None or any(condition is None or condition(ctx) for condition in conditions):
                choice = split.next()
                ctx.upstream = self.scope.upstream(choice) if isinstance(choice, str) else choice
                return None
        return None


def _conditions(match: list[dict[str, Any]] | None) -> list[Condition | None] | None:
    if match is None:
        return None
    return [compile_expression(single.get("vars"), getter) for single in match]
