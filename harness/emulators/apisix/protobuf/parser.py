"""From .proto source to a FileDescriptorProto: what APISIX's grpc-transcode can load, and the same refusals."""

from __future__ import annotations

from collections.abc import Callable

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    OneofDescriptorProto,
    ServiceDescriptorProto,
)

from harness.emulators.apisix.protobuf.lexer import Lexer, ProtoError
from harness.emulators.apisix.protobuf.resolver import resolve

#: what protoc.lua is told the source is called
FILE = "filename for loaded"

SCALARS = {
    name: getattr(FieldDescriptorProto, f"TYPE_{name.upper()}")
    for name in (
        *("double", "float", "int32", "int64", "uint32", "uint64", "sint32", "sint64"),
        *("fixed32", "fixed64", "sfixed32", "sfixed64", "bool", "string", "bytes"),
    )
}
_KEYS = frozenset(SCALARS) - {"double", "float", "bytes"}
_NO_TYPES = ("group", "message", "enum")
_LABELS = {
    "optional": FieldDescriptorProto.LABEL_OPTIONAL,
    "required": FieldDescriptorProto.LABEL_REQUIRED,
    "repeated": FieldDescriptorProto.LABEL_REPEATED,
}


def parse(source: str, name: str = FILE) -> FileDescriptorProto:
    """The descriptor of one source file, its types resolved. Raises ProtoError."""
    parser = _Parser(Lexer(name, source), name)
    file = parser.file()
    resolve(file, parser.lexer, parser.places)
    return file


