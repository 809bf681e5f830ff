"""The Lua that makes the reading sandbox one that may also change a request, and that renders templates."""

from __future__ import annotations

#: ngx.HTTP_… of lua-nginx-module
STATUSES = {
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

#: Adds what changes things to the `ngx` and `apisix.core` of the reading sandbox. As there, Python functions are only
#: ever called from Lua functions around them.
EFFECTS = """
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

#: Renders a compiled template: its free names are those of the table, then the helpers, then the sandbox's.
RENDER = """
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
