"""Messages of a .proto as JSON values and back, as lua-protobuf and grpc-transcode's mapping do it."""

from __future__ import annotations

from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import DecodeError
from google.protobuf.message_factory import GetMessageClass

from harness.emulators.apisix.match.lua_values import to_number, to_text
from harness.emulators.apisix.protobuf.parser import parse

_FILE = "apisix.proto"
_WIDE = frozenset(
    (
        FieldDescriptor.TYPE_INT64,
        FieldDescriptor.TYPE_UINT64,
        FieldDescriptor.TYPE_SINT64,
        FieldDescriptor.TYPE_FIXED64,
        FieldDescriptor.TYPE_SFIXED64,
    )
)


@dataclass(frozen=True, slots=True)
class Options:
    """pb_option: how values are told in JSON."""

    enum_as_value: bool = False
    int64: str = "number"  # number, string, hexstring
    defaults: str = "auto"  # auto, no, use

    @classmethod
    def of(cls, names: list[str]) -> Options:
        """From the plugin's list, of which the last one of a kind counts."""
        int64 = [name.removeprefix("int64_as_") for name in names if name.startswith("int64_as_")]
        defaults = [name.partition("_")[0] for name in names if name.endswith("_default_values")]
        if "use_default_metatable" in names:
            defaults.append("no")
        enums = [name for name in names if name.startswith("enum_as_")]
        return cls(
            bool(enums) and enums[-1] == "enum_as_value",
            int64[-1] if int64 else "number",
            defaults[-1] if defaults else "auto",
        )


class Proto:
    """A compiled proto resource; raises ValueError for content that is neither source nor a descriptor set."""

    def __init__(self, content: str) -> None:
        self._pool = DescriptorPool()
        raw = _descriptor_set(content)
        files = raw.file if raw else [parse(content, _FILE)]
        try:
            for file in files:
                self._pool.Add(file)
        except (TypeError, KeyError) as error:
            raise ValueError(str(error)) from error
        self._services = [
            f"{file.package}.{service.name}" if file.package else service.name
            for file in files
            for service in file.service
        ]

    def method(self, service: str, name: str) -> Any:
        """The method's descriptor, or None."""
        if service not in self._services:
            return None
        return self._pool.FindServiceByName(service).methods_by_name.get(name)

    def message(self, name: str) -> Any:
        """A message's descriptor by its full name; raises KeyError."""
        return self._pool.FindMessageTypeByName(name.removeprefix("."))


def _descriptor_set(content: str) -> FileDescriptorSet | None:
    try:
        found = FileDescriptorSet.FromString(b64decode(content.strip(), validate=True))
    except (Base64Error, ValueError, DecodeError):
        return None
    return found if found.file else None


def encode(descriptor: Any, table: Mapping[str, Any]) -> bytes:
    """The message with those members of a JSON table that it has fields for; raises ValueError or TypeError."""
    message = GetMessageClass(descriptor)()
    _fill(message, table)
    return bytes(message.SerializeToString())


def decode(descriptor: Any, data: bytes, options: Options) -> dict[str, Any]:
    """The message as a JSON table; raises ValueError."""
    message = GetMessageClass(descriptor)()
    try:
        message.ParseFromString(data)
    except DecodeError as error:
        raise ValueError(str(error)) from error
    return _told(message, options)


def _fill(message: Any, table: Mapping[str, Any]) -> None:
    for field in message.DESCRIPTOR.fields:
        value = table.get(field.name)
        if value is None:
            continue
        if _is_map(field):
            _fill_map(getattr(message, field.name), field, value)
        elif field.is_repeated:
            _fill_list(getattr(message, field.name), field, value if isinstance(value, list) else [value])
        elif field.message_type is not None:
            if isinstance(value, Mapping):
                child = getattr(message, field.name)
                child.SetInParent()
                _fill(child, value)
        else:
            setattr(message, field.name, _scalar(field, value))


def _fill_map(target: Any, field: Any, value: Any) -> None:
    if not isinstance(value, Mapping):
        raise ValueError(f"{field.name} is a map")
    key_field, value_field = (field.message_type.fields_by_name[name] for name in ("key", "value"))
    for key, member in value.items():
        place = _scalar(key_field, key)
        if value_field.message_type is not None:
            _fill(target[place], member)
        else:
            target[place] = _scalar(value_field, member)


