"""Templates of lua-resty-template (`{{escaped}}`, `{*raw*}`, `{% code %}`, `{# comment #}`) as Lua source."""

from __future__ import annotations

import re

_TAG = re.compile(r"(\\?)\{([{*%#(\[-])")
_ENDS = {"{": "}}", "*": "*}", "%": "%}", "#": "#}"}
_LITERAL = re.compile(r'[\\"\n\r\0]')
_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\0": "\\0"}

_HEAD = """local __escape, __output = ...
local __r = {}
local function echo(...) for i = 1, select("#", ...) do __r[#__r + 1] = tostring((select(i, ...))) end end
"""
_TAIL = "\nreturn table.concat(__r)"


def to_lua(template: str) -> str:
    """The source of a chunk that is called with (escape, output) and returns the text.

    Raises ValueError for `{(include)}`, `{[include]}` and `{-block-}`, which aren't emulated.
    """
    parts, at = [_HEAD], 0
    for match in _TAG.finditer(template):
        if match.start() < at:
            continue
        kind = match[2]
        if kind not in _ENDS:
            if kind == "[" or (kind == "-" and not _is_block(template, match.start())):
                continue
            raise ValueError(f"the template tag {{{kind} is not emulated")
        end = template.find(_ENDS[kind], match.end())
        if end < 0:
            continue
        if match[1]:
            parts.append(_literal(template[at : match.start()] + template[match.start() + 1 : end + 2]))
            at = end + 2
            continue
        before, after = template[at : match.start()], end + 2
        if kind in "%#":
            before, after = _alone(before, template, after, at == 0)
        parts.append(_literal(before))
        parts.append(_code(kind, template[match.end() : end]))
        at = after
    parts.append(_literal(template[at:]))
    return "".join(parts) + _TAIL


def _is_block(template: str, at: int) -> bool:
    return re.match(r"\{-\w+-\}", template[at:]) is not None


def _alone(before: str, template: str, after: int, first: bool) -> tuple[str, int]:
    """A tag of code takes its line with it: the blanks before it, and the line end after it."""
    if template[after : after + 1] == "\n":
        after += 1
        stripped = before.rstrip(" \t")
        if stripped.endswith("\n") or (first and not stripped):
            before = stripped
    return before, after


def _code(kind: str, text: str) -> str:
    if kind == "{":
        return f"__r[#__r + 1] = __escape({text})\n"
    if kind == "*":
        return f"__r[#__r + 1] = __output({text})\n"
    return f"{text}\n" if kind == "%" else ""


def _literal(text: str) -> str:
    if not text:
        return ""
    return f'__r[#__r + 1] = "{_LITERAL.sub(lambda match: _ESCAPES[match[0]], text)}"\n'
