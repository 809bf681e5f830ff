"""filter_func in the sandbox: what it may use, and what it can't reach."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from harness.emulators.apisix.lua import Lua, LuaFailure

Make = Callable[..., Any]


@pytest.fixture(scope="module")
def lua() -> Lua:
    return Lua()


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ('function(vars) return vars.arg_a == "1" and vars.http_x_b == "2" end', True),
        ("function(vars) return vars.arg_none end", False),
        ("function(vars) return 0 end", True),
        ('function(vars, opts) return opts.method == "GET" and opts.vars.uri == "/f" end', True),
        ('function() return ngx.var.request_method == "GET" end', True),
        ('function() return ngx.re.match(ngx.var.uri, "^/(.)$")[1] == "f" end', True),
        ('function() return ngx.re.gsub("a1b2", "[0-9]", "<$0>") == "a<1>b<2>" end', True),
        ('function() return require("apisix.core").request.header(nil, "X-B") == "2" end', True),
        ('function() return require("cjson").decode("[1,{}]")[1] == 1 end', True),
        ('function() return ngx.md5("") == "d41d8cd98f00b204e9800998ecf8427e" end', True),
        ('function(vars) return vars.arg_u == "\\228\\189\\160" and vars.arg_u == "你" end', True),
        ("function() return io ~= nil or package ~= nil or python ~= nil or debug ~= nil or load ~= nil end", False),
        ("function() return os.execute ~= nil or os.getenv ~= nil or string.dump ~= nil end", False),
    ],
)
def test_filters(source: str, expected: bool, lua: Lua, request_of: Make) -> None:
    ctx = request_of("/f", query="a=1&u=%E4%BD%A0", headers=[("X-B", "2")])
    assert lua.compile_filter(source)(ctx) is expected


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ('function() error("boom") end', "boom"),
        ("function(vars) return vars.arg_none.x end", "attempt to index"),
        ('function() return require("socket") end', "module 'socket' is not available"),
        ("function() return ngx.log.__globals__ end", "attempt to index"),
        ("{}", "attempt to call"),
        ("function() while true do end end", "too many instructions"),
        ("function() while true do pcall(function() while true do end end) end end", "too many instructions"),
    ],
)
def test_failures_come_through(source: str, message: str, lua: Lua, request_of: Make) -> None:
    condition = lua.compile_filter(source)
    with pytest.raises(LuaFailure, match=message):
        condition(request_of("/f"))
    assert lua.compile_filter("function() return true end")(request_of("/f"))


def test_what_is_not_lua_is_refused_at_once(lua: Lua) -> None:
    with pytest.raises(ValueError, match="expected near"):
        lua.compile_filter("function( return")
