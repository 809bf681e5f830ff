"""Reading upstreams' heads: what is passed on, what is hidden, what is no answer."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.emulators.apisix.proxy.answer import BadAnswer, NotHttp, parse, with_charset


def test_fields_are_passed_on_without_the_connections_own() -> None:
    parsed = parse(
        b"HTTP/1.1 200 Fine\r\nServer: x\r\nContent-Type: text/plain\r\nContent-Length: 2\r\nKeep-Alive: 5\r\n"
        b"X-Accel-Expires: 1\r\nSet-Cookie: a\r\nSet-Cookie: b\r\nConnection: close\r\n\r\nok"
    )
    assert parsed is not None
    answer, size = parsed
    assert (answer.status, answer.line, answer.length, answer.keep_alive) == (200, "HTTP/1.1 200 Fine\r\n", 2, False)
    assert [(name, value) for _, name, value in answer.fields] == [
        ("Content-Type", "text/plain; charset=utf-8"),
        ("Content-Length", "2"),
        ("Set-Cookie", "a"),
        ("Set-Cookie", "b"),
    ]
    assert size > 0


def test_the_same_head_is_the_same_object() -> None:
    first, second = (parse(b"HTTP/1.1 200 OK\r\nX-Same: 1\r\n\r\n") for _ in range(2))
    assert first is not None and second is not None and first[0] is second[0]


def test_bare_line_ends() -> None:
    parsed = parse(b"HTTP/1.1 201 Made\nX-A: b\n\nrest")
    assert parsed is not None
    assert parsed[0].status == 201
    assert parsed[0].fields == [("x-a", "X-A", "b")]
    assert parsed[1] == len(b"HTTP/1.1 201 Made\nX-A: b\n\n")


@pytest.mark.parametrize(
    "head",
    [
        b"Content-Length: 1\r\nContent-Length: 1",
        b"Content-Length: x",
        b"Transfer-Encoding: gzip",
        b"Transfer-Encoding: chunked\r\nContent-Length: 1",
        b"X: a\0b",
        b" folded",
    ],
)
def test_bad_heads(head: bytes) -> None:
    with pytest.raises(BadAnswer):
        parse(b"HTTP/1.1 200 OK\r\n" + head + b"\r\n\r\n")


def test_no_status_line_is_no_http() -> None:
    with pytest.raises(NotHttp):
        parse(b"this is not http")


@pytest.mark.parametrize(
    ("given_", "shown"),
    [
        ("text/html", "text/html; charset=utf-8"),
        ("text/html; charset=iso-8859-1", "text/html; charset=iso-8859-1"),
        ("application/json", "application/json"),
        ("application/javascript", "application/javascript; charset=utf-8"),
    ],
)
def test_charset(given_: str, shown: str) -> None:
    assert with_charset(given_) == shown


@settings(max_examples=1000, deadline=None)
@given(st.binary(max_size=120))
def test_any_bytes_are_judged(data: bytes) -> None:
    try:
        parse(b"HTTP/1.1 200 OK\r\n" + data + b"\r\n\r\n")
    except BadAnswer:
        return


@pytest.mark.parametrize(
    "line", [b"HTTP/1.1 2000 OK", b"HTTP/1.1 abc", b"HTTP/11111.1 200 OK", b"HTTP/ 200", b"HTTP/1.1"]
)
def test_a_line_that_is_no_status_line_is_no_http(line: bytes) -> None:
    with pytest.raises(NotHttp):
        parse(line + b"\r\nX: y\r\n\r\n")


@pytest.mark.parametrize("value", [b"\xb2", b"9" * 30, b"9" * 5000, b"\t5", b"5,5", b"+5", b"-1", b""])
def test_lengths_that_are_none(value: bytes) -> None:
    with pytest.raises(BadAnswer):
        parse(b"HTTP/1.1 200 OK\r\nContent-Length: " + value + b"\r\n\r\n")
