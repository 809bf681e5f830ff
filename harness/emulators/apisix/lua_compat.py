"""What OpenResty's LuaJIT takes and plain LuaJIT does not: it is built with Lua 5.2's syntax for statements.

There an empty statement may stand anywhere, and a call's bracket may begin a line.
"""

from __future__ import annotations

import re

_TOKEN = re.compile(
    r"""(?P<blank>\s+|--\[(?P<c>=*)\[.*?\](?P=c)\]|--[^\n]*)
      | (?P<text>\[(?P<s>=*)\[.*?\](?P=s)\]|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')
      | (?P<word>[A-Za-z_]\w*|0[xX][0-9a-fA-F.]+|\d[\w.]*)
      | (?P<mark>.)""",
    re.VERBOSE | re.DOTALL,
)
#: what a statement may follow at once
_OPENING = frozenset(("", ";", "then", "do", "else", "repeat"))
_KEYWORDS = frozenset(
    {
        "and",
        "break",
        "do",
        "else",
        "elseif",
        "end",
        "false",
        "for",
        "function",
        "goto",
        "if",
        "in",
        "local",
        "nil",
        "not",
        "or",
        "repeat",
        "return",
        "then",
        "true",
        "until",
        "while",
    }
)


def relaxed(source: str) -> str:
    """The source without its empty statements, and with the brackets of calls on the line of what they call."""
    out: list[str] = []
    blanks: list[str] = []
    before, calls = "", False
    for token in _TOKEN.finditer(source):
        text = token[0]
        if token["blank"]:
            blanks.append(text)
            continue
        if text == ";" and before in _OPENING:
            blanks.append(" ")
            continue
        gap = "".join(blanks)
        if text == "(" and calls and "\n" in gap:
            gap = " "
        out += (gap, text)
        blanks = []
        before = text
        calls = token["text"] is not None or text in (")", "]") or (token["word"] is not None and text not in _KEYWORDS)
    return "".join(out)
