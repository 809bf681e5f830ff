"""exit-transformer: the user's Lua changes status, body and headers of the gateway's own answers."""

from __future__ import annotations

import json
from typing import Any, ClassVar

from harness.emulators.apisix.context import Context, Exit
from harness.emulators.apisix.lua import LuaFailure
from harness.emulators.apisix.lua_effects import RequestLua
from harness.emulators.apisix.lua_source import load_problem
from harness.emulators.apisix.match.lua_values import to_text
from harness.emulators.apisix.plugins.base import Conf, Plugin, Schema, Scope


class ExitTransformer(Plugin):
    name = "exit-transformer"
    priority = 22950
    schema: ClassVar[Schema] = {
        "type": "object",
        "properties": {"functions": {"type": "array", "items": {"type": "string"}}},
        "required": ["functions"],
    }

    def __init__(self, conf: Conf, scope: Scope) -> None:
        super().__init__(conf, scope)
        self._lua: RequestLua = scope.keep("lua", lambda: RequestLua(scope))
        self._chunks = [self._lua.compile(source, source) for source in conf["functions"]]

    @classmethod
    def check(cls, conf: dict[str, Any]) -> str | None:
        """Chunks that compile."""
        return next((problem for source in conf["functions"] if (problem := load_problem(source))), None)

    def rewrite(self, ctx: Context) -> None:
        """From here on this request's own answers go through the chunks."""
        ctx.on_exit = [*(ctx.on_exit or ()), lambda verdict: self._changed(ctx, verdict)]

    def _changed(self, ctx: Context, verdict: Exit) -> Exit:
        for chunk in self._chunks:
            verdict = self._one(ctx, chunk, verdict)
        return verdict

    def _one(self, ctx: Context, chunk: Any, verdict: Exit) -> Exit:
        lua = self._lua
        body: Any = verdict.body
        if body is not None:
            body = body.decode("latin-1") if isinstance(body, bytes) else lua.table(body)
        try:
            results = lua.call_all(chunk, ctx, verdict.status, body, lua.table({}))
        except LuaFailure as failure:
            self.scope.log("error", f"failed to run lua code: {failure}")
            return verdict
        code, body, headers = (*results, None, None, None)[:3]
        pairs = tuple((to_text(name), to_text(value)) for name, value in headers.items()) if headers else ()
        try:
            return lua.verdict(code, body, (*verdict.headers, *pairs))
        except LuaFailure as failure:
            # a chunk that returns a function instead of calling it: nginx can't make a status of that
            self.scope.log("error", f"exit-transformer: {failure}: {json.dumps(str(code))}")
            return Exit(500, None, verdict.headers)