class _Parser:
    def __init__(self, lexer: Lexer, name: str) -> None:
        self.lexer = lexer
        #: id() of a descriptor → where it stands; the descriptors live as long as the file's
        self.places: dict[int, int] = {}
        #: Python's wrappers of descriptors, kept so that their id() stays theirs
        self._kept: list[object] = []
        self._file = FileDescriptorProto(name=name)
        self._syntax = "proto2"
        self._top: dict[str, Callable[[], None]] = {
            "package": self._package,
            "import": self._import,
            "option": self._option,
            "message": lambda: self._message(self._file.message_type.add()),
            "enum": lambda: self._enum(self._file.enum_type.add()),
            "service": self._service,
            "extend": self._extend,
        }

    def file(self) -> FileDescriptorProto:
        lexer = self.lexer
        if lexer.keyword("syntax"):
            lexer.expect("=")
            self._syntax = self._file.syntax = lexer.string()
            lexer.end()
        while not lexer.ended:
            word = lexer.name()
            statement = self._top.get(word)
            if statement is None:
                raise lexer.error(f"unknown keyword '{word}'")
            statement()
            lexer.end(needed=False)
        return self._file

    # statements of a file

    def _package(self) -> None:
        self._file.package = self.lexer.full_name("package name")
        self.lexer.end()

    def _import(self) -> None:
        for word in ("weak", "public"):
            self.lexer.keyword(word)
        raise ProtoError(f"module load error: {self.lexer.string()}")

    def _option(self) -> None:
        self._option_name()
        self.lexer.expect("=")
        self.lexer.constant()
        self.lexer.end()

    def _option_name(self) -> str:
        if self.lexer.test("("):
            name = self.lexer.full_name("option name")
            self.lexer.expect(")")
        else:
            name = self.lexer.name("option name")
        while self.lexer.test("."):
            name += "." + self.lexer.name()
        return name

    def _inline_options(self) -> dict[str, object]:
        options: dict[str, object] = {}
        if not self.lexer.test("["):
            return options
        while True:
            name = self._option_name()
            self.lexer.expect("=")
            options[name] = self.lexer.constant()
            if self.lexer.test("]"):
                return options
            self.lexer.expect(",")

    def _extend(self) -> None:
        """Extensions are read and left out: grpc-transcode has no use for them."""
        self.lexer.full_name("type name")
        self.lexer.expect("{")
        scratch = DescriptorProto()
        while not self.lexer.test("}"):
            self._labelled_field(scratch)
            self.lexer.end(needed=False)

    # messages

    def _message(self, message: DescriptorProto) -> None:
        message.name = self.lexer.name("message name")
        self.lexer.expect("{")
        while not self.lexer.test("}"):
            self._member(message)
            self.lexer.end(needed=False)

    def _member(self, message: DescriptorProto) -> None:
        lexer, start = self.lexer, self.lexer.at
        if lexer.keyword("message"):
            return self._message(message.nested_type.add())
        if lexer.keyword("enum"):
            return self._enum(message.enum_type.add())
        if lexer.keyword("extend"):
            return self._extend()
        if lexer.keyword("oneof"):
            return self._oneof(message)
        if lexer.keyword("option"):
            return self._option()
        if lexer.keyword("reserved") or lexer.keyword("extensions"):
            return self._ranges()
        self._labelled_field(message, start)

    def _ranges(self) -> None:
        """Reserved names and numbers and extension ranges say nothing about what is there."""
        while not self.lexer.test(";"):
            if self.lexer.ended:
                raise self.lexer.error("';' expected")
            if not (self.lexer.test(",") or self.lexer.keyword("to") or self.lexer.keyword("max")):
                self.lexer.constant()

    def _oneof(self, message: DescriptorProto) -> None:
        index = len(message.oneof_decl)
        message.oneof_decl.append(OneofDescriptorProto(name=self.lexer.name()))
        self.lexer.expect("{")
        while not self.lexer.test("}"):
            if self.lexer.keyword("option"):
                self._option()
            else:
                place = self.lexer.at
                field = self._field(message, self.lexer.full_name("type name"), place)
                field.oneof_index = index
            self.lexer.end(needed=False)

    def _labelled_field(self, message: DescriptorProto, place: int | None = None) -> None:
        place = self.lexer.at if place is None else place
        word = self.lexer.full_name("type name")
        label = _LABELS.get(word)
        if label is None:
            if self._syntax == "proto2" and word != "map":
                raise self.lexer.error("proto2 disallow missing label")
            self._field(message, word, place)
            return
        if word == "optional" and self._syntax == "proto3":
            raise self.lexer.error("proto3 disallow 'optional' label")
        self._field(message, self.lexer.full_name("type name"), place).label = label

    def _field(self, message: DescriptorProto, type_name: str, place: int) -> FieldDescriptorProto:
        if type_name == "map" and self.lexer.test("<"):
            field = self._map(message)
        else:
            field = message.field.add(label=FieldDescriptorProto.LABEL_OPTIONAL)
            self._set_type(field, type_name)
            field.name = self.lexer.name()
        self.lexer.expect("=")
        field.number = self.lexer.integer()
        options = self._inline_options()
        if "json_name" in options:
            field.json_name = str(options["json_name"])
        if "default" in options:
            field.default_value = str(options["default"])
        if field.number <= 0:
            raise self.lexer.error(f"invalid tag number: {field.number}")
        self.places[id(field)] = place
        self._kept.append(field)
        return field

    def _set_type(self, field: FieldDescriptorProto, name: str) -> None:
        if name in _NO_TYPES:
            raise self.lexer.error(f"invalid type name: {name}")
        if name in SCALARS:
            field.type = SCALARS[name]
        else:
            field.type_name = name

    def _map(self, message: DescriptorProto) -> FieldDescriptorProto:
        key = self.lexer.name("key type")
        if key not in _KEYS:
            raise self.lexer.error(f"invalid key type: {key}")
        self.lexer.expect(",")
        value = self.lexer.full_name("type name")
        self.lexer.expect(">")
        name = self.lexer.name()
        entry = message.nested_type.add(name="".join(part[:1].upper() + part[1:] for part in name.split("_")) + "Entry")
        entry.options.map_entry = True
        for number, (member, type_name) in enumerate((("key", key), ("value", value)), 1):
            part = entry.field.add(name=member, number=number, label=FieldDescriptorProto.LABEL_OPTIONAL)
            self._set_type(part, type_name)
        return message.field.add(name=name, type_name=entry.name, label=FieldDescriptorProto.LABEL_REPEATED)

    # enums and services

    def _enum(self, enum: EnumDescriptorProto) -> None:
        enum.name = self.lexer.name("enum name")
        self.lexer.expect("{")
        while not self.lexer.test("}"):
            if self.lexer.keyword("option"):
                self._enum_option(enum)
            elif self.lexer.keyword("reserved"):
                self._ranges()
            else:
                place = self.lexer.at
                name = self.lexer.name("enum constant name")
                self.lexer.expect("=")
                value = enum.value.add(name=name, number=self.lexer.integer())
                self._inline_options()
                self.places[id(value)] = place
                self._kept.append(value)
            self.lexer.end(needed=False)

    def _enum_option(self, enum: EnumDescriptorProto) -> None:
        name = self._option_name()
        self.lexer.expect("=")
        if self.lexer.constant() == "true" and name == "allow_alias":
            enum.options.allow_alias = True
        self.lexer.end()

    def _service(self) -> None:
        service = self._file.service.add(name=self.lexer.name("service name"))
        self.lexer.expect("{")
        while not self.lexer.test("}"):
            if self.lexer.keyword("rpc"):
                self._rpc(service)
            elif self.lexer.keyword("option"):
                self._option()
            else:
                self.lexer.full_name("type name")
                raise self.lexer.error("expected 'rpc' or 'option' in service body")
            self.lexer.end(needed=False)

    def _rpc(self, service: ServiceDescriptorProto) -> None:
        place = self.lexer.at
        method = service.method.add(name=self.lexer.name("rpc name"))
        method.client_streaming, method.input_type = self._rpc_type("input")
        if not self.lexer.keyword("returns"):
            raise self.lexer.error("'returns' expected")
        method.server_streaming, method.output_type = self._rpc_type("output")
        if self.lexer.test("{"):
            while not self.lexer.test("}"):
                self.lexer.end(needed=False)
                if self.lexer.keyword("option"):
                    self._option()
        self.places[id(method)] = place
        self._kept.append(method)

    def _rpc_type(self, which: str) -> tuple[bool, str]:
        self.lexer.expect("(")
        streams = self.lexer.keyword("stream")
        name = self.lexer.full_name("type name")
        if name in SCALARS:
            raise self.lexer.error(f"rpc {which} type must by message")
        self.lexer.expect(")")
        return streams, name
