"""Protocol buffer source text as a FileDescriptorProto: what .proto files of services hold."""

from __future__ import annotations

import re
from typing import Any

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
)

_TOKEN = re.compile(
    r"""\s+ | //[^\n]* | /\*.*?\*/
      | (?P<text>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')
      | (?P<word>\.?[A-Za-z_][\w.]*|[+-]?(?:0[xX][0-9a-fA-F]+|\d[\w.+-]*))
      | (?P<mark>.)""",
    re.VERBOSE | re.DOTALL,
)
_LABELS = {
    "optional": FieldDescriptorProto.LABEL_OPTIONAL,
    "required": FieldDescriptorProto.LABEL_REQUIRED,
    "repeated": FieldDescriptorProto.LABEL_REPEATED,
}
_SCALARS: dict[str, Any] = {
    name.removeprefix("TYPE_").lower(): number
    for name, number in FieldDescriptorProto.Type.items()
    if name not in ("TYPE_MESSAGE", "TYPE_ENUM", "TYPE_GROUP")
}


def parse(source: str, name: str) -> FileDescriptorProto:
    """The descriptor of a file; type names stay as they are written. Raises ValueError for what can't be read."""
    return _Parser(source, name).file()


class _Parser:
    """Recursive descent over the tokens."""

    def __init__(self, source: str, name: str) -> None:
        self._tokens = [match[0] for match in _TOKEN.finditer(source) if match.lastgroup]
        self._at = 0
        self._file = FileDescriptorProto(name=name, syntax="proto2")

    # -- tokens

    def _peek(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def _take(self, wanted: str = "") -> str:
        token = self._peek()
        if not token or (wanted and token != wanted):
            raise ValueError(f"{wanted or 'a token'} expected, not {token or 'the end'}")
        self._at += 1
        return token

    def _skip_statement(self) -> None:
        """Up to the semicolon, or over a whole block."""
        depth = 0
        while True:
            token = self._take()
            depth += (token in "{[(") - (token in "}])")
            if depth == 0 and token in (";", "}"):
                return

    # -- the file

    def file(self) -> FileDescriptorProto:
        while token := self._peek():
            if token == "message":
                self._message(self._file.message_type.add())
            elif token == "enum":
                self._enum(self._file.enum_type.add())
            elif token == "service":
                self._service()
            elif token in ("syntax", "package", "import"):
                self._line(token)
            else:
                self._skip_statement()
        return self._file

    def _line(self, kind: str) -> None:
        self._take()
        if kind == "syntax":
            self._take("=")
            self._file.syntax = self._take().strip("\"'")
        elif kind == "package":
            self._file.package = self._take()
        else:
            if self._peek() in ("public", "weak"):
                self._take()
            self._file.dependency.append(self._take().strip("\"'"))
        self._take(";")

    def _service(self) -> None:
        self._take("service")
        service = self._file.service.add(name=self._take())
        self._take("{")
        while self._peek() != "}":
            if self._peek() != "rpc":
                self._skip_statement()
                continue
            self._take()
            method = service.method.add(name=self._take())
            method.client_streaming, method.input_type = self._message_type()
            self._take("returns")
            method.server_streaming, method.output_type = self._message_type()
            if self._peek() == "{":
                self._skip_statement()
            else:
                self._take(";")
        self._take("}")

    def _message_type(self) -> tuple[bool, str]:
        self._take("(")
        streams = self._peek() == "stream"
        if streams:
            self._take()
        name = self._take()
        self._take(")")
        return streams, name

    # -- messages

    def _message(self, message: DescriptorProto) -> None:
        self._take("message")
        message.name = self._take()
        self._take("{")
        while self._peek() != "}":
            self._member(message, None)
        self._take("}")
        self._synthesise(message)

    def _member(self, message: DescriptorProto, oneof: int | None) -> None:
        token = self._peek()
        if token == "message":
            self._message(message.nested_type.add())
        elif token == "enum":
            self._enum(message.enum_type.add())
        elif token == "oneof":
            self._oneof(message)
        elif token == "map":
            self._map(message)
        elif token in ("option", "reserved", "extensions", "extend") or token == ";":
            self._skip_statement()
        else:
            self._field(message, oneof)

    def _oneof(self, message: DescriptorProto) -> None:
        self._take("oneof")
        index = len(message.oneof_decl)
        message.oneof_decl.add(name=self._take())
        self._take("{")
        while self._peek() != "}":
            self._member(message, index)
        self._take("}")

    def _field(self, message: DescriptorProto, oneof: int | None) -> None:
        label = self._take() if self._peek() in _LABELS else ""
        field = message.field.add(label=_LABELS.get(label, FieldDescriptorProto.LABEL_OPTIONAL))
        self._typed(field, self._take())
        self._numbered(field)
        if oneof is not None:
            field.oneof_index = oneof
        elif label == "optional" and self._file.syntax == "proto3":
            field.proto3_optional = True

    def _typed(self, field: FieldDescriptorProto, name: str) -> None:
        if name in _SCALARS:
            field.type = _SCALARS[name]
        else:
            field.type_name = name

    def _numbered(self, field: FieldDescriptorProto) -> None:
        field.name = self._take()
        self._take("=")
        field.number = int(self._take(), 0)
        if self._peek() == "[":
            self._options(field)
        self._take(";")

    def _options(self, field: FieldDescriptorProto) -> None:
        """Only a default is of interest."""
        tokens = [self._take("[")]
        while tokens[-1] != "]":
            tokens.append(self._take())
        for index, token in enumerate(tokens):
            if token == "default":
                field.default_value = tokens[index + 2].strip("\"'")

    def _map(self, message: DescriptorProto) -> None:
        """map<K, V> is a repeated message of key and value."""
        self._take("map")
        self._take("<")
        key = self._take()
        self._take(",")
        value = self._take()
        self._take(">")
        field = message.field.add(label=FieldDescriptorProto.LABEL_REPEATED, type=FieldDescriptorProto.TYPE_MESSAGE)
        self._numbered(field)
        name = "".join(part[:1].upper() + part[1:] for part in field.name.split("_")) + "Entry"
        field.type_name = name
        entry = message.nested_type.add(name=name)
        entry.options.map_entry = True
        for number, (member, kind) in enumerate((("key", key), ("value", value)), 1):
            self._typed(entry.field.add(name=member, number=number, label=FieldDescriptorProto.LABEL_OPTIONAL), kind)

    @staticmethod
    def _synthesise(message: DescriptorProto) -> None:
        """proto3's optional fields stand in a oneof of their own, behind all real ones."""
        for field in message.field:
            if field.proto3_optional:
                field.oneof_index = len(message.oneof_decl)
                message.oneof_decl.add(name=f"_{field.name}")

    def _enum(self, enum: EnumDescriptorProto) -> None:
        self._take("enum")
        enum.name = self._take()
        self._take("{")
        while self._peek() != "}":
            if self._peek() in ("option", "reserved"):
                if self._tokens[self._at + 1] == "allow_alias":
                    enum.options.allow_alias = True
                self._skip_statement()
                continue
            value = enum.value.add(name=self._take())
            self._take("=")
            value.number = int(self._take(), 0)
            while self._take() != ";":
                pass
        self._take("}")
