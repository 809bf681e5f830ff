"""Text with variables in it, for callers that must know whether any was there or that escape what is put in."""

from __future__ import annotations

import re
from collections.abc import Callable

from harness.emulators.apisix.context import Context
from harness.emulators.apisix.variables import resolve, resolve_counted

#: core.utils.resolve_var's pattern, as one group so that a split keeps it
_VARIABLE = re.compile(r"((?<!\\)\$(?:\{[^}]+\}|[\w.]+))", re.ASCII)


def counted(text: str) -> Callable[[Context], str | None]:
    """The text of a request, or None when not one of its variables has a value."""
    look = resolve_counted(text)

    def find(ctx: Context) -> str | None:
        value, count = look(ctx)
        return value if count else None

    return find


def escaped(text: str, escape: Callable[[str], str]) -> Callable[[Context], str]:
    """The text of a request, each value put through `escape`; missing ones are empty."""
    pieces = _VARIABLE.split(text)
    parts = [(resolve(piece), index % 2 == 1) for index, piece in enumerate(pieces) if piece]
    if not any(variable for _, variable in parts):
        return resolve(text)
    return lambda ctx: "".join([escape(part(ctx)) if variable else part(ctx) for part, variable in parts])
