"""The little of GraphQL that `graphql_*` variables need: the first operation's kind, name and root fields."""

from __future__ import annotations

import re
from dataclasses import dataclass

_TOKEN = re.compile(
    r"""[\s,\ufeff]+ | \#[^\n\r]*
      | (?P<text>\"\"\"(?:[^"\\]|\\.|\"(?!\"\"))*\"\"\" | "(?:[^"\\\n]|\\.)*")
      | (?P<name>[_A-Za-z]\w*)
      | (?P<number>-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)
      | (?P<mark>\.\.\.|[!$&()\[\]{}:=@|])""",
    re.VERBOSE | re.ASCII | re.DOTALL,
)
_CLOSING = {"(": ")", "{": "}", "[": "]"}
_OPERATIONS = ("query", "mutation", "subscription")


class GraphqlError(ValueError):
    """A document that can't be read."""


@dataclass(frozen=True, slots=True)
class Operation:
    """`root_fields` are the fields' own names, not their aliases."""

    operation: str
    name: str
    root_fields: tuple[str, ...]


def _tokens(text: str) -> list[str]:
    found: list[str] = []
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise GraphqlError(f"unexpected character {text[at]!r}")
        if match.lastgroup:
            found.append(match[0])
        at = match.end()
    return found


class _Reader:
    def __init__(self, tokens: list[str]) -> None:
        self.tokens = tokens
        self.at = 0

    def peek(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def take(self) -> str:
        token = self.peek()
        if not token:
            raise GraphqlError("unexpected end of document")
        self.at += 1
        return token

    def skip_group(self) -> None:
        """Past a bracketed group, which must be balanced."""
        closing = [_CLOSING[self.take()]]
        while closing:
            token = self.take()
            if token in _CLOSING:
                closing.append(_CLOSING[token])
            elif token in _CLOSING.values() and token != closing.pop():
                raise GraphqlError(f"unexpected {token}")

    def skip_directives(self) -> None:
        while self.peek() == "@":
            self.take()
            self.take()
            if self.peek() == "(":
                self.skip_group()


def _is_name(token: str) -> bool:
    return bool(token) and (token[0].isalpha() or token[0] == "_")


def _fields(reader: _Reader) -> tuple[str, ...]:
    """The names in a selection set, from its `{` to its `}`."""
    if reader.take() != "{":
        raise GraphqlError("a selection set was expected")
    names: list[str] = []
    while reader.peek() != "}":
        names.append(_field(reader))
    reader.take()
    if not names:
        raise GraphqlError("an empty selection set")
    return tuple(names)


def _field(reader: _Reader) -> str:
    name = reader.take()
    if name == "...":
        name = reader.take() if reader.peek() not in ("{", "@") else ""
        name = reader.take() if name == "on" else name
    elif not _is_name(name):
        raise GraphqlError(f"unexpected {name}")
    elif reader.peek() == ":":
        reader.take()
        name = reader.take()
    if reader.peek() == "(":
        reader.skip_group()
    reader.skip_directives()
    if reader.peek() == "{":
        _fields(reader)
    return name


def parse_operation(text: str) -> Operation:
    """The first definition of the document; raises GraphqlError."""
    return parse_document(text)[0]


def parse_document(text: str) -> list[Operation]:
    """All definitions of the document, fragments too; raises GraphqlError."""
    reader = _Reader(_tokens(text))
    found = [_definition(reader)]
    while reader.peek():
        found.append(_definition(reader))
    return found


def _definition(reader: _Reader) -> Operation:
    kind, name = "query", ""
    if reader.peek() != "{":
        kind = reader.take()
        if kind not in (*_OPERATIONS, "fragment"):
            raise GraphqlError(f"unexpected {kind}")
        while reader.peek() not in ("{", "(", "@", ""):
            token = reader.take()
            name = name or token
        if reader.peek() == "(":
            reader.skip_group()
        reader.skip_directives()
    return Operation(kind, name, _fields(reader))
