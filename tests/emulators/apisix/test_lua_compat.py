"""Lua 5.2's statements for plain LuaJIT."""

from __future__ import annotations

import pytest

from harness.emulators.apisix.lua_compat import relaxed
from harness.emulators.apisix.lua_source import evaluated_type, load_problem


@pytest.mark.parametrize(
    ("source", "made"),
    [
        ("do ; local a = 1;; end", "do   local a = 1;  end"),
        ("if x then ; return ; end", "if x then   return ; end"),
        ("if x then;y = 1;end", "if x then y = 1;end"),
        ("f\n(1)", "f (1)"),
        ("local a = b\n  (c).d = 1", "local a = b (c).d = 1"),
        ("return\n(1)", "return\n(1)"),
        ('local s = "a;;b\\"" -- ;; x\n;', 'local s = "a;;b\\"" -- ;; x\n;'),
        ("local s = [==[;;]]\n(]==]", "local s = [==[;;]]\n(]==]"),
    ],
)
def test_sources(source, made):
    assert relaxed(source) == made


def test_the_checks_take_them():
    assert load_problem("do ; end") is None
    assert evaluated_type("return (function() return function() end end)\n()") == (None, "function")


def test_errors_are_those_of_the_source_as_it_is():
    assert load_problem("local x = ") == "[string \"local x = \"]:1: unexpected symbol near '<eof>'"
