"""What became of each plugin in a request: it went on, it answered, it was passed over, it wasn't reached."""

from __future__ import annotations

from typing import Any, Final

from harness.emulators.apisix.compiled import condition_note
from harness.emulators.apisix.context import Context
from harness.emulators.apisix.plans import Part, Plan, Steps

WENT_ON: Final = "went on"
NOT_REACHED: Final = "not reached"


def verdicts(ctx: Context) -> list[dict[str, Any]]:
    """(phase, plugin, said) of every plugin whose turn comes before the upstream's, in the order of their turns."""
    plan = ctx.plan
    if plan is None:
        return []
    ended = _ending(ctx)
    told = []
    for phase, part in _turns(plan):
        if ended == (phase, part.name):
            said = _said(ctx)
            ended = None
            reached = False
        else:
            reached = ended is not None or not _ending(ctx)
            said = _passing(ctx, part) if reached else NOT_REACHED
        told.append({"phase": phase, "plugin": part.name, "said": said})
    return told


def _turns(plan: Plan) -> list[tuple[str, Part]]:
    phases: list[tuple[str, Steps]] = [
        ("rewrite", plan.global_rewrite),
        ("rewrite", plan.rewrite),
        ("rewrite", plan.consumer_rewrite),
        ("access", plan.access),
        ("before_proxy", plan.before_proxy),
    ]
    return [(phase, part) for phase, steps in phases for _, part in steps]


def _ending(ctx: Context) -> tuple[str, str] | None:
    """Phase and name of the plugin that ended it, if one did."""
    if not ctx.trace:
        return None
    phase, name, _ = ctx.trace[-1]
    if name:
        return phase, name
    # an exception is noted as "rewrite of key-auth"
    phase, _, name = phase.partition(" of ")
    return phase, name


def _said(ctx: Context) -> str:
    assert ctx.trace
    return ctx.trace[-1][2]


def _passing(ctx: Context, part: Part) -> str:
    if ctx.skipped is not None and part.name in ctx.skipped:
        return "passed over: it has run already"
    if part.condition is not None and ctx.notes.get(condition_note(part)) is False:
        return "passed over: its _meta.filter doesn't hold"
    return WENT_ON
