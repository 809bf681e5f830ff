"""Reading requests' heads: what nginx takes and refuses, and that the fast reading never differs from the exact one."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.emulators.apisix.proxy import head as heads
from harness.emulators.apisix.proxy.head import Refused, parse


def _told(data: bytes) -> object:
    """All that a head says, a refusal, or None."""
    try:
        head = parse(data)
    except Refused as refusal:
        return refusal.status
    if head is None:
        return None
    return {name: getattr(head, name) for name in head.__slots__}


def _exactly(data: bytes) -> object:
    try:
        head = heads._parse_exactly(data)
    except Refused as refusal:
        return refusal.status
    if head is None:
        return None
    return {name: getattr(head, name) for name in head.__slots__}


def get(*lines: str, first: str = "GET /w HTTP/1.1", host: str = "Host: h.test") -> bytes:
    """A request with these header lines."""
    return "\r\n".join([first, *([host] if host else []), *lines, "", ""]).encode("latin-1")


def test_plain_request() -> None:
    head = parse(get("X-A: 1", "Content-Length: 3", first="POST /a/b?x=1&y HTTP/1.1") + b"abc")
    assert head is not None
    assert (head.method, head.target, head.path, head.query) == ("POST", "/a/b?x=1&y", "/a/b", "x=1&y")
    assert (head.host, head.named_host, head.length, head.keep_alive) == ("h.test", "h.test", 3, True)
    assert head.fields[1] == ("x-a", "X-A", "1")
    assert head.size == len(get("X-A: 1", "Content-Length: 3", first="POST /a/b?x=1&y HTTP/1.1"))


@pytest.mark.parametrize(
    ("target", "path", "query"),
    [
        ("/a%20b", "/a b", ""),
        ("/a//b///c", "/a/b/c", ""),
        ("/a/./b/../c", "/a/c", ""),
        ("/a/%2e%2e/c", "/c", ""),
        ("/a%2Fb", "/a/b", ""),
        ("/a?b=/../%41", "/a", "b=/../%41"),
        ("/a#frag?x", "/a", ""),
        ("/a?x#frag", "/a", "x"),
        ("/a/..", "/", ""),
        ("/a/.", "/a/", ""),
        ("/%C3%A9", "/\u00c3\u00a9", ""),
        ("/a%3Fb", "/a?b", ""),
    ],
)
def test_paths_are_decoded_and_normalised(target: str, path: str, query: str) -> None:
    head = parse(get(first=f"GET {target} HTTP/1.1"))
    assert head is not None
    assert (head.path, head.query, head.target) == (path, query, target)


@pytest.mark.parametrize("target", ["/..", "/a/../..", "/%", "/%4", "/%zz", "/a%00", "/%2e%2e/"])
def test_paths_that_lead_nowhere_are_refused(target: str) -> None:
    assert _told(get(first=f"GET {target} HTTP/1.1")) == 400


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (get("Content-Length: 1", "Transfer-Encoding: chunked"), 400),
        (get("Content-Length: 1", "Content-Length: 1"), 400),
        (get("Content-Length: -1"), 400),
        (get("Content-Length: +1"), 400),
        (get("Content-Length: 1, 1"), 400),
        (get("Content-Length: \u00b2"), 400),
        (get("Content-Length: " + "9" * 30), 400),
        (get("Transfer-Encoding: gzip"), 501),
        (get("Transfer-Encoding: chunked, chunked"), 501),
        (get("Transfer-Encoding: chunked", first="GET / HTTP/1.0"), 400),
        (get("X-Fold: a", " b"), 400),
        (get("X-Space : a"), 400),
        (get("X: a\0b"), 400),
        (get("X: a\rb"), 400),
        (get(": empty"), 400),
        (get("Host: other"), 400),
        (get(host=""), 400),
        (get(host="Host:"), 400),
        (get(host="Host: a b"), 400),
        (get(host="Host: a/b"), 400),
        (get(host="Host: a..b"), 400),
        (get("Authorization: a", "Authorization: b"), 400),
        (get(first="get / HTTP/1.1"), 400),
        (get(first="GET w HTTP/1.1"), 400),
        (get(first="GET / FTP/1.1"), 400),
        (get(first="GET / x HTTP/1.1"), 400),
        (get(first="GET / HTTP/2.0"), 505),
        (get(first="TRACE / HTTP/1.1"), 405),
        (get(first="CONNECT /x HTTP/1.1"), 405),
        (get(first="CONNECT h.test:443 HTTP/1.1"), 400),
        (b"POST /w\r\n", 400),
        (get(first="GET /" + "a" * 9000 + " HTTP/1.1"), 414),
        (get("X: " + "a" * 9000), 494),
        (get(*["X-A: 0123456789"] * 5000), 494),
    ],
)
def test_what_nginx_refuses(data: bytes, status: int) -> None:
    assert _told(data) == status


def test_what_nginx_takes() -> None:
    bare = parse(b"GET /w HTTP/1.1\nHost: h.test\nX-Lf: a\n\nrest")
    assert (
        bare is not None
        and bare.fields[1][2] == "a"
        and bare.size == len(b"GET /w HTTP/1.1\nHost: h.test\nX-Lf: a\n\n")
    )
    blank = parse(b"\r\n\r\n" + get())
    assert blank is not None and blank.path == "/w"
    colonless = parse(get("NoColon"))
    assert colonless is not None and colonless.fields[1] == ("nocolon", "NoColon", "")
    old = parse(b"GET /w\r\nleft")
    assert old is not None and old.version == (0, 9) and old.size == 8
    absolute = parse(get(first="GET http://abs.test:81?x=1 HTTP/1.1"))
    assert absolute is not None and (absolute.path, absolute.query, absolute.host) == ("/", "x=1", "abs.test")
    assert absolute.named_host == "h.test"
    invalid = parse(get("X(: dropped", "X-B: kept"))
    assert invalid is not None and [field[0] for field in invalid.fields] == ["host", "x-b"]


@pytest.mark.parametrize("cut", range(1, len(get("X-A: b"))))
def test_a_part_of_a_head_is_awaited(cut: int) -> None:
    assert _told(get("X-A: b")[:cut]) is None


def test_nonsense_is_refused_before_its_line_is_whole() -> None:
    assert _told(b"\x16\x03\x01") == 400
    assert _told(b"<html") == 400


_PIECES = st.sampled_from(
    [
        *(b"GET", b"POST", b" ", b"/", b"/a", b"?", b"%41", b"%", b"..", b"//", b"#", b"\r\n", b"\n", b"\r", b"\0"),
        *(b"HTTP/1.1", b"HTTP/1.0", b"HTTP/0.9", b":", b"Host: a.test", b"Host", b"Content-Length: 3", b"h.test"),
        *(b"Transfer-Encoding: chunked", b"Connection: close", b"X-A: b", b"X_b:c", b"\xff", b"\x01", b"\t"),
        *(b"http://", b"[::1]", b"Expect: 100-continue"),
    ]
)


@settings(max_examples=1500, deadline=None)
@given(st.lists(_PIECES, max_size=14), st.booleans())
def test_fast_reading_equals_the_exact_one(pieces: list[bytes], ended: bool) -> None:
    data = b"GET / HTTP/1.1\r\nHost: a.test\r\n" * (len(pieces) % 2) + b"".join(pieces) + b"\r\n\r\n" * ended
    assert _told(data) == _exactly(data)


@settings(max_examples=1000, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_judged(data: bytes) -> None:
    assert _told(data) == _exactly(data)
