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


def _serving(handlers: dict[str, Any], options: Any = (), name: str = "t.Echo") -> tuple[grpc.Server, str]:
    server = grpc.server(ThreadPoolExecutor(8), options=options)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(name, handlers),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    return server, f"127.0.0.1:{port}"


def _dial(gateway: Any) -> grpc.Channel:
    return grpc.insecure_channel("{}:{}".format(*gateway.address))


def test_messages_of_megabytes(channel: grpc.Channel) -> None:
    message = bytes(range(256)) * 8192  # 2 MiB
    assert channel.unary_unary("/t.Echo/Unary")(message, timeout=20) == message[::-1]


def test_an_empty_message_and_no_trailing_metadata(channel: grpc.Channel) -> None:
    assert channel.unary_unary("/t.Echo/Unary")(b"", timeout=5) == b""
    assert list(channel.unary_stream("/t.Echo/Down")(b"0", timeout=5)) == []


def test_the_deadline_reaches_the_upstream(gateway: Any) -> None:
    left: list[float] = []

    def note(request: bytes, context: Any) -> bytes:
        left.append(context.time_remaining())
        return b""

    server, node = _serving({"Note": grpc.unary_unary_rpc_method_handler(note)})
    gateway.route("/t.Echo/Note", node, id_="grpc-note", upstream={"scheme": "grpc"})
    with _dial(gateway) as channel:
        channel.unary_unary("/t.Echo/Note")(b"", timeout=60)
    server.stop(None)
    assert 50 < left[0] <= 60


def test_cancelling_ends_the_call_at_the_upstream(gateway: Any) -> None:
    begun, ended = threading.Event(), threading.Event()

    def wait(request: bytes, context: Any) -> bytes:
        context.add_callback(ended.set)
        begun.set()
        ended.wait(10)
        return b""

    server, node = _serving({"Wait": grpc.unary_unary_rpc_method_handler(wait)})
    gateway.route("/t.Echo/Wait", node, id_="grpc-wait", upstream={"scheme": "grpc"})
    with _dial(gateway) as channel:
        call = channel.unary_unary("/t.Echo/Wait").future(b"")
        assert begun.wait(10)
        call.cancel()
        assert ended.wait(10)
    server.stop(None)


def test_a_server_that_stops_gracefully_ends_its_calls_first(gateway: Any) -> None:
    begun, go = threading.Event(), threading.Event()

    def slow(request: bytes, context: Any) -> bytes:
        begun.set()
        assert go.wait(10)
        return b"done"

    handlers = {"Slow": grpc.unary_unary_rpc_method_handler(slow), "Unary": grpc.unary_unary_rpc_method_handler(_unary)}
    server, node = _serving(handlers, name="t.Stop")
    other, spare = _serving(handlers, name="t.Stop")
    gateway.route("/t.Stop/*", node, spare, id_="grpc-stop", upstream={"scheme": "grpc"})
    with _dial(gateway) as channel:
        call = channel.unary_unary("/t.Stop/Slow").future(b"", timeout=10)
        assert begun.wait(10)
        stopped = server.stop(10)  # GOAWAY, then the calls that are under way
        assert channel.unary_unary("/t.Stop/Unary")(b"abc", timeout=10) == b"cba"  # at the next node
        go.set()
        assert call.result() == b"done"
        assert stopped.wait(10)
    other.stop(None)


def test_more_calls_than_the_upstream_allows_on_a_connection(gateway: Any) -> None:
    together = threading.Barrier(6, timeout=10)

    def meet(request: bytes, context: Any) -> bytes:
        together.wait()
        return request

    handlers = {"Meet": grpc.unary_unary_rpc_method_handler(meet)}
    server, node = _serving(handlers, [("grpc.max_concurrent_streams", 2)])
    gateway.route("/t.Echo/Meet", node, id_="grpc-meet", upstream={"scheme": "grpc"})
    with _dial(gateway) as channel:
        calls = [channel.unary_unary("/t.Echo/Meet").future(b"%d" % n, timeout=20) for n in range(6)]
        assert [call.result() for call in calls] == [b"%d" % n for n in range(6)]
    server.stop(None)


def test_an_upstream_that_takes_too_long_is_unavailable(gateway: Any, service: str) -> None:
    # nginx answers 504 and a page; what a gRPC client makes of that is in its own table of HTTP statuses
    timeout = {"connect": 1, "send": 1, "read": 0.2}
    gateway.route("/t.Echo/Slow", service, id_="grpc-late", upstream={"scheme": "grpc", "timeout": timeout})
    with _dial(gateway) as channel, pytest.raises(grpc.RpcError) as raised:
        channel.unary_unary("/t.Echo/Slow")(b"", timeout=10)
    gateway.admin.delete("/routes/grpc-late")
    assert raised.value.code() == grpc.StatusCode.UNAVAILABLE
    assert "504" in raised.value.details()


def test_a_call_that_no_route_takes_is_unimplemented(gateway: Any) -> None:
    with _dial(gateway) as channel, pytest.raises(grpc.RpcError) as raised:
        channel.unary_unary("/t.Nobody/X")(b"", timeout=5)
    assert raised.value.code() == grpc.StatusCode.UNIMPLEMENTED


def test_a_stream_that_breaks_off_is_told(gateway: Any) -> None:
    server: grpc.Server

    def part(request: bytes, context: Any) -> Iterator[bytes]:
        yield b"one"
        server.stop(None)
        threading.Event().wait(5)

    server, node = _serving({"Part": grpc.unary_stream_rpc_method_handler(part)})
    gateway.route("/t.Echo/Part", node, id_="grpc-part", upstream={"scheme": "grpc"})
    with _dial(gateway) as channel:
        answers = channel.unary_stream("/t.Echo/Part")(b"", timeout=10)
        assert next(answers) == b"one"
        with pytest.raises(grpc.RpcError):
            next(answers)


def test_http11_clients_get_the_bytes_without_trailers(gateway: Any, service: str) -> None:
    gateway.route("/t.Echo/*", service, id_="grpc", upstream={"scheme": "grpc"})
    frame = b"\0\0\0\0\x03abc"
    answer = gateway.raw(
        b"POST /t.Echo/Unary HTTP/1.1\r\nHost: h\r\nContent-Type: application/grpc\r\nTE: trailers\r\n"
        b"Connection: close\r\nContent-Length: 8\r\n\r\n" + frame
    )
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"\0\0\0\0\x03cba" in answer
    assert b"grpc-status" not in answer
