"""GOAWAY frames taken out of a stream, wherever the bytes are cut."""

from __future__ import annotations

import pytest
from hyperframe.frame import DataFrame, GoAwayFrame, PingFrame

from harness.emulators.apisix.proxy.http2_frames import GoAways, goaway

_PING = PingFrame(0, b"12345678").serialize()
_DATA = DataFrame(1, b"\x07" * 40).serialize()
_GOAWAY = GoAwayFrame(0, last_stream_id=5, error_code=0, additional_data=b"bye").serialize()


@pytest.mark.parametrize("size", [1, 2, 3, 7, 9, 16, 1000])
def test_everything_else_comes_through(size: int) -> None:
    sent = b"preface." + _PING + _GOAWAY + _DATA + _PING + _GOAWAY
    goaways = GoAways(skip=8)
    out = b"".join(goaways.feed(sent[place : place + size]) for place in range(0, len(sent), size))
    assert out == b"preface." + _PING + _DATA + _PING
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
