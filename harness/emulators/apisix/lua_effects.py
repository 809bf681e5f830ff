"""The sandbox of the plugins that run the user's Lua: besides reading a request it may change it, answer, and log."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from harness.emulators.apisix import uri_args
from harness.emulators.apisix.context import Context, Exit
from harness.emulators.apisix.headers import Headers
from harness.emulators.apisix.lua import Lua, LuaFailure
from harness.emulators.apisix.lua_ngx import _from_lua as from_lua
from harness.emulators.apisix.lua_ngx import _ToLua as ToLua
from harness.emulators.apisix.match.lua_values import to_text
from harness.emulators.apisix.plugins.base import Scope
from harness.emulators.apisix.settings import VERSION
from harness.emulators.apisix.variables import getter, resolve

#: Adds what changes things to the `ngx` and `apisix.core` of the reading sandbox. As there, Python functions are only
#: ever called from Lua functions around them.
_EFFECTS = """
local ngx, modules, host = ...
local core = modules["apisix.core"]

local function lazy(read, write)
  return setmetatable({}, {
    __index = function(_, name) return read(name) end,
    __newindex = function(_, name, value) write(name, value) end,
    __metatable = false,
  })
end
local function wrapped(f)
  return function(...) return f(...) end
end

local vars = lazy(host.variable, host.set_variable)
-- ctx.var remembers what it has once read, ngx.var does not: there proxy-rewrite's new path is seen
ngx.var = lazy(function(name)
  if name == "uri" then return host.rewritten() end
  return host.variable(name)
end, host.set_variable)
ngx.ctx = nil
for name, status in pairs(host.statuses) do ngx["HTTP_" .. name] = status end
ngx.header = lazy(host.sent, host.send)
ngx.arg = lazy(host.arg, host.set_arg)
ngx.shared = lazy(function(name)
  return {
    get = function(_, key) return host.shared_get(name, key) end,
    set = function(_, key, value, ttl) return host.shared_set(name, key, value, ttl) end,
    add = function(_, key, value, ttl) return host.shared_add(name, key, value, ttl) end,
    incr = function(_, key, by, init, ttl) return host.shared_incr(name, key, by, init, ttl) end,
    delete = function(_, key) host.shared_set(name, key, nil) end,
  }
end, function() error("attempt to write to ngx.shared", 2) end)
local function leave() error("ngx.exit", 0) end
function ngx.exit(status) host.exit(status) leave() end
ngx.say, ngx.print = function(...) host.say(true, ...) end, function(...) host.say(false, ...) end
ngx.redirect = function(uri, status) host.send("Location", uri) ngx.exit(status or 302) end
for name, f in pairs(host.req) do ngx.req[name] = wrapped(f) end
-- names are found in any case, and with underscores
local any_case = {__index = function(headers, name)
  return type(name) == "string" and rawget(headers, (name:lower():gsub("_", "-"))) or nil
end}
local read_headers = ngx.req.get_headers
ngx.req.get_headers = function() return setmetatable(read_headers(), any_case) end
ngx.resp = {get_headers = function() return setmetatable(host.sent_all(), any_case) end}
setmetatable(ngx, {
  __index = function(_, name)
    if name == "status" then return host.status() end
    if name == "headers_sent" then return false end
    if name == "ctx" then return host.ngx_ctx() end
  end,
  __newindex = function(t, name, value)
    if name == "status" then host.set_status(value) else rawset(t, name, value) end
  end,
})

local function each(set, ...)
  local first = ...
  if type(first) == "table" then
    for name, value in pairs(first) do set(name, value) end
    return
  end
  for i = 1, math.max(select("#", ...), 2), 2 do set(select(i, ...), (select(i + 1, ...))) end
