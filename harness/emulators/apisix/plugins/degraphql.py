"""degraphql: a plain request becomes a GraphQL one, its variables taken from the body or the query."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from harness.emulators.apisix import lua_json, uri_args
from harness.emulators.apisix.context import Context, Exit
from harness.emulators.apisix.match.graphql import GraphqlError, parse_document
from harness.emulators.apisix.plugins.base import Plugin, Schema
from harness.emulators.apisix.plugins.body_decoders import readable


class Degraphql(Plugin):
    name = "degraphql"
    priority = 509
    schema: ClassVar[Schema] = {
        "type": "object",
        "properties": {
            "max_req_body_size": {
                "type": "integer",
                "minimum": 1,
                "default": 67108864,
                "description": "maximum request body size in bytes buffered into memory; larger request bodies are "
                "rejected",
            },
            "query": {"type": "string", "minLength": 1, "maxLength": 1024},
            "variables": {"type": "array", "items": {"type": "string"}, "minItems": 1},
            "operation_name": {"type": "string", "minLength": 1, "maxLength": 1024},
        },
        "required": ["query"],
    }

    @classmethod
    def check(cls, conf: dict[str, Any]) -> str | None:
        """A document that can be read, with its operation named where there are several."""
        try:
            definitions = parse_document(conf["query"])
        except GraphqlError:
            line = conf["query"].rstrip().count("\n") + 1
            return f"failed to parse query: Syntax error near line {line}"
        if len(definitions) > 1 and "operation_name" not in conf:
            return "operation_name is required if multiple operations are present in the query"
        return None

    async def access(self, ctx: Context) -> Exit | None:
        """The GraphQL request in place of the plain one."""
        if ctx.method == "POST":
            return self._post(ctx, await ctx.read_body())
        if ctx.method != "GET":
            return Exit(405)
        self._get(ctx)
        return None

    def _post(self, ctx: Context, body: bytes) -> Exit | None:
        asked: dict[str, Any] = self._fixed()
        if "variables" in self.conf:
            if len(body) > self.conf["max_req_body_size"]:
                return Exit(503)
            try:
                held = lua_json.decode(body)
            except ValueError as error:
                self.scope.log("error", f"invalid request body can't be decoded: {error}")
                return Exit(400)
            if not isinstance(held, dict | list):
                return Exit(400)
            asked["variables"] = self._chosen(held if isinstance(held, dict) else {})
        ctx.headers.set("Content-Type", "application/json")
        ctx.body = lua_json.encode(asked)
        return None

    def _get(self, ctx: Context) -> None:
        args: dict[str, Any] = {name: _latin(text) for name, text in self._fixed().items()}
        if "variables" in self.conf:
            chosen = self._chosen(readable(uri_args.parse(ctx.query)) if ctx.query else {})
            args["variables"] = lua_json.encode(chosen).decode("latin-1")
        uri_args.replace_args(ctx, args)

    def _fixed(self) -> dict[str, str]:
        name = self.conf.get("operation_name")
        return {"query": self.conf["query"], **({"operationName": name} if name else {})}

    def _chosen(self, held: Mapping[str, Any]) -> dict[str, Any]:
        return {name: held[name] for name in self.conf["variables"] if name in held}


def _latin(text: str) -> str:
    return text.encode("utf-8", "surrogateescape").decode("latin-1")