def _fill_list(target: Any, field: Any, values: list[Any]) -> None:
    for value in values:
        if field.message_type is not None:
            _fill(target.add(), value)
        else:
            target.append(_scalar(field, value))


def _is_map(field: Any) -> bool:
    return field.message_type is not None and bool(field.message_type.GetOptions().map_entry)


def _scalar(field: Any, value: Any) -> Any:
    """A JSON value as the field takes it: numbers in text, enumerations by name or number."""
    kind = field.cpp_type
    if field.enum_type is not None:
        named = field.enum_type.values_by_name.get(value) if isinstance(value, str) else None
        return named.number if named else _integer(value)
    if kind == FieldDescriptor.CPPTYPE_BOOL:
        return value not in (False, None)
    if kind == FieldDescriptor.CPPTYPE_STRING:
        if isinstance(value, bool | dict | list):
            raise ValueError(f"string expected for field {field.name}")
        text = to_text(value)
        return text.encode("utf-8", "surrogateescape") if field.type == FieldDescriptor.TYPE_BYTES else text
    if kind in (FieldDescriptor.CPPTYPE_DOUBLE, FieldDescriptor.CPPTYPE_FLOAT):
        number = to_number(value)
        if number is None:
            raise ValueError(f"number expected for field {field.name}")
        return float(number)
    return _integer(value)


def _integer(value: Any) -> int:
    """A whole number; 64-bit ones may come as text, with lua-protobuf's "#" in front."""
    if isinstance(value, str):
        return int(value.removeprefix("#"), 0)
    number = to_number(value)
    if number is None:
        raise ValueError("number expected")
    return int(number)


# -- decoding


def _told(message: Any, options: Options) -> dict[str, Any]:
    found: dict[str, Any] = {}
    present = {field.name for field, _ in message.ListFields()}
    proto3 = message.DESCRIPTOR.file.serialized_pb is not None and _is_proto3(message.DESCRIPTOR.file)
    for field in message.DESCRIPTOR.fields:
        if field.name in present or _has_default(field, options, proto3):
            found[field.name] = _value(field, getattr(message, field.name), options)
    return found


def _is_proto3(file: Any) -> bool:
    from google.protobuf.descriptor_pb2 import FileDescriptorProto

    proto = FileDescriptorProto()
    file.CopyToProto(proto)
    return proto.syntax == "proto3"


def _has_default(field: Any, options: Options, proto3: bool) -> bool:
    """Whether an absent field is told all the same: scalars and lists, not messages nor members of a oneof."""
    if options.defaults == "no" or field.containing_oneof is not None:
        return False
    if field.is_repeated:
        return options.defaults == "use" or proto3
    return field.message_type is None and (options.defaults == "use" or proto3)


def _value(field: Any, value: Any, options: Options) -> Any:
    if _is_map(field):
        member = field.message_type.fields_by_name["value"]
        return {to_text(key): _single(member, value[key], options) for key in value}
    if field.is_repeated:
        return [_single(field, one, options) for one in value]
    return _single(field, value, options)


def _single(field: Any, value: Any, options: Options) -> Any:
    if field.message_type is not None:
        return _told(value, options)
    if field.enum_type is not None:
        named = None if options.enum_as_value else field.enum_type.values_by_number.get(value)
        return named.name if named else value
    if isinstance(value, bytes):
        return value.decode("utf-8", "surrogateescape")
    if field.type in _WIDE:
        return _WIDE_AS[options.int64](value)
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    return value


def _in_text(value: int) -> Any:
    """Numbers of 32 bits stay numbers, as in lua-protobuf."""
    return value if -(2**31) <= value < 2**32 else f"#{value}"


def _in_hex(value: int) -> Any:
    return value if -(2**31) <= value < 2**32 else f"#0x{value & (2**64 - 1):x}"


_WIDE_AS: Mapping[str, Callable[[int], Any]] = {"number": int, "string": _in_text, "hexstring": _in_hex}
