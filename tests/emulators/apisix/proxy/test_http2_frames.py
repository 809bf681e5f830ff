"""Frames taken out of what a peer sends, wherever the bytes are cut."""

from __future__ import annotations

import pytest
from h2.errors import ErrorCodes
from hyperframe.frame import (
    ContinuationFrame,
    DataFrame,
    Frame,
    GoAwayFrame,
    HeadersFrame,
    PingFrame,
    RstStreamFrame,
    WindowUpdateFrame,
)

from harness.emulators.apisix.proxy.http2_frames import ClientFrames, GoAways, goaway

_PING = PingFrame(0, b"12345678").serialize()
_DATA = DataFrame(1, b"\x07" * 40).serialize()
_GOAWAY = GoAwayFrame(0, last_stream_id=5, error_code=0, additional_data=b"bye").serialize()


@pytest.mark.parametrize("size", [1, 2, 3, 7, 9, 16, 1000])
def test_everything_else_comes_through(size: int) -> None:
    sent = _PING + _GOAWAY + _DATA + _PING + _GOAWAY
    goaways = GoAways()
    out = b"".join(goaways.feed(sent[place : place + size]) for place in range(0, len(sent), size))
    assert out == _PING + _DATA + _PING
    assert goaways.last == 5


def test_a_frame_that_claims_too_much_is_left_to_h2() -> None:
    absurd = b"\xff\xff\xff\x07" + b"\0" * 5 + b"x" * 100
    goaways = GoAways()
    assert goaways.feed(absurd) == absurd
    assert goaways.last is None


def test_our_own_frame() -> None:
    goaways = GoAways()
    assert goaways.feed(goaway(7, 11)) == b""
    assert goaways.last == 7


def _bytes(*frames: Frame) -> bytes:
    return b"".join(frame.serialize() for frame in frames)


@pytest.mark.parametrize("size", [1, 3, 9, 10, 1000])
def test_frames_of_streams_that_nobody_knows_are_left_out(size: int) -> None:
    """Stream 1 is under way, 3 begins here and is reset; 9 and 11 never were."""
    head = HeadersFrame(3, b"head", flags=["END_HEADERS"])
    kept = _bytes(DataFrame(1, b"one"), WindowUpdateFrame(0, 5), PingFrame(0, b"12345678"), head)
    reset = _bytes(RstStreamFrame(3, 8))
    sent = b"preface." + _bytes(DataFrame(9, b"x" * 30), RstStreamFrame(11, 8), WindowUpdateFrame(9, 1)) + kept
    sent += _GOAWAY + reset
    begun = {1}
    frames = ClientFrames(begun.__contains__, 8)
    out = b""
    for place in range(0, len(sent), size):
        out += frames.feed(sent[place : place + size])
        if head.serialize() in out:
            begun.add(3)
    assert out == b"preface." + kept + reset
    assert (frames.skipped, frames.error) == (30, None)


@pytest.mark.parametrize(
    ("bad", "code"),
    [
        (HeadersFrame(2, b"head", flags=["END_HEADERS"]), ErrorCodes.PROTOCOL_ERROR),
        (HeadersFrame(5, b"again", flags=["END_HEADERS", "END_STREAM"]), ErrorCodes.PROTOCOL_ERROR),
        (HeadersFrame(3, b"lower", flags=["END_HEADERS"]), ErrorCodes.PROTOCOL_ERROR),
        (HeadersFrame(7, b"", flags=["END_HEADERS"]), ErrorCodes.FRAME_SIZE_ERROR),
        (GoAwayFrame(0), ErrorCodes.PROTOCOL_ERROR),
    ],
)
def test_what_ends_the_connection_is_told_behind_what_came_before(bad: Frame, code: ErrorCodes) -> None:
    first = _bytes(HeadersFrame(5, b"head"), ContinuationFrame(5, b"more", flags=["END_HEADERS"]))
    data = bad.serialize()
    if isinstance(bad, GoAwayFrame):
        data = data[:8] + b"\1" + data[9:]
    frames = ClientFrames(lambda sid: False, 0)
    assert frames.feed(first + data + _PING) == first
    assert frames.error == code
