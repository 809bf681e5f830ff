"""Query strings as nginx reads and writes them."""

from __future__ import annotations

from harness.emulators.apisix import uri_args


def test_parse_decodes_and_gathers() -> None:
    assert uri_args.parse("a=1&b&a=%202+3&c=&%zz=x&&=lost") == {
        "a": ["1", " 2 3"],
        "b": True,
        "c": "",
        "%zz": "x",
    }


def test_encode_is_the_way_back() -> None:
    args: dict[str, uri_args.Arg] = {"a b": ["1", True], "k": "x/y&z", "gone": False, "e": ""}
    assert uri_args.encode(args) == "a%20b=1&a%20b&k=x%2Fy%26z&e="


def test_a_path_keeps_what_nginx_keeps() -> None:
    assert uri_args.escape_path("/a b/%#?:@é^") == "/a%20b/%25%23%3F:@%E9%5E"
