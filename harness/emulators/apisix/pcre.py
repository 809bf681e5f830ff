"""PCRE patterns, as nginx's ngx.re takes them, compiled to Python's re over Latin-1 text.

`compile(pattern, options)` is what plugins, `vars` and rewrites use; it raises ValueError with the text that
`ngx.re` gives for a pattern it can't compile.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from unicodedata import category

_POSIX = {
    "alpha": "a-zA-Z",
    "digit": "0-9",
    "alnum": "a-zA-Z0-9",
    "upper": "A-Z",
    "lower": "a-z",
    "space": r"\s",
    "blank": r" \t",
    "punct": r"!-/:-@\[-`{-~",
    "xdigit": "0-9a-fA-F",
    "word": r"\w",
    "cntrl": r"\x00-\x1f\x7f",
    "graph": "!-~",
    "print": " -~",
    "ascii": r"\x00-\x7f",
}
#: PCRE escapes that Python spells otherwise, outside and inside of a character class
_ESCAPES = {
    "z": r"\Z",
    "Z": r"(?=\n?\Z)",
    "h": r"[ \t\xa0]",
    "H": r"[^ \t\xa0]",
    "R": r"(?:\r\n|[\n\v\f\r\x85])",
    "N": r"[^\n]",
    "e": r"\x1b",
}
_CLASS_ESCAPES = {"h": r" \t\xa0", "e": r"\x1b"}
_FLAGS = {"i": re.IGNORECASE, "s": re.DOTALL, "m": re.MULTILINE, "x": re.VERBOSE}

_POSIX_CLASS = re.compile(r"\[:(\^?)(\w+):\]")
_QUANTIFIER = re.compile(r"\{\d+(?:,\d*)?\}")
_INLINE_FLAGS = re.compile(r"\(\?([imsx]+)\)")
_HEX = re.compile(r"\\x\{([0-9a-fA-F]+)\}")
_PROPERTY = re.compile(r"\\([pP])(?:\{(\^?)(\w+)\}|([A-Z]))")
_NAMED_GROUP = re.compile(r"\(\?<([A-Za-z_]\w*)>")
_NAMED_REFERENCE = re.compile(r"\\k(?:<(\w+)>|\{(\w+)\}|'(\w+)')")
_NUMBERED_REFERENCE = re.compile(r"\\g(?:\{(\d+)\}|(\d+))")

#: Python's wording → PCRE2's, and whether PCRE2 points at the end of the pattern rather than into it
_ERRORS = (
    ("missing ), unterminated subpattern", "missing closing parenthesis", True),
    ("unterminated character set", "missing terminating ] for character class", True),
    ("bad escape (end of pattern)", "\\ at end of pattern", True),
    ("nothing to repeat", "quantifier does not follow a repeatable item", False),
    ("multiple repeat", "quantifier does not follow a repeatable item", False),
    ("unbalanced parenthesis", "unmatched closing parenthesis", False),
    ("bad character range", "range out of order in character class", False),
    ("min repeat greater", "numbers out of order in {} quantifier", False),
    ("bad escape", "unrecognized character follows \\", False),
)


@lru_cache(maxsize=4096)
def compile(pattern: str, options: str = "") -> re.Pattern[str]:
    """The pattern over Latin-1 text; `options` as ngx.re's letters (i, s, m, x count; j and o do nothing here).

    With u it is over characters instead.

    Raises ValueError, worded as nginx words it, when the pattern is wrong.
    """
    flags = re.ASCII
    for letter in options:
        flags |= _FLAGS.get(letter, re.NOFLAG)
    text = pattern if "u" in options else pattern.encode().decode("latin-1")
    try:
        return re.compile(_translate(text), flags)
    except (re.error, OverflowError) as error:
        raise ValueError(_worded(error, pattern)) from error


def search(pattern: str, text: str, options: str = "") -> re.Match[str] | None:
    """ngx.re.find/match: the first match anywhere in Latin-1 text."""
    return compile(pattern, options).search(text)


def _worded(error: Exception, pattern: str) -> str:
    message = str(error)
    for python, pcre, at_end in _ERRORS:
        if message.startswith(python):
            position = getattr(error, "pos", None)
            where = "" if at_end or not position else f' at "{pattern[position:]}"'
            return f'pcre2_compile() failed: {pcre} in "{pattern}"{where}'
    return f'pcre2_compile() failed: {message} in "{pattern}"'


class _Translation:
    """One walk over a pattern; `wrappers` counts, per open group, the inline flags that still apply in it."""

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self.at = 0
        self.out: list[str] = []
        self.wrappers: list[list[str]] = [[]]

    def take(self, match: re.Match[str], text: str) -> bool:
        self.out.append(text)
        self.at = match.end()
        return True

    def run(self) -> str:
        while self.at < len(self.pattern):
            char = self.pattern[self.at]
            handled = (
                (char == "\\" and self._escape())
                or (char == "[" and self._char_class())
                or (char == "(" and self._open())
                or (char in ")|" and self._close_or_branch(char))
                or (char == "{" and self._brace())
            )
            if not handled:
                self.out.append(char)
                self.at += 1
        self.out.append(")" * len(self.wrappers[0]))
        return "".join(self.out)

    def _escape(self) -> bool:
        following = self.pattern[self.at + 1 : self.at + 2]
        if following == "Q":
            end = self.pattern.find("\\E", self.at + 2)
            end = len(self.pattern) if end < 0 else end
            self.out.append(re.escape(self.pattern[self.at + 2 : end]))
            self.at = end + 2
            return True
        if match := _HEX.match(self.pattern, self.at):
            return self.take(match, re.escape(chr(int(match[1], 16))))
        if match := _PROPERTY.match(self.pattern, self.at):
            return self.take(match, f"[{_members(match)}]")
        if match := _NAMED_REFERENCE.match(self.pattern, self.at):
            return self.take(match, f"(?P={match[1] or match[2] or match[3]})")
        if match := _NUMBERED_REFERENCE.match(self.pattern, self.at):
            return self.take(match, f"(?:\\{match[1] or match[2]})")
        self.out.append(_ESCAPES.get(following, "\\" + following))
        self.at += 2
        return True

    def _char_class(self) -> bool:
        start = self.at + 1
        start += self.pattern[start : start + 1] == "^"
        end = start + (self.pattern[start : start + 1] == "]")
        parts = [self.pattern[self.at : start], "\\]" * (end - start)]
        while end < len(self.pattern) and self.pattern[end] != "]":
            text, end = self._class_member(end)
            parts.append(text)
        if end >= len(self.pattern):
            raise re.error("unterminated character set", self.pattern, self.at)
        self.out.append("".join(parts) + "]")
        self.at = end + 1
        return True

    def _class_member(self, at: int) -> tuple[str, int]:
        char = self.pattern[at]
        if char == "\\":
            following = self.pattern[at + 1 : at + 2]
            if match := _HEX.match(self.pattern, at):
                return re.escape(chr(int(match[1], 16))), match.end()
            if match := _PROPERTY.match(self.pattern, at):
                return _members(match), match.end()
            return _CLASS_ESCAPES.get(following, "\\" + following), at + 2
        if (match := _POSIX_CLASS.match(self.pattern, at)) and match[2] in _POSIX and not match[1]:
            return _POSIX[match[2]], match.end()
        # Python warns of set operations to come at these
        return ("\\" + char if char in "[&|~" else char), at + 1

    def _open(self) -> bool:
        if match := _INLINE_FLAGS.match(self.pattern, self.at):
            self.wrappers[-1].append(match[1])
            return self.take(match, f"(?{match[1]}:")
        self.wrappers.append([])
        if match := _NAMED_GROUP.match(self.pattern, self.at):
            return self.take(match, f"(?P<{match[1]}>")
        self.out.append("(")
        self.at += 1
        return True

    def _close_or_branch(self, char: str) -> bool:
        wrapped = self.wrappers[-1]
        self.out.append(")" * len(wrapped) + char)
        if char == "|":
            self.out.extend(f"(?{flags}:" for flags in wrapped)
        elif len(self.wrappers) > 1:
            self.wrappers.pop()
        self.at += 1
        return True

    def _brace(self) -> bool:
        if match := _QUANTIFIER.match(self.pattern, self.at):
            return self.take(match, match[0])
        self.out.append("\\{")
        self.at += 1
        return True


def _members(match: re.Match[str]) -> str:
    """The characters of a Unicode property, for a class; bytes count as the Latin-1 characters that they would be."""
    negated = (match[1] == "P") != (match[2] == "^")
    name = match[3] or match[4]
    found = [code for code in range(256) if category(chr(code)).startswith(name) != negated]
    return "".join(f"\\x{code:02x}" for code in found)


def _translate(pattern: str) -> str:
    return _Translation(pattern).run()


def problem(patterns: Iterable[str]) -> str | None:
    """What is wrong with the first pattern that doesn't compile, or None."""
    for pattern in patterns:
        try:
            compile(pattern)
        except ValueError as error:
            return str(error)
    return None
