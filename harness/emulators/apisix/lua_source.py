"""Whether Lua source compiles and what it evaluates to, in LuaJIT's own words; nothing of a host is in reach."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from harness.emulators.apisix.lua_compat import relaxed

#: instructions after which an evaluation is stopped: a check has no business running for long
MOST_INSTRUCTIONS = 1_000_000

_SETUP = """
jit.off()  -- compiled loops would never look at the hook
local load, pcall, type, sethook, setfenv, tostring = load, pcall, type, debug.sethook, setfenv, tostring
local limit = ...
local names = {"string", "table", "math", "pairs", "ipairs", "next", "type", "tostring", "tonumber", "select",
               "unpack", "error", "setmetatable", "getmetatable", "bit"}
local found = {}
for _, name in ipairs(names) do found[name] = _G[name] end
local stub = setmetatable({}, {__call = function(self) return self end})
getmetatable(stub).__index = function(self) return stub end
found.require, found.ngx = function() return stub end, stub
return function(source, chunk, evaluate)
  local chunk_function, problem = load(source, chunk, "t")
  if not chunk_function then return problem, nil end
  if not evaluate then return nil, "function" end
  setfenv(chunk_function, setmetatable({}, {__index = found}))
  sethook(function() error("too long") end, "", limit)
  local ok, value = pcall(chunk_function)
  sethook()
  if not ok then return tostring(value), nil end
  return nil, type(value)
end
"""


@lru_cache(maxsize=1)
def _loader() -> Any:
    from lupa import luajit21  # the first import costs 20 ms: only who checks Lua pays

    runtime = luajit21.LuaRuntime(register_eval=False, register_builtins=False, encoding="utf-8")
    return runtime.eval(f"function(...) {_SETUP} end")(MOST_INSTRUCTIONS)


def load_problem(source: str, name: str = "") -> str | None:
    """What keeps `source` from compiling, or None; without a name the source itself is the chunk's."""
    chunk = name or _plain(source)
    problem, _ = _loader()(_plain(source), chunk, False)
    if problem is None or _loader()(_plain(relaxed(source)), chunk, False)[0] is None:
        return None
    return str(problem)


def evaluated_type(source: str) -> tuple[str | None, str]:
    """The problem (or None) and the Lua type of what the chunk returns."""
    plain = _loader()(_plain(source), _plain(source), False)[0] is None
    problem, kind = _loader()(_plain(source if plain else relaxed(source)), _plain(source), True)
    return (None, str(kind)) if problem is None else (str(problem), "")


def _plain(source: str) -> str:
    return source.encode("utf-8", "replace").decode()
