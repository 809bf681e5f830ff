"""Names of types to the types they mean, and what may stand only once."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
)

from harness.emulators.apisix.protobuf.lexer import Lexer

_MESSAGE, _ENUM = FieldDescriptorProto.TYPE_MESSAGE, FieldDescriptorProto.TYPE_ENUM


def resolve(file: FileDescriptorProto, lexer: Lexer, places: dict[int, int]) -> None:
    """Complete the types of all fields and methods. Raises ProtoError."""
    resolver = _Resolver(lexer, places)
    prefix = f".{file.package}" if file.package else ""
    resolver.register(prefix, file.message_type, file.enum_type)
    for message in file.message_type:
        resolver.message(message, prefix)
    for enum in file.enum_type:
        resolver.enum(enum)
    for service in file.service:
        resolver.once("rpc name", "name", service.method)
        for method in service.method:
            method.input_type = resolver.message_type(method, method.input_type, prefix, "parameter")
            method.output_type = resolver.message_type(method, method.output_type, prefix, "return")


class _Resolver:
    def __init__(self, lexer: Lexer, places: dict[int, int]) -> None:
        self._lexer = lexer
        self._places = places
        self._types: dict[str, int] = {}

    def register(self, prefix: str, messages: Iterable[DescriptorProto], enums: Iterable[EnumDescriptorProto]) -> None:
        for enum in enums:
            self._add(f"{prefix}.{enum.name}", _ENUM)
        for message in messages:
            self._add(f"{prefix}.{message.name}", _MESSAGE)
            self.register(f"{prefix}.{message.name}", message.nested_type, message.enum_type)

    def _add(self, name: str, kind: int) -> None:
        if name in self._types:
            raise self._lexer.error(f"type {name} already defined")
        self._types[name] = kind

    def message(self, message: DescriptorProto, prefix: str) -> None:
        inside = f"{prefix}.{message.name}"
        self.once("field name", "name", message.field)
        self.once("field number", "number", message.field)
        for field in message.field:
            if field.type_name:
                field.type, field.type_name = self._find(field, field.type_name, inside)  # type: ignore[assignment]
        for nested in message.nested_type:
            self.message(nested, inside)
        for enum in message.enum_type:
            self.enum(enum)

    def enum(self, enum: EnumDescriptorProto) -> None:
        self.once("enum name", "name", enum.value)
        if not enum.options.allow_alias:
            self.once("enum number", "number", enum.value)

    def message_type(self, method: Any, name: str, prefix: str, place: str) -> str:
        kind, found = self._find(method, name, prefix)
        if kind != _MESSAGE:
            raise self._lexer.error(f"message type expected in {place}", self._places.get(id(method)))
        return found

    def _find(self, what: Any, name: str, prefix: str) -> tuple[int, str]:
        """The type that a name means here: the innermost one counts."""
        if name.startswith("."):
            if name in self._types:
                return self._types[name], name
        else:
            scope = prefix
            while True:
                full = f"{scope}.{name}"
                if full in self._types:
                    return self._types[full], full
                if not scope:
                    break
                scope = scope.rpartition(".")[0]
        raise self._lexer.error(f"unknown type '{name}'", self._places.get(id(what)))

    def once(self, label: str, member: str, items: Iterable[Any]) -> None:
        """Refuse a second item with the same name or number."""
        seen: dict[Any, Any] = {}
        for item in items:
            value = {"name": item.name, "number": getattr(item, "number", None)}[member]
            if value in seen:
                line, column = self._lexer.place(self._places.get(id(seen[value]), 0))
                text = f"{label} '{value}' exists, previous at {line}:{column}"
                raise self._lexer.error(text, self._places.get(id(item)))
            seen[value] = item
