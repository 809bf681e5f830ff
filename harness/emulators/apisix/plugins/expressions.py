"""Conditions of plugins that may look at the request's body, which must then be gathered before."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from harness.emulators.apisix.context import Context, Exit, MaybeVerdict
from harness.emulators.apisix.match.body import is_body_variable


def reads_body(rule: Any) -> bool:
    """Whether any variable in a JSON rule is one of the body's."""
    if isinstance(rule, str):
        return is_body_variable(rule)
    if isinstance(rule, dict):
        return any(reads_body(member) for member in rule.values())
    return isinstance(rule, list) and any(reads_body(member) for member in rule)


def with_body(ctx: Context, decide: Callable[[Context], MaybeVerdict]) -> Coroutine[Any, Any, Exit | None]:
    """Gather the body, then decide."""

    async def wait() -> Exit | None:
        await ctx.read_body()
        verdict = decide(ctx)
        return verdict if verdict is None or isinstance(verdict, Exit) else await verdict

    return wait()
