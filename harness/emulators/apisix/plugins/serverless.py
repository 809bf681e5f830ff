"""serverless-pre-function and serverless-post-function: the user's Lua in a phase of the user's choice."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, ClassVar

from harness.emulators.apisix.context import Context, Exit, MaybeVerdict
from harness.emulators.apisix.lua_effects import RequestLua
from harness.emulators.apisix.lua_source import evaluated_type, load_problem
from harness.emulators.apisix.plugins.base import PHASES, Conf, Plugin, Schema, Scope

_PHASES = ["rewrite", "access", "header_filter", "body_filter", "log", "before_proxy"]


class Serverless(Plugin):
    """What both are; each object has just the phase that its configuration names."""

    schema: ClassVar[Schema] = {
        "type": "object",
        "properties": {
            "phase": {"type": "string", "default": "access", "enum": _PHASES},
            "functions": {"type": "array", "items": {"type": "string"}, "minItems": 1},
        },
        "required": ["functions"],
    }

    def __init__(self, conf: Conf, scope: Scope) -> None:
        super().__init__(conf, scope)
        self._lua: RequestLua = scope.keep("lua", lambda: RequestLua(scope))
        self._functions = [self._lua.evaluate(source) for source in conf["functions"]]
        self._conf = self._lua.table(conf)
        # nothing in Lua can wait here: who looks at the body gets it gathered before
        self._wants_body = any("body" in source for source in conf["functions"])
        for phase in PHASES:
            if phase != conf["phase"]:
                setattr(self, phase, None)

    @classmethod
    def check(cls, conf: dict[str, Any]) -> str | None:
        """Chunks that compile and return a function."""
        for source in conf["functions"]:
            if problem := load_problem(source):
                return f"failed to loadstring: {problem}"
            problem, kind = evaluated_type(source)
            if problem:
                return f"pcall error: {problem}"
            if kind != "function":
                return f"only accept Lua function, the input code type is {kind}"
        return None

    def rewrite(self, ctx: Context) -> MaybeVerdict:
        """The functions in the rewrite phase."""
        return self._with_body(ctx) if self._wants_body else self._call(ctx)

    def access(self, ctx: Context) -> MaybeVerdict:
        """The functions in the access phase."""
        return self._with_body(ctx) if self._wants_body else self._call(ctx)

    def before_proxy(self, ctx: Context) -> MaybeVerdict:
        """The functions before the request goes out."""
        return self._with_body(ctx) if self._wants_body else self._call(ctx)

    def header_filter(self, ctx: Context) -> None:
        """The functions when the answer's head is there."""
        self._call(ctx)

    def body_filter(self, ctx: Context, chunk: bytes, last: bool) -> bytes:
        """The functions for each piece of the answer's body."""
        for function in self._functions:
            chunk = self._lua.filter_body(function, ctx, self._conf, chunk, last)
        return chunk

    def log(self, ctx: Context) -> None:
        """The functions when all is over."""
        self._call(ctx)

    def _with_body(self, ctx: Context) -> Coroutine[Any, Any, Exit | None]:
        async def call() -> Exit | None:
            await ctx.read_body()
            return self._call(ctx)

        return call()

    def _call(self, ctx: Context) -> Exit | None:
        for function in self._functions:
            verdict = self._lua.run(function, ctx, self._conf)
            if verdict is not None:
                return verdict
        return None
