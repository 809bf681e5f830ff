"""The chunked coding: content, ends, refusals, whatever the pieces in which it comes."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.emulators.apisix.proxy.chunks import LAST, BadChunks, ChunkedDecoder, chunk


@settings(max_examples=500, deadline=None)
@given(st.lists(st.binary(min_size=1, max_size=40), max_size=6), st.binary(max_size=10), st.data())
def test_content_comes_out_however_it_is_cut(contents: list[bytes], after: bytes, data: st.DataObject) -> None:
    coded = b"".join(chunk(content) for content in contents) + LAST + after
    cuts = sorted(data.draw(st.lists(st.integers(0, len(coded)), max_size=8)))
    pieces = [coded[start:end] for start, end in zip([0, *cuts], [*cuts, len(coded)], strict=True)]
    decoder = ChunkedDecoder()
    out = b""
    rest = b""
    for piece in pieces:
        if decoder.done:
            rest += piece
        else:
            out += decoder.feed(piece)
            rest += decoder.rest if decoder.done else b""
    assert decoder.done
    assert (out, rest) == (b"".join(contents), after)


@pytest.mark.parametrize(
    "coded",
    [b"3;ext=1\r\nabc\r\n0\r\n\r\n", b"3\nabc\n0\n\n", b"003\r\nabc\r\n0\r\nX-T: 1\r\n\r\n", b"3 \r\nabc\r\n0\r\n\r\n"],
)
def test_what_nginx_takes(coded: bytes) -> None:
    decoder = ChunkedDecoder()
    assert decoder.feed(coded) == b"abc"
    assert decoder.done


@pytest.mark.parametrize(
    "coded", [b"xyz\r\n", b"\r\n", b"3\r\nabcd", b"ffffffffffffffff\r\n", b"-1\r\n", b"0x3\r\nabc", b" 3\r\n"]
)
def test_what_nginx_refuses(coded: bytes) -> None:
    with pytest.raises(BadChunks):
        ChunkedDecoder().feed(coded)


@settings(max_examples=1000, deadline=None)
@given(st.binary(max_size=60))
def test_any_bytes_end_somehow(data: bytes) -> None:
    decoder = ChunkedDecoder()
    try:
        out = decoder.feed(data)
    except BadChunks:
        return
    assert len(out) <= len(data)
