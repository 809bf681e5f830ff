"""What nginx makes of HTTP/2 heads: nothing in one may become a second request, or another one, in HTTP/1."""

from __future__ import annotations

import pytest
from h2.errors import ErrorCodes

from harness.emulators.apisix.proxy import nginx
from harness.emulators.apisix.proxy.head import Head
from harness.emulators.apisix.proxy.http2_head import MAX_HEAD, Fatal, read_head

_USUAL = {":method": "GET", ":scheme": "http", ":path": "/w", ":authority": "h.test"}


def read(*more: tuple[str, str], without: str = "", **pseudo: str) -> Head:
    named = {**_USUAL, **{":" + name: value for name, value in pseudo.items()}}
    return read_head([*((name, value) for name, value in named.items() if name != without), *more])


def test_a_usual_head() -> None:
    head = read(("x-a", "b"), ("content-length", "3"), path="/a%20b/../c?x=1")
    assert (head.method, head.target, head.path, head.query) == ("GET", "/a%20b/../c?x=1", "/c", "x=1")
    assert (head.host, head.named_host, head.length) == ("h.test", "h.test", 3)
    assert head.fields[0] == ("host", "Host", "h.test")


def test_a_cookie_in_pieces_is_one_line() -> None:
    head = read(("cookie", "a=1"), ("x-a", "b"), ("cookie", "c=2"))
    assert [field for field in head.fields if field[0] == "cookie"] == [("cookie", "Cookie", "a=1; c=2")]


@pytest.mark.parametrize(
    "pseudo",
    [
        {"method": "GET / HTTP/1.1\r\nX: y\r\n\r\nGET"},
        {"method": "GET /w HTTP/1.1"},
        {"method": "get"},
        {"method": ""},
        {"path": "/w HTTP/1.1\r\nX: y"},
        {"path": "/w HTTP/1.1"},
        {"path": "/w\x00"},
        {"path": "/w\x7f"},
        {"path": "*"},
        {"path": "w"},
        {"path": ""},
        {"path": "http://other.test/w"},
        {"path": "/../w"},
        {"path": "/%00"},
        {"path": "/%zz"},
        {"authority": "h.test\r\nX: y"},
        {"authority": "h.test/w"},
        {"authority": "h test"},
        {"authority": ""},
        {"scheme": "ht tp"},
        {"scheme": ""},
        {"other": "x"},
    ],
)
def test_pseudo_fields_that_are_refused(pseudo: dict[str, str]) -> None:
    with pytest.raises(nginx.Bad) as raised:
        read(**pseudo)
    assert raised.value.status == 400


@pytest.mark.parametrize("without", [":method", ":scheme", ":path", ":authority"])
def test_what_must_be_there(without: str) -> None:
    with pytest.raises(nginx.Bad):
        read(without=without)


@pytest.mark.parametrize(
    "field",
    [
        ("x-a", "b\r\nX-Smuggled: 1"),
        ("x-a", "b\nX-Smuggled: 1"),
        ("x-a", "b\rX-Smuggled: 1"),
        ("x-a", "b\0"),
        ("x-a: 1\r\nx-smuggled", "1"),
        ("x-a ", "1"),
        ("x:a", "1"),
        ("X-Upper", "1"),
        ("host", "other.test"),
        ("host", ""),
        (":path", "/again"),
        (":authority", "h.test"),
        ("content-length", "+3"),
        ("content-length", "3 "),
        ("content-length", "0x3"),
        ("content-length", "²"),
        ("content-length", ""),
        ("content-length", "9" * 5000),
    ],
)
def test_fields_that_are_refused(field: tuple[str, str]) -> None:
    with pytest.raises(nginx.Bad) as raised:
        read(field)
    assert raised.value.status == 400


@pytest.mark.parametrize("name", ["content-length", "host", "authorization", "if-match", "expect"])
def test_fields_that_may_come_once(name: str) -> None:
    value = {"content-length": "3", "host": "h.test"}.get(name, "x")
    read((name, value))
    with pytest.raises(nginx.Bad):
        read((name, value), (name, value))


def test_host_and_authority_agree_or_either_is_enough() -> None:
    assert read(("host", "h.test")).named_host == "h.test"
    alone = read(("host", "Alone.test:81"), without=":authority")
    assert (alone.host, alone.named_host) == ("alone.test", "Alone.test:81")
    assert [field[0] for field in alone.fields].count("host") == 1


def test_names_that_http1_couldnt_carry_are_left_out() -> None:
    assert [field[0] for field in read(("x(a", "1"), ("x-é", "2"), ("x_b", "3")).fields] == ["host", "x_b"]


def test_a_transfer_coding_says_nothing_in_http2() -> None:
    head = read(("transfer-encoding", "chunked"), ("content-length", "3"))
    assert (head.chunked, head.length) == (False, 3)
    assert "transfer-encoding" not in [field[0] for field in head.fields]


@pytest.mark.parametrize("method", ["TRACE", "CONNECT"])
def test_methods_that_are_not_allowed(method: str) -> None:
    with pytest.raises(nginx.Bad) as raised:
        read(method=method)
    assert raised.value.status == 405


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ([("x-a", "a" * 1000)] * (MAX_HEAD // 1000 + 1), ErrorCodes.ENHANCE_YOUR_CALM),
        ([("x-a", "a" * 14_000)], ErrorCodes.ENHANCE_YOUR_CALM),
        ([("", "1")], ErrorCodes.PROTOCOL_ERROR),
    ],
)
def test_heads_that_end_the_connection(fields: list[tuple[str, str]], code: ErrorCodes) -> None:
    with pytest.raises(Fatal) as raised:
        read(*fields)
    assert raised.value.code == code


def test_a_value_longer_than_a_buffer_that_came_shorter() -> None:
    """8 kB is the limit of a string as it comes, and Huffman's code takes 5 bits for an `a`."""
    assert read(("x-a", "a" * 12_000)).fields[1] == ("x-a", "x-a", "a" * 12_000)
