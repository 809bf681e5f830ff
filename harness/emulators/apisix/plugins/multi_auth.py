"""multi-auth: one of several authentication plugins is enough."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Iterator
from typing import Any, ClassVar, cast

from harness.emulators.apisix.context import Context, Exit, MaybeVerdict, Verdict
from harness.emulators.apisix.plugins.base import Conf, Plugin, Schema, Scope
from harness.emulators.apisix.schema.validate import Validator


class MultiAuth(Plugin):
    """Members are asked in order; the challenges of those that failed stay on the answer, a success or not."""

    name = "multi-auth"
    priority = 2600
    type = "auth"
    schema: ClassVar[Schema] = {
        "type": "object",
        "title": "work with route or service object",
        "properties": {"auth_plugins": {"type": "array", "minItems": 2}},
        "required": ["auth_plugins"],
    }

    @classmethod
    def check(cls, conf: dict[str, Any]) -> str | None:
        """Each member must be an authentication plugin that takes its configuration."""
        for name, member in _members(conf):
            plugin = _find(name)
            if plugin is None:
                return f"{name} plugin did not found"
            if plugin.type != "auth":
                return f"{name} plugin is not supported"
            problem = Validator(plugin.schema).check(member) or plugin.check(member)
            if problem:
                return f"plugin {name} check schema failed: {problem}"
        return None

    def __init__(self, conf: Conf, scope: Scope) -> None:
        super().__init__(conf, scope)
        found = [(_find(name), member) for name, member in _members(conf)]
        # every plugin of type "auth" has a rewrite phase
        self._members: list[Any] = [plugin(member, scope) for plugin, member in found if plugin]

    def rewrite(self, ctx: Context) -> MaybeVerdict:
        """Ask the members one after the other; the first that finds a consumer ends it."""
        return self._ask(ctx, 0)

    def _ask(self, ctx: Context, first: int) -> MaybeVerdict:
        for index in range(first, len(self._members)):
            verdict = self._members[index].rewrite(ctx)
            if inspect.isawaitable(verdict):
                return self._later(ctx, index, cast(Awaitable[Verdict], verdict))
            if verdict is None:
                return None
            self._note(ctx, index, verdict)
        return Exit(401, {"message": "Authorization Failed"})

    async def _later(self, ctx: Context, index: int, waiting: Awaitable[Verdict]) -> Verdict:
        verdict = await waiting
        if verdict is None:
            return None
        self._note(ctx, index, verdict)
        rest = self._ask(ctx, index + 1)
        return await rest if inspect.isawaitable(rest) else rest

    def _note(self, ctx: Context, index: int, refusal: Exit) -> None:
        for name, value in refusal.headers:
            ctx.response.set(name, value)
        reason = refusal.body.get("message", "") if isinstance(refusal.body, dict) else ""
        member = self._members[index].name
        self.scope.log("warn", f"{member} failed to authenticate the request, code: {refusal.status}. error: {reason}")


def _members(conf: Conf) -> Iterator[tuple[str, dict[str, Any]]]:
    for entry in conf["auth_plugins"]:
        yield from entry.items()


def _find(name: str) -> type[Plugin] | None:
    # the registry imports this module
    from harness.emulators.apisix.plugins.registry import BY_NAME

    return BY_NAME.get(name)
