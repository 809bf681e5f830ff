"""The hand-made Payload codec beside the protobuf messages of the official SDK, in one process."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from v2.nacos.transport.grpcauto import nacos_grpc_service_pb2 as official

from harness.emulators.nacos.grpc import wire

TEXTS = st.text(max_size=300)


@given(TEXTS, st.binary(max_size=70_000), st.dictionaries(TEXTS, TEXTS, max_size=4), TEXTS)
def test_reads_what_the_sdk_writes(kind: str, body: bytes, headers: dict[str, str], ip: str) -> None:
    message = official.Payload()
    message.metadata.type = kind
    message.metadata.clientIp = ip
    message.metadata.headers.update(headers)
    message.body.value = body
    assert wire.decode(message.SerializeToString()) == wire.Payload(kind, body, headers, ip)


@given(TEXTS, st.binary(max_size=70_000))
def test_writes_what_the_sdk_reads(kind: str, body: bytes) -> None:
    message = official.Payload.FromString(wire.encode(kind, body))
    assert (message.metadata.type, message.body.value) == (kind, body)


@given(st.binary(max_size=200))
def test_garbage_is_a_payload_or_a_value_error(data: bytes) -> None:
    try:
        wire.decode(data)
    except ValueError:
        return


@pytest.mark.parametrize("data", [b"\x12\xff", b"\x12\x05abc", b"\xff" * 12, b"\x00\x01", b"\x13\x00"])
def test_broken_messages(data: bytes) -> None:
    with pytest.raises(ValueError):
        wire.decode(data)
