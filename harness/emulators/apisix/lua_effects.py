"""The sandbox of the plugins that run the user's Lua: besides reading a request it may change it, answer, and log."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from harness.emulators.apisix import uri_args
from harness.emulators.apisix.context import Context, Exit, bytes_of
from harness.emulators.apisix.headers import Headers
from harness.emulators.apisix.lua import Lua, LuaFailure
from harness.emulators.apisix.lua_chunks import EFFECTS, RENDER, STATUSES
from harness.emulators.apisix.lua_ngx import _from_lua as from_lua
from harness.emulators.apisix.lua_ngx import _ToLua as ToLua
from harness.emulators.apisix.match.lua_values import to_text
from harness.emulators.apisix.plugins.base import Scope
from harness.emulators.apisix.settings import VERSION
from harness.emulators.apisix.variables import getter, resolve

_TABLE = "lua.api_ctx"
_ARGS = "lua.args"


class RequestLua(Lua):
    """One sandbox for the plugins of one gateway. Not for two requests at a time: nothing in it waits."""

    def __init__(self, scope: Scope) -> None:
        super().__init__()
        self._scope = scope
        self._exit: Exit | None = None
        self._said: list[str] = []
        self._status = 200
        self._arg: list[Any] = ["", False]
        self._new_table: Callable[[], Any] = dict
        self._binder: Any = None

    def _ready(self) -> Any:
        made = self._sandbox is None
        sandbox = super()._ready()
        if made:
            self._lua = ToLua(self._runtime)
            self._null = sandbox.ngx.null
            extend = self._runtime.execute(f"return function(...) {EFFECTS} end")
            render = self._runtime.execute(f"return function(...) {RENDER} end")
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
            results = ()
        finally:
            self._keep_said(ctx)
        if self._exit is not None:
            return self._exit
        code, body = (*results, None, None)[:2]
        return None if code is None and body is None else self.verdict(code, body)

    def _keep_said(self, ctx: Context) -> None:
        """What ngx.say wrote goes before all that is answered later; its status is the one of the first of it."""
        if self._said:
            text = "".join(self._said).encode("latin-1")
            before = ctx.said
            ctx.said = Exit(self._status, text) if before is None else Exit(before.status, bytes_of(before.body) + text)

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

    # -- what Lua calls

    def _host(self) -> Mapping[str, Any]:
        return {
            "version": VERSION,
            "statuses": self._runtime.table_from(STATUSES),
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
        self._exit = Exit(code if code >= 100 else self._now().status or 200)

    def _answer(self, status: Any, body: Any) -> None:
        if status is None:
            self._say(False, body)
            return
        self._exit = self.verdict(status, body)

    def _say(self, newline: bool, *parts: Any) -> None:
        if not self._said:
            self._status = self._now().status or 200
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
