"""gRPC calls through the gateway: unary and streams, trailers, deadlines, errors."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest


def _unary(request: bytes, context: Any) -> bytes:
    metadata = dict(context.invocation_metadata())
    context.set_trailing_metadata((("x-trailer", "t"), ("x-saw", metadata.get("x-client", "-"))))
    return request[::-1]


def _fail(request: bytes, context: Any) -> bytes:
    context.abort(grpc.StatusCode.NOT_FOUND, "no such thing")
    raise AssertionError


def _down(request: bytes, context: Any) -> Iterator[bytes]:
    for number in range(int(request)):
        yield b"%d" % number


def _up(requests: Iterator[bytes], context: Any) -> bytes:
    return b"".join(requests)


def _both(requests: Iterator[bytes], context: Any) -> Iterator[bytes]:
    for request in requests:
        yield request.upper()


def _slow(request: bytes, context: Any) -> bytes:
    gone = threading.Event()
    context.add_callback(gone.set)
    gone.wait(10)
    return b""


@pytest.fixture(scope="module")
def service() -> Iterator[str]:
    """A gRPC server without generated code: bytes in, bytes out."""
    handlers = {
        "Unary": grpc.unary_unary_rpc_method_handler(_unary),
        "Fail": grpc.unary_unary_rpc_method_handler(_fail),
        "Slow": grpc.unary_unary_rpc_method_handler(_slow),
        "Down": grpc.unary_stream_rpc_method_handler(_down),
        "Up": grpc.stream_unary_rpc_method_handler(_up),
        "Both": grpc.stream_stream_rpc_method_handler(_both),
    }
    server = grpc.server(ThreadPoolExecutor(8))
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("t.Echo", handlers),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"127.0.0.1:{port}"
    server.stop(None)


@pytest.fixture
def channel(gateway: Any, service: str) -> Iterator[grpc.Channel]:
    gateway.route("/t.Echo/*", service, id_="grpc", upstream={"scheme": "grpc"})
    with grpc.insecure_channel("{}:{}".format(*gateway.address)) as channel:
        yield channel


def test_unary_call_with_metadata_and_trailers(channel: grpc.Channel) -> None:
    answer, call = channel.unary_unary("/t.Echo/Unary").with_call(b"abc", metadata=(("x-client", "me"),), timeout=5)
    assert answer == b"cba"
    assert {"x-trailer": "t", "x-saw": "me"}.items() <= dict(call.trailing_metadata()).items()


def test_error_status_and_message_come_through(channel: grpc.Channel) -> None:
    with pytest.raises(grpc.RpcError) as raised:
        channel.unary_unary("/t.Echo/Fail")(b"", timeout=5)
    assert raised.value.code() == grpc.StatusCode.NOT_FOUND
    assert raised.value.details() == "no such thing"


def test_server_stream(channel: grpc.Channel) -> None:
    assert list(channel.unary_stream("/t.Echo/Down")(b"50", timeout=5)) == [b"%d" % number for number in range(50)]


def test_client_stream_larger_than_the_windows(channel: grpc.Channel) -> None:
    pieces = [bytes([number]) * 50_000 for number in range(40)]
    assert channel.stream_unary("/t.Echo/Up")(iter(pieces), timeout=10) == b"".join(pieces)


def test_both_ways_message_by_message(channel: grpc.Channel) -> None:
    answered = threading.Semaphore(1)

    def requests() -> Iterator[bytes]:
        for number in range(10):
            # the next message is sent only when the last one was answered: nothing is gathered on the way
            assert answered.acquire(timeout=5)
            yield b"m%d" % number

    got = []
    for answer in channel.stream_stream("/t.Echo/Both")(requests(), timeout=10):
        got.append(answer)
        answered.release()
    assert got == [b"M%d" % number for number in range(10)]


def test_deadline_of_the_client_ends_the_call(channel: grpc.Channel) -> None:
    with pytest.raises(grpc.RpcError) as raised:
        channel.unary_unary("/t.Echo/Slow")(b"", timeout=0.3)
    assert raised.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED


def test_nobody_at_the_node_is_unavailable(gateway: Any) -> None:
    gateway.route("/t.Gone/*", "127.0.0.1:9", id_="grpc-gone", upstream={"scheme": "grpc"})
    with grpc.insecure_channel("{}:{}".format(*gateway.address)) as channel, pytest.raises(grpc.RpcError) as raised:
        channel.unary_unary("/t.Gone/X")(b"", timeout=5)
    assert raised.value.code() == grpc.StatusCode.UNAVAILABLE
