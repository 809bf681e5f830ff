"""public-api: exposes another plugin's API on the data plane, at a route of the user's choice."""

from __future__ import annotations

import inspect
from typing import ClassVar

from harness.emulators.apisix.context import Context, Exit
from harness.emulators.apisix.exchange import App, Request, Response
from harness.emulators.apisix.plugins.base import Conf, Plugin, Schema, Scope


class PublicApi(Plugin):
    """The path (the request's own, or `uri`) and the method choose the handler; there may be none."""

    name = "public-api"
    priority = 501
    schema: ClassVar[Schema] = {"type": "object", "properties": {"uri": {"type": "string"}}}

    def __init__(self, conf: Conf, scope: Scope) -> None:
        super().__init__(conf, scope)
        self._handlers: dict[tuple[str, str], App] = {}
        for plugin in scope.plugins.values():
            self._handlers.update(plugin.public_api(scope))
        #: the handlers of all that is below a path, registered with a star
        self._below = [(method, path[:-1], app) for (method, path), app in self._handlers.items() if path[-1] == "*"]

    async def access(self, ctx: Context) -> Exit:
        """Answer with the handler, or 404."""
        path = self.conf.get("uri") or ctx.uri
        handler = self._handlers.get((ctx.method, path)) or self._handler_below(ctx.method, path)
        if handler is None:
            return Exit(404)
        sent = await ctx.read_body()
        port = ctx.client.server_port
        request = Request(ctx.method, ctx.target, path, ctx.query, ctx.headers, sent, ctx.remote_addr, port)
        answer = handler(request)
        response: Response = await answer if inspect.isawaitable(answer) else answer
        body = response.body or (b"" if response.status < 400 else None)
        return Exit(response.status, body, tuple(response.headers))

    def _handler_below(self, method: str, path: str) -> App | None:
        return next((app for held, prefix, app in self._below if held == method and path.startswith(prefix)), None)