end
core.response = {
  exit = function(status, body)
    if type(status) ~= "number" then host.answer(nil, status) else host.answer(status, body) leave() end
  end,
  set_header = function(...) each(host.send, ...) end,
  add_header = function(...) each(host.send_more, ...) end,
  clear_header_as_body_modified = function() host.body_modified() end,
  get_upstream_status = function() return tonumber((vars.upstream_status or ""):sub(-3)) end,
}
core.request.set_header = function(_, name, value) ngx.req.set_header(name, value) end
core.request.add_header = function(_, name, value) host.add_header(name, value) end
core.request.set_uri_args = function(_, args) ngx.req.set_uri_args(args) end
core.request.get_ip = function() return vars.realip_remote_addr end
core.request.get_port = function() return tonumber(vars.server_port) end
core.request.get_scheme = function() return vars.scheme end
core.request.get_http_version = ngx.req.http_version
core.utils = {
  resolve_var = function(template) return host.resolve(template) end,
  gethostname = function() return vars.hostname end,
}
core.version = {VERSION = host.version}
core.table.nkeys = function(t) local n = 0 for _ in pairs(t) do n = n + 1 end return n end
core.table.insert_tail = function(t, ...) for i = 1, select("#", ...) do t[#t + 1] = (select(i, ...)) end return #t end
local function deepcopy(value)
  if type(value) ~= "table" then return value end
  local copy = {}
  for name, member in pairs(value) do copy[deepcopy(name)] = deepcopy(member) end
  return copy
end
core.table.deepcopy = deepcopy

return function()
  return setmetatable({var = vars}, {__index = function(_, name) return host.field(name) end})
end
"""

#: ngx.HTTP_… of lua-nginx-module
_STATUSES = {
    "CONTINUE": 100,
    "SWITCHING_PROTOCOLS": 101,
    "OK": 200,
    "CREATED": 201,
    "ACCEPTED": 202,
    "NO_CONTENT": 204,
    "PARTIAL_CONTENT": 206,
    "SPECIAL_RESPONSE": 300,
    "MOVED_PERMANENTLY": 301,
    "MOVED_TEMPORARILY": 302,
    "SEE_OTHER": 303,
    "NOT_MODIFIED": 304,
    "TEMPORARY_REDIRECT": 307,
    "PERMANENT_REDIRECT": 308,
    "BAD_REQUEST": 400,
    "UNAUTHORIZED": 401,
    "PAYMENT_REQUIRED": 402,
    "FORBIDDEN": 403,
    "NOT_FOUND": 404,
    "NOT_ALLOWED": 405,
    "NOT_ACCEPTABLE": 406,
    "REQUEST_TIMEOUT": 408,
    "CONFLICT": 409,
    "GONE": 410,
    "UPGRADE_REQUIRED": 426,
    "TOO_MANY_REQUESTS": 429,
    "CLOSE": 444,
    "ILLEGAL": 451,
    "INTERNAL_SERVER_ERROR": 500,
    "NOT_IMPLEMENTED": 501,
    "BAD_GATEWAY": 502,
    "SERVICE_UNAVAILABLE": 503,
    "GATEWAY_TIMEOUT": 504,
    "VERSION_NOT_SUPPORTED": 505,
    "INSUFFICIENT_STORAGE": 507,
}

_TABLE = "lua.api_ctx"
_ARGS = "lua.args"

#: Renders a compiled template: its free names are those of the table, then the helpers, then the sandbox's.
_RENDER = """
local cjson = ...
local entities = {["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;", ["'"] = "&#39;", ["/"] = "&#47;"}
local xml = {["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ["'"] = "&apos;", ['"'] = "&quot;"}
local null = cjson.null

local function output(value)
  if value == nil or value == null then return "" end
  if type(value) == "function" then return output(value()) end
  return tostring(value)
end
local function escape(value)
  if type(value) == "string" then return (value:gsub([=[[">/<'&]]=], entities)) end
  return output(value)
end
local reserved = {"_ctx", "_body", "_escape_xml", "_escape_json", "_multipart"}

-- a form as Kong's multipart library gives it
local function form_of(boundary, parts)
  local form = {}
  local function find(name)
    for index, part in ipairs(parts) do if part.name == name then return index, part end end
  end
  function form:get(name) local _, part = find(name) return part end
  function form:get_all()
    local all = {}
    for _, part in ipairs(parts) do all[part.name] = part.value end
    return all
  end
  function form:set_simple(name, value, filename, content_type)
    local head = 'Content-Disposition: form-data; name="' .. name .. '"'
    if filename then head = head .. '; filename="' .. filename .. '"' end
    local headers = {head, content_type and "Content-Type: " .. content_type or nil}
    parts[find(name) or #parts + 1] = {name = name, headers = headers, value = tostring(value)}
  end
  function form:delete(name) local index = find(name) if index then table.remove(parts, index) end end
  function form:tostring()
    local out = {}
    for _, part in ipairs(parts) do
      local head = table.concat(part.headers, "\\r\\n")
      out[#out + 1] = "--" .. boundary .. "\\r\\n" .. head .. "\\r\\n\\r\\n" .. part.value .. "\\r\\n"
    end
    return table.concat(out) .. "--" .. boundary .. "--\\r\\n"
  end
  return form
end

return function(chunk)
  local base = getfenv(chunk)
  return function(context, ctx, body, boundary, parts)
    for _, name in ipairs(reserved) do context[name] = nil end
    local helpers = {
      _ctx = ctx, _body = body, context = context, _multipart = parts and form_of(boundary, parts),
      _escape_xml = function(text) return (text:gsub([=[[&<>'"]]=], xml)) end,
      _escape_json = cjson.encode,
    }
    setmetatable(context, {__index = helpers})
    setfenv(chunk, setmetatable({}, {__index = function(_, name)
      local value = context[name]
      if value == nil then value = base[name] end
      return value
    end}))
    return chunk(escape, output)
  end
end
"""


class RequestLua(Lua):
    """One sandbox for the plugins of one gateway. Not for two requests at a time: nothing in it waits."""

    def __init__(self, scope: Scope) -> None:
        super().__init__()
        self._scope = scope
        self._exit: Exit | None = None
        self._said: list[str] = []
        self._arg: list[Any] = ["", False]
        self._new_table: Callable[[], Any] = dict
        self._binder: Any = None

    def _ready(self) -> Any:
        made = self._sandbox is None
        sandbox = super()._ready()
        if made:
            self._lua = ToLua(self._runtime)
            self._null = sandbox.ngx.null
            extend = self._runtime.execute(f"return function(...) {_EFFECTS} end")
            render = self._runtime.execute(f"return function(...) {_RENDER} end")
            self._binder = render(sandbox.modules.cjson)
            self._new_table = extend(sandbox.ngx, sandbox.modules, self._runtime.table_from(self._host()))
        return sandbox

    def table(self, value: Any) -> Any:
        """A JSON value as Lua's."""
        self._ready()
        return self._lua(_latin(value), self._null)

    def value(self, table: Any) -> Any:
        """A Lua value as JSON's."""
        return from_lua(table, self._null)

    def evaluate(self, source: str) -> Any:
        """What the chunk returns, run without a request; raises ValueError for what isn't Lua, LuaFailure."""
        results = self.call_all(self.compile(source, source.encode().decode("latin-1")), None)  # type: ignore[arg-type]
        return results[0] if results else None

    def run(self, function: Any, ctx: Context, conf: Any) -> Exit | None:
        """function(conf, ctx) in a phase that may answer; raises LuaFailure."""
        self._begin()
        table = self._table(ctx)
        try:
            results = self.call_all(function, ctx, conf, table)
        except LuaFailure:
            if self._exit is None:
                raise
            return self._exit
        code, body = (*results, None, None)[:2]
        if code is None and body is None:
            return Exit(ctx.status or 200, self._text()) if self._said else None
        return self.verdict(code, body)

    def left(self, ctx: Context, name: str) -> Any:
        """What the user's Lua wrote to `ctx.<name>` in this request, as JSON's value; None when it didn't."""
        table = ctx.notes.get(_TABLE)
        return None if table is None else self.value(self._runtime.eval("rawget")(table, name))

    def renderer(self, source: str, name: str) -> Any:
        """A template's chunk, ready for `render`; raises ValueError when it isn't Lua."""
        chunk = self.compile(source, name.encode("utf-8", "surrogateescape").decode("latin-1"))
        return self._binder(chunk)

    def render(
        self,
        renderer: Any,
        ctx: Context,
        table: Any,
        body: bytes | None,
        form: tuple[str, list[dict[str, Any]]] | None = None,
    ) -> str:
        """The text of a template over a JSON table, in Latin-1; `form` is a multipart body's boundary and parts.

        Raises LuaFailure.
        """
        context = self.table(table)
        raw = body.decode("latin-1") if body is not None else None
        boundary, parts = form if form is not None else (None, None)
        told = self._lua(parts) if parts is not None else None
        results = self.call_all(renderer, ctx, context, self._table(ctx), raw, boundary, told)
        return to_text(results[0])

    def filter_body(self, function: Any, ctx: Context, conf: Any, chunk: bytes, last: bool) -> bytes:
        """function(conf, ctx) with ngx.arg; what it leaves in ngx.arg[1]."""
        self._arg = [chunk.decode("latin-1"), last]
        self.call_all(function, ctx, conf, self._table(ctx))
        return to_text(self._arg[0]).encode("latin-1") if self._arg[0] is not None else b""

    def verdict(self, code: Any, body: Any, headers: tuple[tuple[str, str], ...] = ()) -> Exit:
        """A status and body of Lua's as an answer; raises LuaFailure for a status that is none."""
        if code is not None and (isinstance(code, bool) or not isinstance(code, int | float)):
            raise LuaFailure("the status is not a number")
        if body is None or isinstance(body, str | bytes):
            return Exit(int(code or 200), body.encode("latin-1") if isinstance(body, str) else body, headers)
        if isinstance(body, bool | int | float):
            return Exit(int(code or 200), to_text(body).encode(), headers)
        return Exit(int(code or 200), self.value(body), headers)

    def _begin(self) -> None:
        self._exit, self._said = None, []

    def _table(self, ctx: Context) -> Any:
        """The request's api_ctx: the same table in all phases."""
        self._ready()
        if _TABLE not in ctx.notes:
            ctx.notes[_TABLE] = self._new_table()
        return ctx.notes[_TABLE]

    def _text(self) -> bytes | None:
        return "".join(self._said).encode("latin-1") if self._said else None

    # -- what Lua calls

    def _host(self) -> Mapping[str, Any]:
        return {
            "version": VERSION,
            "statuses": self._runtime.table_from(_STATUSES),
            "rewritten": lambda: _rewritten(self._now()),
            "variable": lambda name: self._lua(getter(to_text(name))(self._now())),
            "set_variable": lambda name, value: _set_variable(self._now(), to_text(name), value),
            "resolve": lambda template: resolve(to_text(template))(self._now()),
            "field": self._field,
            "ngx_ctx": lambda: self._runtime.table_from({"api_ctx": self._table(self._now())}),
            "status": lambda: self._now().status,
            "set_status": self._set_status,
            "exit": self._leave,
            "answer": self._answer,
            "say": self._say,
            "arg": lambda index: self._arg[int(index) - 1],
            "set_arg": self._set_arg,
            "sent": lambda name: self._sent(_field_name(name)),
            "sent_all": lambda: self._lua(_grouped(self._now().response)),
            "send": lambda name, value=None: _set(self._now().response, _field_name(name), value),
            "send_more": lambda name, value: self._now().response.add(to_text(name), to_text(value)),
            "body_modified": self._body_modified,
            "add_header": lambda name, value: self._now().headers.add(to_text(name), to_text(value)),
            "req": self._runtime.table_from(self._request_functions()),
            **self._shared_functions(),
        }

    def _request_functions(self) -> Mapping[str, Callable[..., Any]]:
        return {
            "set_header": lambda name, value=None: _set(self._now().headers, to_text(name), value),
            "clear_header": lambda name: self._now().headers.remove(to_text(name)),
            "set_uri_args": self._set_args,
            "set_uri": self._set_uri,
            "set_body_data": self._set_body,
        }

    def _shared_functions(self) -> Mapping[str, Callable[..., Any]]:
        shared = self._scope.shared
        return {
            "shared_get": lambda name, key: shared(to_text(name)).get(to_text(key)),
            "shared_set": self._shared_set,
            "shared_add": lambda name, key, value, ttl=None: shared(to_text(name)).add(to_text(key), value, ttl or 0),
            "shared_incr": lambda name, key, by, init=None, ttl=None: shared(to_text(name)).incr(
                to_text(key), by, init, ttl or 0
            ),
        }

    def _shared_set(self, name: Any, key: Any, value: Any, ttl: Any = None) -> bool:
        store = self._scope.shared(to_text(name))
        if value is None:
            store.delete(to_text(key))
        else:
            store.set(to_text(key), value, ttl or 0)
        return True

    def _field(self, name: Any) -> Any:
        ctx = self._now()
        value: Mapping[str, Any] = getattr(ctx.route, "value", None) or {}
        fields: dict[str, Callable[[], Any]] = {
            "route_id": lambda: value.get("id"),
            "route_name": lambda: value.get("name"),
            "service_id": lambda: value.get("service_id"),
            "consumer_name": lambda: ctx.consumer.name if ctx.consumer else None,
            "consumer_group_id": lambda: (ctx.consumer.group_id or None) if ctx.consumer else None,
            "matched_route": lambda: {"value": value} if value else None,
            "balancer_ip": lambda: getter("balancer_ip")(ctx),
            "balancer_port": lambda: getter("balancer_port")(ctx),
            "jwt_auth_payload": lambda: ctx.notes.get("jwt_auth_payload"),
        }
        read = fields.get(to_text(name))
        return self.table(read()) if read and read() is not None else None

    def _set_status(self, status: Any) -> None:
        self._now().status = int(status)

    def _leave(self, status: Any = None) -> None:
        code = int(status or 0)
        said = self._text()
        self._exit = Exit(code if code >= 100 else self._now().status or 200, said)

    def _answer(self, status: Any, body: Any) -> None:
        if status is None:
            self._say(False, body)
            return
        verdict = self.verdict(status, body)
        said = self._text()
        self._exit = Exit(verdict.status, said) if said is not None and verdict.body is None else verdict

    def _say(self, newline: bool, *parts: Any) -> None:
        self._said.append("".join(to_text(part) for part in parts) + ("\n" if newline else ""))

    def _set_arg(self, index: Any, value: Any) -> None:
        self._arg[int(index) - 1] = value

    def _sent(self, name: str) -> Any:
        values = self._now().response.get_all(name.lower())
        return self._lua(values if len(values) > 1 else values[0]) if values else None

    def _body_modified(self) -> None:
        response = self._now().response
        for name in ("content-length", "content-encoding", "last-modified", "etag"):
            response.remove(name)

    def _set_args(self, args: Any) -> None:
        ctx = self._now()
        own = ctx.notes.get(_ARGS)
        ctx.query = to_text(args) if isinstance(args, str) else uri_args.encode(_arguments(self.value(args)))
        # a path that a plugin has chosen for the upstream has its own query
        if ctx.upstream_uri in ("", own):
            path = uri_args.escape_path(ctx.uri)
            ctx.upstream_uri = ctx.notes[_ARGS] = f"{path}?{ctx.query}" if ctx.query else path

    def _set_uri(self, uri: Any, *_: Any) -> None:
        ctx = self._now()
        ctx.uri = to_text(uri)
        path = uri_args.escape_path(ctx.uri)
        ctx.upstream_uri = ctx.notes[_ARGS] = f"{path}?{ctx.query}" if ctx.query else path

    def _set_body(self, body: Any) -> None:
        self._now().body = to_text(body).encode("latin-1")


def _field_name(name: Any) -> str:
    """ngx.header.content_type is Content-Type."""
    return to_text(name).replace("_", "-")


def _set(headers: Headers, name: str, value: Any) -> None:
    """One field, several for a table, none for nil and the empty text."""
    if value is None or value == "":
        headers.remove(name)
        return
    values = [to_text(one) for one in value.values()] if hasattr(value, "values") else [to_text(value)]
    headers.remove(name) if not values else headers.set(name, values[0])
    for more in values[1:]:
        headers.add(name, more)


def _arguments(table: Any) -> dict[str, Any]:
    """The members of a Lua table as ngx.encode_args takes them: numbers as text."""
    members = table if isinstance(table, dict) else {}
    return {
        name: [_argument(one) for one in value] if isinstance(value, list) else _argument(value)
        for name, value in members.items()
    }


def _argument(value: Any) -> Any:
    return value if isinstance(value, bool) else to_text(value)


def _grouped(headers: Headers) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for lower, _, value in headers.items:
        held = found.get(lower)
        found[lower] = value if held is None else [*(held if isinstance(held, list) else [held]), value]
    return found


#: variables that steer the proxying: they are the context's own
_STEERING = frozenset(("upstream_uri", "upstream_host", "upstream_scheme"))


def _rewritten(ctx: Context) -> str:
    path = ctx.upstream_uri.partition("?")[0]
    return uri_args.unescape(path.replace("+", "%2B")) if path else ctx.uri


def _set_variable(ctx: Context, name: str, value: Any) -> None:
    if name in _STEERING:
        setattr(ctx, name, to_text(value) if value is not None else "")
    elif name == "args":
        ctx.query = to_text(value)
    elif value is None:
        ctx.variables.pop(name, None)
    else:
        ctx.variables[name] = to_text(value)


def _latin(value: Any) -> Any:
    """Text as its UTF-8 bytes, one character each: what Lua's strings are here."""
    if isinstance(value, str):
        return value.encode("utf-8", "surrogateescape").decode("latin-1")
    if isinstance(value, Mapping):
        return {_latin(name): _latin(member) for name, member in value.items()}
    if isinstance(value, list | tuple):
        return [_latin(member) for member in value]
    return value
