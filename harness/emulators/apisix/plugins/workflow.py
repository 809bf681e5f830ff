"""workflow: the first rule whose case holds runs its action — an answer, or a limit of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from harness.emulators.apisix.context import Context, Exit, MaybeVerdict
from harness.emulators.apisix.match.expression import Condition, ExpressionError, compile_expression
from harness.emulators.apisix.plugins.base import Conf, Plugin, Schema, Scope
from harness.emulators.apisix.plugins.expressions import reads_body, with_body
from harness.emulators.apisix.plugins.limit_conn import LimitConn
from harness.emulators.apisix.plugins.limit_count import LimitCount
from harness.emulators.apisix.schema.validate import Validator
from harness.emulators.apisix.variables import getter

_MATCHED = "workflow"


class Return(Plugin):
    """The action that answers with a status; it is no plugin that a route may name."""

    name = "return"
    priority = 0
    schema: ClassVar[Schema] = {
        "type": "object",
        "properties": {"code": {"type": "integer", "minimum": 100, "maximum": 599}},
        "required": ["code"],
    }

    def access(self, ctx: Context) -> Exit:
        """The answer."""
        return Exit(self.conf["code"], {"error_msg": "rejected by workflow"})


ACTIONS: Mapping[str, type[Return] | type[LimitCount] | type[LimitConn]] = {
    action.name: action for action in (Return, LimitCount, LimitConn)
}
_VALIDATORS = {name: Validator(action.schema) for name, action in ACTIONS.items()}


class Workflow(Plugin):
    name = "workflow"
    priority = 1006
    schema: ClassVar[Schema] = {
        "type": "object",
        "properties": {
            "rules": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {
                        "case": {
                            "type": "array",
                            "items": {"anyOf": [{"type": "array"}, {"type": "string"}]},
                            "minItems": 1,
                        },
                        "actions": {"type": "array", "items": {"type": "array", "minItems": 1}},
                    },
                    "required": ["actions"],
                },
            }
        },
        "required": ["rules"],
    }

    def __init__(self, conf: Conf, scope: Scope) -> None:
        super().__init__(conf, scope)
        self._reads_body = any(reads_body(rule.get("case")) for rule in conf["rules"])
        self._rules = [
            (_condition(rule.get("case")), _action(rule["actions"][0], index, scope))
            for index, rule in enumerate(conf["rules"], 1)
            if rule["actions"]
        ]

    @classmethod
    def check(cls, conf: dict[str, Any]) -> str | None:
        """Each action's own configuration. A case that can't be read is taken, and always holds: upstream's slip."""
        for index, rule in enumerate(conf["rules"], 1):
            for action in rule["actions"]:
                if problem := _check_action(action, index):
                    return problem
        return None

    def access(self, ctx: Context) -> MaybeVerdict:
        """Run the first action whose case holds; the plugin of that name on the route is passed over."""
        return with_body(ctx, self._decide) if self._reads_body else self._decide(ctx)

    def _decide(self, ctx: Context) -> MaybeVerdict:
        for condition, action in self._rules:
            if condition is None or condition(ctx):
                ctx.notes[_MATCHED] = action
                ctx.skipped = (ctx.skipped or set()) | {action.name}
                return action.access(ctx)
        return None

    def log(self, ctx: Context) -> None:
        """What the action does when the request is over."""
        action = ctx.notes.get(_MATCHED)
        if isinstance(action, LimitConn):
            action.log(ctx)


def _condition(case: list[Any] | None) -> Condition | None:
    try:
        return compile_expression(case, getter)
    except ExpressionError:
        return None


def _conf(action: list[Any], index: int) -> dict[str, Any]:
    """The action's configuration, set apart by its rule's number so that equal limits count for themselves."""
    conf = action[1] if len(action) > 1 else {}
    return {**(conf if isinstance(conf, dict) else {}), "_vid": index}


def _check_action(action: list[Any], index: int) -> str | None:
    name = action[0]
    kind = ACTIONS.get(name) if isinstance(name, str) else None
    if kind is None:
        return f"unsupported action: {name}"
    conf = _conf(action, index)
    problem = _VALIDATORS[name].check(conf)
    problem = kind.reword(problem, conf) if problem else kind.check(conf)
    return f"failed to validate the '{name}' action: {problem}" if problem else None


def _action(action: list[Any], index: int, scope: Scope) -> Return | LimitCount | LimitConn:
    conf = _conf(action, index)
    _VALIDATORS[action[0]].check(conf)
    return ACTIONS[action[0]](conf, scope)
