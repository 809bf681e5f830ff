"""key-auth: a consumer proves itself by a key in a header or in the query."""

from __future__ import annotations

from typing import ClassVar

from harness.emulators.apisix import uri_args
from harness.emulators.apisix.consumers import ConsumerEntry
from harness.emulators.apisix.context import Context
from harness.emulators.apisix.plugins.auth import ANONYMOUS_CONSUMER, AuthPlugin, Refused, from_latin, realm
from harness.emulators.apisix.plugins.base import Conf, Schema, Scope


class KeyAuth(AuthPlugin):
    """The key is looked for in the header first, then in the query."""

    name = "key-auth"
    priority = 2500
    repeats = True
    schema: ClassVar[Schema] = {
        "type": "object",
        "properties": {
            "header": {"type": "string", "default": "apikey"},
            "query": {"type": "string", "default": "apikey"},
            "realm": realm("key"),
            "hide_credentials": {"type": "boolean", "default": False},
            "anonymous_consumer": ANONYMOUS_CONSUMER,
        },
    }
    consumer_schema: ClassVar[Schema] = {
        "type": "object",
        "properties": {"key": {"type": "string"}},
        "required": ["key"],
    }
    consumer_encrypt_fields = ("key",)
    consumer_key = "key"
    challenge = 'apikey realm="{realm}"'

    def __init__(self, conf: Conf, scope: Scope) -> None:
        super().__init__(conf, scope)
        self._header: str = conf["header"].lower()
        self._query: str = conf["query"]

    def find(self, ctx: Context) -> ConsumerEntry:
        """The consumer whose key the request carries."""
        key = None
        wanted = self._header
        for field in ctx.headers.items:
            if field[0] == wanted:
                key = field[2]
                break
        in_header = key is not None
        if key is None:
            key = self._from_query(ctx)
        consumers = self.scope.consumers("key-auth")
        consumer = consumers.find(key if key.isascii() else from_latin(key))
        if consumer is None:
            why = "invalid api key" if consumers else "Missing related consumer"
            raise Refused("Invalid API key in request", f"failed to find consumer: {why}")
        if self._hide:
            self._take_out(ctx, header=in_header, query=not in_header)
        return consumer

    def _from_query(self, ctx: Context) -> str:
        value = uri_args.parse(ctx.query).get(self._query) if ctx.query else None
        if value is None:
            raise Refused("Missing API key in request")
        return value if isinstance(value, str) else ""

    def _take_out(self, ctx: Context, *, header: bool, query: bool) -> None:
        if header:
            ctx.headers.remove(self._header)
        if query and ctx.query:
            args = uri_args.parse(ctx.query)
            if args.pop(self._query, None) is not None:
                uri_args.replace_args(ctx, args)

    def hide_refused(self, ctx: Context) -> None:
        """A wrong key may stand in both places."""
        if self._hide:
            self._take_out(ctx, header=True, query=True)
