"""Whether a proto can be loaded: source text, or a descriptor set in base64 (grpc-transcode/proto.lua)."""

from __future__ import annotations

from base64 import b64decode
from binascii import Error as Base64Error


def problem(content: str) -> str | None:
    """What is wrong with it, or None."""
    from harness.emulators.apisix.protobuf.lexer import ProtoError  # at first use: protobuf costs a start 20 ms
    from harness.emulators.apisix.protobuf.parser import parse

    try:
        parse(content)
    except ProtoError as error:
        return None if _is_descriptor_set(content) else str(error)
    return None


def _is_descriptor_set(content: str) -> bool:
    from google.protobuf.descriptor_pb2 import FileDescriptorSet
    from google.protobuf.message import DecodeError

    try:
        return bool(FileDescriptorSet.FromString(b64decode(content.strip(), validate=True)).file)
    except (Base64Error, ValueError, DecodeError):
        return False
