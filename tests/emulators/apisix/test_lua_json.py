"""JSON in lua-cjson's way."""

from __future__ import annotations

from typing import Any

import pytest

from harness.emulators.apisix.lua_json import decode, encode


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (b'{"a":1.0,"b":1e3,"c":0.5}', {"a": 1, "b": 1000, "c": 0.5}),
        (b'{"a":0x1F}', {"a": 31}),
        (b'"line\nbreak"', "line\nbreak"),
        (b'{"a":1,"a":2}', {"a": 2}),
    ],
)
def test_what_it_takes(raw: bytes, value: Any) -> None:
    assert decode(raw) == value


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        ("", "Expected value but found T_END at character 1"),
        ("{bad}", "Expected object key string but found invalid token at character 2"),
        ('{"a":1,}', "Expected object key string but found T_OBJ_END at character 8"),
        ("[1 2]", "Expected comma or array end but found T_NUMBER at character 4"),
        ('{"a" 1}', "Expected colon but found T_NUMBER at character 6"),
        ("1 2", "Expected the end but found T_NUMBER at character 3"),
        ('"\\x"', "Expected value but found invalid escape code at character 2"),
        ("[" * 2000, "Found too many nested data structures (1001)"),
        ('{"a":NaN}', "Cannot serialise number: must not be NaN or Inf"),
    ],
)
def test_how_it_refuses(raw: str, words: str) -> None:
    with pytest.raises(ValueError) as caught:
        decode(raw)
    assert str(caught.value) == words


def test_bytes_that_are_no_utf8_come_back_as_they_were() -> None:
    assert encode(decode(b'["\xff/\xc3\xa9"]')) == b'["\xff/\xc3\xa9"]'
