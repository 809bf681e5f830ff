"""HTTP/2's connection as nginx keeps it: resets, refusals, GOAWAY, floods, idle and slow clients."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable
from typing import Any

import h2.errors
import h2.events
import h2.exceptions
import pytest
from hyperframe.frame import ContinuationFrame, HeadersFrame, PingFrame

from harness.emulators.apisix.proxy import http2
from harness.emulators.apisix.proxy.http2_frames import GoAways
from harness.wait import until

from .conftest import says  # type: ignore[import-not-found]
from .h2_client import H2Client  # type: ignore[import-not-found]


@pytest.fixture
def client(gateway: Any) -> Callable[[], Any]:
    return lambda: H2Client(gateway.address)


def test_one_bad_head_ends_its_stream_alone(gateway: Any, upstream: Any, client: Any) -> None:
    node = upstream()
    gateway.route("/h2-bad", node.node, id_="h2bad")
    with client() as http:
        bad = http.begin(("x-a", "b\r\nX-Smuggled: 1"), path="/h2-bad")
        method = http.begin(path="/h2-bad", method="GET /h2-bad HTTP/1.1\r\nHost: x\r\n\r\nGET")
        good = http.begin(path="/h2-bad")
        http.send()
        assert (http.status(bad), http.status(method), http.status(good)) == ("400", "400", "200")
    assert len(node.seen) == 1
    assert b"smuggled" not in node.seen[0].lower()


def test_what_http2_has_other_means_for_stays_behind(gateway: Any, upstream: Any, client: Any) -> None:
    node = upstream()
    gateway.route("/h2-hop", node.node, id_="h2hop")
    with client() as http:
        stream = http.begin(
            ("transfer-encoding", "chunked"), ("connection", "close"), ("te", "trailers"), ("upgrade", "x"),
            ("content-length", "4"), ("cookie", "a=1"), ("cookie", "b=2"), end=False, path="/h2-hop", method="POST",
        )  # fmt: skip
        http.connection.send_data(stream, b"body", end_stream=True)
        http.send()
        assert http.status(stream) == "200"
    head = node.seen[0].lower()
    for name in (b"transfer-encoding", b"\r\nconnection", b"\r\nte:", b"upgrade"):
        assert name not in head
    assert b"content-length: 4\r\n" in head
    assert b"\r\ncookie: a=1; b=2\r\n" in head
    assert head.endswith(b"\r\n\r\nbody")


@pytest.mark.parametrize("sent", [b"less", b"more than was said"])
def test_a_body_of_another_length_reaches_nobody_and_costs_its_stream_alone(
    gateway: Any, upstream: Any, client: Any, sent: bytes
) -> None:
    node = upstream()
    gateway.route("/h2-length", node.node, id_="h2length")
    with client() as http:
        stream = http.begin(("content-length", "8"), end=False, path="/h2-length", method="POST")
        # h2's own client won't say it
        http.connection.streams[stream]._expected_content_length = None
        http.connection.send_data(stream, sent, end_stream=True)
        good = http.begin(path="/nowhere")
        http.send()
        assert (http.status(stream), http.status(good)) == ("400", "404")
    assert node.seen == []


def test_bytes_beyond_ascii_go_both_ways_as_they_came(gateway: Any, upstream: Any, client: Any) -> None:
    node = upstream(says(b"HTTP/1.1 200 OK\r\nX-Odd: caf\xe9\t\r\nContent-Length: 2\r\n\r\nok"))
    gateway.route("/h2-latin", node.node, id_="h2latin")
    with client() as http:
        stream = http.begin(("x-odd", "caf\xe9"), path="/h2-latin")
        http.send()
        answer = dict(http.until(h2.events.ResponseReceived, stream).headers)
    assert b"x-odd: caf\xe9\r\n" in node.seen[0]
    assert answer["x-odd"].rstrip("\t") == "caf\xe9"


def test_a_reset_stream_is_forgotten_and_the_rest_goes_on(gateway: Any, upstream: Any, client: Any) -> None:
    asked = threading.Semaphore(0)
    go = threading.Event()

    def slow(up: Any, to: socket.socket, request: bytes) -> bool:
        asked.release()
        if b"first" in request:
            return to.recv(1) != b""  # until the gateway hangs up
        assert go.wait(10)
        to.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        return True

    gateway.route("/h2-reset/*", upstream(slow).node, id_="h2reset")
    with client() as http:
        first, second = http.begin(path="/h2-reset/first"), http.begin(path="/h2-reset/second")
        http.send()
        assert asked.acquire(timeout=10) and asked.acquire(timeout=10)
        http.connection.reset_stream(first, h2.errors.ErrorCodes.CANCEL)
        http.send()
        until(
            lambda: any(e["request"]["uri"] == "/h2-reset/first" and e["response"]["status"] == 499
                        for e in gateway.server.journal(50)),
            10, awaited="the first request to be given up",
        )  # fmt: skip
        go.set()
        assert http.body(second) == b"ok"


def test_more_streams_than_allowed_are_refused_one_by_one(gateway: Any, upstream: Any, client: Any) -> None:
    go = threading.Event()

    def wait(up: Any, to: socket.socket, request: bytes) -> bool:
        assert go.wait(10)
        to.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        return True

    gateway.route("/h2-most", upstream(wait).node, id_="h2most")
    with client() as http:
        streams = [http.begin(path="/h2-most") for _ in range(130)]
        http.send()
        refused = [http.until(h2.events.StreamReset, stream) for stream in streams[128:]]
        assert {event.error_code for event in refused} == {h2.errors.ErrorCodes.REFUSED_STREAM}
        go.set()
        assert {http.status(stream) for stream in streams[:128]} == {"200"}
        again = http.begin(path="/h2-most")
        http.send()
        assert http.status(again) == "200"


def test_rapid_resets_end_the_connection(gateway: Any, client: Any) -> None:
    with client() as http:
        for _ in range(4000):
            stream = http.begin(path="/nowhere")
            http.connection.reset_stream(stream, h2.errors.ErrorCodes.CANCEL)
        with contextlib.suppress(ConnectionResetError, BrokenPipeError):
            http.send()
        http.rest()
    handled = sum(1 for entry in gateway.server.journal(500) if entry["request"]["uri"] == "/nowhere")
    assert handled < 4000


def test_a_flood_of_pings_ends_the_connection(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http2, "FLOOD", 100_000)
    with client() as http:
        http.send(PingFrame(0, b"12345678").serialize() * 6_000)
        http.rest()
    assert any(isinstance(event, h2.events.ConnectionTerminated) for event in http.events)


def test_answers_that_pile_up_unread_end_the_connection(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with client() as http:
        http.until(h2.events.RemoteSettingsChanged)
        monkeypatch.setattr(http2, "MOST_UNREAD", -1)
        http.send(PingFrame(0, b"12345678").serialize())
        http.rest()


def test_endless_continuation_ends_the_connection(client: Any) -> None:
    frames = HeadersFrame(1, b"\x40\x01a\x01b").serialize() + ContinuationFrame(1, b"\x40\x01a\x01b").serialize() * 1000
    with client() as http:
        http.send(frames)
        http.rest()
    assert any(isinstance(event, h2.events.ConnectionTerminated) for event in http.events)


def test_a_head_in_continuations_is_one_head(gateway: Any, upstream: Any, client: Any) -> None:
    node = upstream()
    gateway.route("/h2-long", node.node, id_="h2long")
    with client() as http:
        stream = http.begin(*[(f"x-long-{number}", chr(97 + number) * 7000) for number in range(4)], path="/h2-long")
        http.send()
        assert http.status(stream) == "200"
    assert b"a" * 7000 in node.seen[0] and b"d" * 7000 in node.seen[0]


def test_a_head_that_is_too_large_ends_the_connection(client: Any) -> None:
    with client() as http:
        http.begin(*[("x-a", "a" * 7000)] * 5)
        http.send()
        assert http.until(h2.events.ConnectionTerminated).error_code == h2.errors.ErrorCodes.ENHANCE_YOUR_CALM
        http.rest()


def test_a_clients_goaway_lets_its_requests_end(gateway: Any, upstream: Any, client: Any) -> None:
    asked, go = threading.Event(), threading.Event()

    def slow(up: Any, to: socket.socket, request: bytes) -> bool:
        asked.set()
        assert go.wait(10)
        to.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        return True

    gateway.route("/h2-leaving", upstream(slow).node, id_="h2leaving")
    with client() as http:
        stream = http.begin(path="/h2-leaving")
        http.send()
        assert asked.wait(10)
        http.send(b"\0\0\x08\x07\0\0\0\0\0" + b"\0" * 8)
        go.set()
        assert http.body(stream) == b"ok"


def test_a_thousand_requests_then_goaway(gateway: Any, client: Any) -> None:
    with client() as http:
        http.goaways = GoAways()
        for _ in range(10):
            streams = [http.begin(path="/nowhere", method="HEAD") for _ in range(100)]
            http.send()
            assert {http.status(stream) for stream in streams} == {"404"}
        http.rest()
        assert http.goaways.last == streams[-1]


def test_the_window_of_a_stream_holds_the_answer_back(gateway: Any, upstream: Any, client: Any) -> None:
    sent = [0]
    total = 32 * 1024 * 1024

    def pour(up: Any, to: socket.socket, request: bytes) -> bool:
        to.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % total)
        while sent[0] < total:
            sent[0] += to.send(b"x" * 65536)
        return False

    gateway.route("/h2-pour", upstream(pour).node, id_="h2pour")
    with client() as http:
        stream = http.begin(path="/h2-pour")
        http.send()
        assert http.status(stream) == "200"
        seen = [-1]

        def stalled() -> bool:
            before, seen[0] = seen[0], sent[0]
            return 0 < before == sent[0]

        until(stalled, 10, awaited="the upstream to be held back")
        assert sent[0] < total / 2
        other = http.begin(path="/nowhere")
        http.send()
        assert http.status(other) == "404"  # a full stream stands in nobody's way
