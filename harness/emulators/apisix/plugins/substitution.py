"""The replacement text of ngx.re.sub: $0 … $9, ${12}, $$."""

from __future__ import annotations

import re
from collections.abc import Callable

_REFERENCE = re.compile(r"\$(?:(\d+)|\{(\d+)\}|(\$))", re.ASCII)
_TAKEN = re.compile(r"\$(?:\d+|\{\d+\}|\$)", re.ASCII)


def substitution(text: str) -> Callable[[re.Match[str]], str]:
    """What to put in place of a match; raises ValueError, as ngx.re.sub words it, for a reference that is none."""
    if "$" in _TAKEN.sub("", text):
        raise ValueError("failed to compile the replacement template")
    literals, references, at = [], [], 0
    for found in _REFERENCE.finditer(text):
        literals.append(text[at : found.start()])
        references.append(-1 if found[3] else int(found[1] or found[2]))
        at = found.end()
    literals.append(text[at:])
    if not references:
        return lambda match: text

    def fill(match: re.Match[str]) -> str:
        out = [literals[0]]
        for reference, literal in zip(references, literals[1:], strict=True):
            out.append(_group(match, reference) + literal)
        return "".join(out)

    return fill


def _group(match: re.Match[str], reference: int) -> str:
    if reference < 0:
        return "$"
    return (match[reference] or "") if reference <= len(match.groups()) else ""
