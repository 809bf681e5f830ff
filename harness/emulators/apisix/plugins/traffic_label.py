"""traffic-label: headers for the upstream, by the request and by weight."""

from __future__ import annotations

from typing import Any, ClassVar

from harness.emulators.apisix import lua_json
from harness.emulators.apisix.balance.node import Node
from harness.emulators.apisix.balance.roundrobin import turns
from harness.emulators.apisix.context import Context, MaybeVerdict
from harness.emulators.apisix.match.expression import check, compile_expression
from harness.emulators.apisix.match.lua_values import to_text
from harness.emulators.apisix.plugins.base import Conf, Plugin, Schema, Scope
from harness.emulators.apisix.plugins.expressions import reads_body, with_body
from harness.emulators.apisix.plugins.proxy_rewrite import ProxyRewrite
from harness.emulators.apisix.schema.validate import Validator
from harness.emulators.apisix.variables import getter, resolve

_REWRITE = Validator(ProxyRewrite.schema)


class _Actions:
    """The header lists of one rule, in turn by weight."""

    def __init__(self, actions: list[dict[str, Any]], scope: Scope) -> None:
        self._fields = [
            [(name, resolve(to_text(value))) for name, value in action.get("set_headers", {}).items()]
            for action in actions
        ]
        nodes = [Node(str(index), 0, action["weight"]) for index, action in enumerate(actions)]
        self._turns = turns(nodes, scope.random.randrange(len(nodes)))

    def apply(self, ctx: Context) -> bool:
        """Set the headers of the action whose turn it is; False when it has none."""
        fields = self._fields[int(next(self._turns).host)]
        for name, value in fields:
            text = value(ctx)
            if text:
                ctx.headers.set(name, text)
            else:
                ctx.headers.remove(name)
        return bool(fields)


class TrafficLabel(Plugin):
    name = "traffic-label"
    priority = 967
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
                            "items": {"anyOf": [{"type": "array"}, {"type": "string"}]},
                            "minItems": 1,
                        },
                        "actions": {
                            "type": "array",
                            "items": {
                                "type": "object",
                                "properties": {
                                    "set_headers": {
                                        "description": "new headers for request",
                                        "type": "object",
                                        "minProperties": 1,
                                    },
                                    "weight": {"type": "integer", "default": 1, "minimum": 1},
                                },
                            },
                            "minItems": 1,
                        },
                    },
                    "required": ["actions"],
                },
                "minItems": 1,
            }
        },
        "required": ["rules"],
    }

    def __init__(self, conf: Conf, scope: Scope) -> None:
        super().__init__(conf, scope)
        self._reads_body = any(reads_body(rule.get("match")) for rule in conf["rules"])
        self._rules = [
            (compile_expression(rule.get("match"), getter), _Actions(rule["actions"], scope)) for rule in conf["rules"]
        ]

    @classmethod
    def check(cls, conf: dict[str, Any]) -> str | None:
        """The expressions, and the headers as proxy-rewrite judges them."""
        for rule in conf["rules"]:
            if "match" in rule and (problem := check(rule["match"])):
                shown = lua_json.encode(rule["match"]).decode("utf-8", "surrogateescape")
                return f"failed to validate the 'match' expression: {shown} err: {problem}"
            for action in rule["actions"]:
                if problem := _check_action(action):
                    return problem
        return None

    def access(self, ctx: Context) -> MaybeVerdict:
        """The first rule that matches with an action that sets something."""
        if self._reads_body:
            return with_body(ctx, self._decide)
        self._decide(ctx)
        return None

    def _decide(self, ctx: Context) -> None:
        for condition, actions in self._rules:
            if (condition is None or condition(ctx)) and actions.apply(ctx):
                return


def _check_action(action: dict[str, Any]) -> str | None:
    for name, value in action.items():
        if name == "weight":
            continue
        if name != "set_headers":
            return f"not supported action: {name}"
        conf = {"headers": value}
        if problem := _REWRITE.check(conf) or ProxyRewrite.check(conf):
            return f"failed to validate the '{name}' action: {problem}"
    return None
