"""The user's own Lua (filter_func and the like), run by LuaJIT with nothing of the host in reach."""

from __future__ import annotations

import logging
from functools import lru_cache
from typing import Any

from harness.emulators.apisix.context import Context
from harness.emulators.apisix.lua_compat import relaxed
from harness.emulators.apisix.lua_ngx import functions
from harness.emulators.apisix.match.expression import Condition

log = logging.getLogger(__name__)

#: instructions after which a call is stopped: the real gateway's worker would hang
MOST_INSTRUCTIONS = 20_000_000

#: What the sandbox is made of. `host` are Python functions; Lua code gets them only as Lua functions around them, so
#: that it never holds a Python object.
_SETUP = """
local host, limit = ...
jit.off()
local load, setfenv, sethook, pcall, error, select, unpack = load, setfenv, debug.sethook, pcall, error, select, unpack
local setmetatable, pairs, type, rawget = setmetatable, pairs, type, rawget

local function copy(from)
  local to = {}
  for name, value in pairs(from) do to[name] = value end
  return to
end

local function wrapped(f)
  return function(...) return f(...) end
end

local function lazy(read, write)
  return setmetatable({}, {
    __index = function(_, name) return read(name) end,
    __newindex = function(_, name, value) return write(name, value) end,
    __metatable = false,
  })
end

local vars = lazy(host.variable, host.set_variable)

local ngx = {
  var = vars, null = host.null, ctx = {},
  OK = 0, ERROR = -1, AGAIN = -2, DONE = -4, DECLINED = -5,
  HTTP_OK = 200, HTTP_BAD_REQUEST = 400, HTTP_UNAUTHORIZED = 401, HTTP_FORBIDDEN = 403, HTTP_NOT_FOUND = 404,
  HTTP_INTERNAL_SERVER_ERROR = 500,
  STDERR = 0, EMERG = 1, ALERT = 2, CRIT = 3, ERR = 4, WARN = 5, NOTICE = 6, INFO = 7, DEBUG = 8,
  re = {}, req = {},
}
for name, f in pairs(host.ngx) do ngx[name] = wrapped(f) end
for name, f in pairs(host.re) do ngx.re[name] = wrapped(f) end
for name, f in pairs(host.req) do ngx.req[name] = wrapped(f) end

function ngx.re.gsub(subject, pattern, replacement, options)
  return host.substitute(subject, pattern, replacement, options, true)
end

function ngx.re.sub(subject, pattern, replacement, options)
  return host.substitute(subject, pattern, replacement, options, false)
end

local cjson = {null = host.null, encode = wrapped(host.json_encode), decode = wrapped(host.json_decode)}
local core = {
  log = setmetatable({}, {__index = function(_, level) return function(...) ngx.log(level, ...) end end}),
  json = {encode = cjson.encode, decode = cjson.decode, delay_encode = cjson.encode},
  request = {
    header = function(_, name) return ngx.req.get_headers()[name:lower()] end,
    headers = function() return ngx.req.get_headers() end,
    get_method = ngx.req.get_method,
    get_uri_args = ngx.req.get_uri_args,
    get_post_args = ngx.req.get_post_args,
    get_body = ngx.req.get_body_data,
    get_remote_client_ip = function() return vars.remote_addr end,
    get_host = function() return vars.host end,
  },
  string = copy(string), table = copy(table),
}
core.string.has_prefix = function(text, start) return text:sub(1, #start) == start end
core.string.has_suffix = function(text, ending) return ending == "" or text:sub(-#ending) == ending end
core.string.find = function(text, what, from) return text:find(what, from, true) end

local modules = {
  ["apisix.core"] = core, ["cjson"] = cjson, ["cjson.safe"] = cjson, ["bit"] = bit,
  ["ngx.re"] = ngx.re, ["string"] = string, ["table"] = table, ["math"] = math,
}

local globals = {
  assert = assert, error = error, ipairs = ipairs, next = next, pairs = pairs, pcall = pcall, rawequal = rawequal,
  rawget = rawget, rawset = rawset, select = select, setmetatable = setmetatable, tonumber = tonumber,
  tostring = tostring, type = type, unpack = unpack, xpcall = xpcall, _VERSION = _VERSION,
  getmetatable = function(value) if type(value) == "table" then return getmetatable(value) end end,
  bit = copy(bit), math = copy(math), string = copy(string), table = copy(table), ngx = ngx,
  os = {time = os.time, clock = os.clock, date = os.date, difftime = os.difftime},
  print = function(...) ngx.log(6, ...) end,
  require = function(name)
    local found = modules[name]
    if found == nil then error("module '" .. tostring(name) .. "' is not available in this emulator", 2) end
    return found
  end,
}
globals.string.dump = nil
globals._G = globals
-- strings carry their library in their metatable: let it be the copy without `dump`
getmetatable("").__index = globals.string
getmetatable("").__metatable = false

local function compile(source, chunk)
  local made, problem = load(source, chunk, "t")
  if not made then return nil, problem end
  return setfenv(made, setmetatable({}, {__index = globals}))
end

local function stop() error("too many instructions", 0) end
local function limited(f, ...)
  -- from then on at each instruction: a pcall in the user's code gains it nothing
  sethook(function() sethook(stop, "", 1) stop() end, "", limit)
  local results = {pcall(f, ...)}
  sethook()
  return results
end

local function call(f, ...)
  local results = limited(f, ...)
  if not results[1] then return false, tostring(results[2]) end
  return true, unpack(results, 2, table.maxn(results))
end

return {compile = compile, call = call, unhook = sethook, vars = vars, ngx = ngx, modules = modules}
"""


