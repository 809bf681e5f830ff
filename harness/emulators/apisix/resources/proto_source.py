"""Whether protocol buffer source can be read, told as lua-protobuf's protoc.lua tells it."""

from __future__ import annotations

import re
from base64 import b64decode
from binascii import Error as Base64Error

_FILE = "filename for loaded"
_BLANK = re.compile(r"(\s+|//[^\n]*|/\*.*?\*/)*", re.DOTALL)
_TOKEN = re.compile(
    r"""[A-Za-z_.][\w.]*|[+-]?(0[xX][0-9a-fA-F]+|\d[\w.+-]*)|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|.""", re.DOTALL
)
_BLOCKS = ("message", "enum", "service", "extend")
_LINES = ("syntax", "import", "package", "option")


def problem(content: str) -> str | None:
    """What is wrong with source text or a descriptor set in base64, or None."""
    if _is_descriptor_set(content):
        return None
    try:
        _Reader(content).read()
    except ValueError as error:
        return str(error)
    return None


def _is_descriptor_set(content: str) -> bool:
    from google.protobuf.descriptor_pb2 import FileDescriptorSet  # imported at first use: it costs a start 20 ms
    from google.protobuf.message import DecodeError

    try:
        raw = b64decode(content.strip(), validate=True)
        return bool(FileDescriptorSet.FromString(raw).file)
    except (Base64Error, ValueError, DecodeError):
        return False


class _Reader:
    """Top-level statements one after the other; inside blocks the brackets must close and statements end."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.at = 0

    def read(self) -> None:
        while (token := self._peek()) is not None:
            if token == ";":
                self._next()
            elif token in _BLOCKS:
                self._block()
            elif token in _LINES:
                self._line()
            else:
                raise self._error(f"unknown keyword '{token}'" if re.match(r"\w", token) else "keyword expected")

    def _block(self) -> None:
        kind = self._next()
        name = self._next()
        if name is None or not re.fullmatch(r"[A-Za-z_.][\w.]*", name):
            raise self._error("name expected" if kind != "extend" else "type name expected")
        self._expect("{")
        depth = 1
        while depth:
            token = self._next()
            if token is None:
                raise self._error("unexpected end of file")
            depth += {"{": 1, "}": -1}.get(token, 0)

    def _line(self) -> None:
        while (token := self._next()) != ";":
            if token is None or token in "{}":
                raise self._error("';' expected")

    def _expect(self, wanted: str) -> None:
        if self._peek() != wanted:
            raise self._error(f"'{wanted}' expected")
        self._next()

    def _peek(self) -> str | None:
        blank = _BLANK.match(self.source, self.at)
        self.at = blank.end() if blank else self.at
        token = _TOKEN.match(self.source, self.at)
        return token[0] if token else None

    def _next(self) -> str | None:
        token = self._peek()
        self.at += len(token or "")
        return token

    def _error(self, what: str) -> ValueError:
        """The place is the one behind the token that was looked at, as the Lua reader counts it."""
        token = self._peek() or ""
        before = self.source[: self.at + len(token)]
        line = before.count("\n") + 1
        return ValueError(f"{_FILE}:{line}:{len(before) - before.rfind(chr(10)) - 1 + 2}: {what}")
