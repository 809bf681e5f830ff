"""vars expressions: the operators over what Lua would see, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from harness.emulators.apisix.match.expression import check, compile_expression
from harness.emulators.apisix.variables import getter

Make = Callable[..., Any]


def holds(rule: Any, ctx: Any) -> bool:
    condition = compile_expression(rule, getter)
    return condition is None or condition(ctx)


@pytest.mark.parametrize(
    ("comparison", "query", "expected"),
    [
        (["arg_a", "==", "1"], "a=1", True),
        (["arg_a", "==", "1"], "a=2&a=1", False),
        (["arg_a", "==", "1"], "A=1", False),
        (["arg_a", "==", "true"], "a", False),
        (["arg_a", "~=", "1"], "", True),
        (["arg_a", "~=", "1"], "a=1", False),
        (["arg_n", "==", 5], "n=5.0", True),
        (["arg_n", "==", 5], "n=05", True),
        (["arg_n", "==", 5], "n=0x5", True),
        (["arg_n", "~=", 5], "n=five", True),
        (["arg_n", ">", 10], "n=1e2", True),
        (["arg_n", ">", 10], "n=abc", False),
        (["arg_n", "<", "10"], "n=9", True),
        (["arg_n", "<", "10"], "", False),
        (["arg_n", ">=", 5], "n=5", True),
        (["arg_n", "<=", 5], "n=6", False),
        (["arg_a", "~~", "^[0-9]+$"], "a=12", True),
        (["arg_a", "~~", "^[0-9]+$"], "", False),
        (["arg_a", "~~", "("], "a=(", False),
        (["arg_a", "~*", "BOB|alice$"], "a=x%20Alice", True),
        (["arg_a", "in", ["1", "2", 3]], "a=2", True),
        (["arg_a", "in", ["1", "2", 3]], "a=3", False),
        (["arg_a", "!", "in", ["1", "2"]], "", True),
        (["arg_a", "has", "1"], "a=1", False),
        (["arg_ip", "ipmatch", ["10.0.0.0/8", "::1"]], "ip=10.2.3.4", True),
        (["arg_ip", "ipmatch", ["10.0.0.0/8", "::1"]], "ip=::1", True),
        (["arg_ip", "ipmatch", "127.0.0.1"], "ip=127.0.0.2", False),
        (["arg_ip", "!", "ipmatch", "127.0.0.1"], "", True),
        (["arg_a", "==", None], "", True),
        (["arg_a", "x"], "a=x", True),
        (["arg_a", "X"], "a=x", True),
    ],
)
def test_operators(comparison: list[Any], query: str, expected: bool, request_of: Make) -> None:
    assert holds([comparison], request_of("/", query=query)) is expected


@pytest.mark.parametrize(
    ("rule", "query", "expected"),
    [
        (["OR", ["arg_a", "==", "1"], ["arg_b", "==", "1"]], "b=1", True),
        (["!OR", ["arg_a", "==", "1"], ["arg_b", "==", "1"]], "c=1", True),
        (["!AND", ["arg_a", "==", "1"], ["arg_b", "==", "1"]], "a=1&b=1", False),
        (["AND", ["arg_c", "==", "1"], ["or", ["arg_a", "==", "1"], ["arg_b", "==", "1"]]], "c=1&b=1", True),
        ([["arg_a", "==", "1"], ["arg_b", "==", "1"]], "a=1", False),
        ([], "", True),
    ],
)
def test_logic(rule: list[Any], query: str, expected: bool, request_of: Make) -> None:
    assert holds(rule, request_of("/", query=query)) is expected


@pytest.mark.parametrize(
    ("rule", "problem"),
    [
        (["arg_a", "==", "1"], "rule should be wrapped inside brackets"),
        ([["arg_a", "like", "1"]], "invalid operator 'like'"),
        ([["arg_a", "?", "in", ["1"]]], "bad 'not' expression"),
        ([["arg_a"]], "invalid expression"),
        (["AND", ["arg_a", "==", "1"]], "rule too short"),
        ([[]], "rule too short"),
        ([["remote_addr", "ipmatch", ["nonsense"]]], "invalid ip address: nonsense"),
        ([["remote_addr", "ipmatch", []]], "invalid ip address"),
        ([["arg_a", "==", "1"]], None),
    ],
)
def test_refusals_read_as_the_library_words_them(rule: list[Any], problem: str | None) -> None:
    assert check(rule) == problem


def test_text_beyond_ascii_compares_by_its_bytes(request_of: Make) -> None:
    assert holds([["arg_a", "==", "你"]], request_of("/", query="a=%E4%BD%A0"))
    assert holds([["arg_a", "~~", "^你"]], request_of("/", query="a=%E4%BD%A0!"))