class LuaFailure(RuntimeError):
    """The user's Lua raised an error; the text is LuaJIT's."""


class Lua:
    """One LuaJIT with a sandbox, for one worker; made at the first use of Lua, which costs some 10 ms.

    The code sees `vars`/`ngx.var`, `ngx.re`, `ngx.req`, `require "apisix.core"` (log, json, request, string) and the
    plain libraries, but neither files, processes nor Python.
    """

    def __init__(self) -> None:
        self._context: Context | None = None
        self._sandbox: Any = None
        self._runtime: Any = None
        self._error: type[Exception] = LuaFailure

    def _ready(self) -> Any:
        if self._sandbox is None:
            from lupa import luajit21  # 20 ms that only who uses Lua pays

            self._error = luajit21.LuaError
            self._runtime = luajit21.LuaRuntime(
                encoding="latin-1", register_eval=False, register_builtins=False, attribute_filter=_deny
            )
            setup = self._runtime.execute(f"return function(...) {_SETUP} end")
            self._sandbox = setup(functions(self._runtime, self._now), MOST_INSTRUCTIONS)
        return self._sandbox

    def _now(self) -> Context:
        if self._context is None:
            raise LuaFailure("no request is being handled: API disabled in the current context")
        return self._context

    def compile(self, source: str, chunk: str) -> Any:
        """The chunk as a function of Lua's; raises ValueError with LuaJIT's message when it is not Lua."""
        made = self._ready().compile(source.encode().decode("latin-1"), chunk)
        if isinstance(made, tuple):
            problem = str(made[1])
            made = self._ready().compile(relaxed(source).encode().decode("latin-1"), chunk)
            if isinstance(made, tuple):
                raise ValueError(problem)
        return made

    def call(self, function: Any, ctx: Context, *arguments: Any) -> Any:
        """What the function returns (the first value); raises LuaFailure with its error. `ctx` is what `ngx` sees."""
        results = self.call_all(function, ctx, *arguments)
        return results[0] if results else None

    def call_all(self, function: Any, ctx: Context, *arguments: Any) -> tuple[Any, ...]:
        """All that the function returns; raises LuaFailure."""
        sandbox = self._ready()
        before, self._context = self._context, ctx
        try:
            answer = sandbox.call(function, *arguments)
        except self._error as error:
            sandbox.unhook()
            raise LuaFailure(str(error)) from error
        finally:
            self._context = before
        if not isinstance(answer, tuple):
            return ()
        if answer[0] is not True:
            raise LuaFailure(str(answer[1]))
        return answer[1:]

    @property
    def vars(self) -> Any:
        """The table through which Lua reads the variables of the request at hand."""
        return self._ready().vars

    def compile_filter(self, source: str, name: str = "filter_func") -> Condition:
        """A route's filter_func as a condition, which raises LuaFailure when the function does (a 500).

        Raises ValueError when the source is not Lua.
        """
        chunk = self.compile(f"return {source}", f"router#{name}")
        made = self._ready().call(chunk)
        function = made[1] if isinstance(made, tuple) and made[0] is True and len(made) > 1 else None

        def holds(ctx: Context) -> bool:
            verdict = self.call(function, ctx, self.vars, self._options(ctx))
            return verdict is not None and verdict is not False

        return holds

    def _options(self, ctx: Context) -> Any:
        """The second argument of a filter_func: what the router was asked."""
        asked = {"method": ctx.method, "host": ctx.host, "remote_addr": ctx.remote_addr, "vars": self.vars}
        return self._runtime.table_from(asked)


def _deny(_: object, name: object, __: bool) -> Any:
    raise AttributeError(f"{name} is not available")


@lru_cache(maxsize=1)
def sandbox() -> Lua:
    """This worker's sandbox."""
    return Lua()


def compile_filter(source: str) -> Condition:
    """A filter_func as a condition, in this worker's sandbox; raises ValueError when it is not Lua."""
    return sandbox().compile_filter(source)
