"""The words of a .proto file one after the other, with errors placed as lua-protobuf's protoc.lua places them."""

from __future__ import annotations

import re
from typing import Any

_BLANKS = re.compile(r"(?:\s+|//[^\n]*|/\*.*?\*/)*", re.DOTALL)
_NAME = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_FULL_NAME = re.compile(r"[A-Za-z_.][\w.]*", re.ASCII)
_INTEGER = re.compile(r"[+-]?(?:0[xX][0-9a-fA-F]+|\d+)")
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|[+-]?(?:nan|inf)\b")
_STRING = re.compile(r'"((?:[^"\\]|\\.)*)"|' + r"'((?:[^'\\]|\\.)*)'", re.DOTALL)
_ESCAPE = re.compile(r"\\(?:x([0-9a-fA-F]{1,2})|([0-7]{1,3})|(.))", re.DOTALL)
_PLAIN_ESCAPES = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}


class ProtoError(ValueError):
    """The source can't be used; the text tells file, line, column and why."""


class Lexer:
    """A position in a source; `at` is where the next word is looked for."""

    def __init__(self, name: str, source: str) -> None:
        self._name = name
        self._source = source
        self.at = 0
        self._skip()

    def error(self, text: str, at: int | None = None) -> ProtoError:
        """An error here, or at a place noted before."""
        line, column = self.place(self.at if at is None else at)
        return ProtoError(f"{self._name}:{line}:{column}: {text}")

    def place(self, at: int) -> tuple[int, int]:
        """Line and column, both from 1."""
        before = self._source[:at]
        return before.count("\n") + 1, at - (before.rfind("\n") + 1) + 1

    @property
    def ended(self) -> bool:
        """Whether nothing but blanks is left."""
        return self.at >= len(self._source)

    def _skip(self) -> None:
        found = _BLANKS.match(self._source, self.at)
        self.at = found.end() if found else self.at
        if self._source.startswith("/*", self.at):
            raise self.error("unfinished comment")

    def _take(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        found = pattern.match(self._source, self.at)
        if found:
            self.at = found.end()
            self._skip()
        return found

    def test(self, symbol: str) -> bool:
        """Step over a symbol if it is next."""
        if not self._source.startswith(symbol, self.at):
            return False
        self.at += len(symbol)
        self._skip()
        return True

    def expect(self, symbol: str) -> None:
        """Step over a symbol. Raises ProtoError when another comes."""
        if not self.test(symbol):
            raise self.error(f"'{symbol}' expected")

    def keyword(self, word: str) -> bool:
        """Step over a word if it is next."""
        found = _NAME.match(self._source, self.at)
        return found is not None and found[0] == word and self._take(_NAME) is not None

    def end(self, needed: bool = True) -> None:
        """Step over the semicolons that end a statement."""
        found = self.test(";")
        while self.test(";"):
            pass
        if needed and not found:
            raise self.error("';' expected")

    def name(self, what: str = "name") -> str:
        """A name without dots."""
        found = self._take(_NAME)
        if found is None:
            raise self.error(f"{what} expected")
        return found[0]

    def full_name(self, what: str = "name") -> str:
        """A name with dots."""
        start = self.at
        found = self._take(_FULL_NAME)
        if found is None or ".." in found[0]:
            self.at = start
            raise self.error(f"{what} expected")
        return found[0]

    def integer(self, what: str = "integer") -> int:
        """A whole number: decimal, octal or hexadecimal."""
        found = self._take(_INTEGER)
        if found is None:
            raise self.error(f"{what} expected")
        digits = found[0].lstrip("+-")
        octal = len(digits) > 1 and digits[0] == "0" and digits[1].isdigit()
        value = int(digits, 8 if octal else 0)
        return -value if found[0].startswith("-") else value

    def string(self) -> str:
        """Text in quotes; pieces that follow each other are one."""
        found = self._take(_STRING)
        if found is None:
            quote = self._source[self.at : self.at + 1]
            raise self.error("unfinished string" if quote and quote in "\"'" else "string expected")
        return _ESCAPE.sub(_plain, found[1] if found[1] is not None else found[2])

    def constant(self) -> Any:
        """The value of an option: a word, number, text, or {…} and […], which are stepped over."""
        if _FULL_NAME.match(self._source, self.at) and not _NUMBER.match(self._source, self.at):
            return self.full_name("constant")
        number = self._take(_NUMBER)
        if number is not None:
            return number[0]
        for opening, closing in (("{", "}"), ("[", "]")):
            if self.test(opening):
                return self._step_over(opening, closing)
        if self._source[self.at : self.at + 1] in ('"', "'"):
            return self.string()
        raise self.error("constant expected")

    def _step_over(self, opening: str, closing: str) -> None:
        while not self.test(closing):
            if self.ended:
                raise self.error(f"'{closing}' expected")
            if self._source[self.at] in "\"'":
                self.string()
            elif self.test(opening):
                self._step_over(opening, closing)
            else:
                self.at += 1
                self._skip()


def _plain(found: re.Match[str]) -> str:
    if found[1]:
        return chr(int(found[1], 16))
    return chr(int(found[2], 8)) if found[2] else _PLAIN_ESCAPES.get(found[3], found[3])
