"""What azure-functions, aws-lambda and openfunction are: the request goes to a function, its answer to the client."""

from __future__ import annotations

from typing import Any, ClassVar
from urllib.parse import urlsplit

from harness.emulators.apisix import uri_args
from harness.emulators.apisix.context import Context, Exit
from harness.emulators.apisix.exchange import Response
from harness.emulators.apisix.plugins.base import Plugin, Schema

_FRAMING = frozenset(("connection", "keep-alive", "proxy-connection", "upgrade", "transfer-encoding", "content-length"))


def function_schema(authorization: Schema) -> Schema:
    """The configuration that all of them have."""
    return {
        "type": "object",
        "properties": {
            "max_req_body_size": {
                "type": "integer",
                "minimum": 1,
                "default": 67108864,
                "description": "maximum request body size in bytes buffered into memory; larger request bodies are "
                "rejected",
            },
            "function_uri": {"type": "string"},
            "authorization": authorization,
            "timeout": {"type": "integer", "minimum": 100, "default": 3000},
            "ssl_verify": {"type": "boolean", "default": True},
            "keepalive": {"type": "boolean", "default": True},
            "keepalive_timeout": {"type": "integer", "minimum": 1000, "default": 60000},
            "keepalive_pool": {"type": "integer", "minimum": 1, "default": 5},
        },
        "required": ["function_uri"],
    }


class FunctionUpstream(Plugin):
    """The base; a subclass says in `authorize` who it is to the function."""

    schema: ClassVar[Schema] = {}

    def authorize(self, ctx: Context, method: str, path: str, headers: dict[str, str], body: bytes) -> str:
        """Put credentials into the headers (their names in lower case); the query to send."""
        raise NotImplementedError

    async def access(self, ctx: Context) -> Exit:
        """Ask the function."""
        body = await ctx.read_body()
        if len(body) > self.conf["max_req_body_size"]:
            return Exit(400)
        parts = urlsplit(self.conf["function_uri"])
        path = _joined(parts.path or "/", (ctx.path_params or {}).get(":ext"))
        headers = {lower: value for lower, _, value in ctx.headers.items if lower not in _FRAMING}
        headers["host"] = parts.hostname or ""
        query = self.authorize(ctx, ctx.method, path, headers, body)
        url = f"{parts.scheme}://{parts.netloc}{path}{'?' + query if query else ''}"
        answer = await called(self, ctx.method, url, list(headers.items()), body)
        if isinstance(answer, Exit):
            return answer
        for name in {name.lower() for name, _ in answer.headers}:
            ctx.response.remove(name)
        for name, value in answer.headers:
            if name.lower() not in _FRAMING:
                ctx.response.add(name, value)
        return Exit(answer.status, answer.body or b"")


def _joined(path: str, rest: str | None) -> str:
    if rest is None:
        return path
    return path + rest if path.endswith("/") or rest.startswith("/") else f"{path}/{rest}"


def client_query(ctx: Context) -> str:
    """The client's arguments, encoded anew."""
    return uri_args.encode(uri_args.parse(ctx.query)) if ctx.query else ""


async def called(plugin: Plugin, method: str, url: str, headers: list[tuple[str, str]], body: bytes) -> Response | Exit:
    """The function's answer; 503 without one."""
    conf: Any = plugin.conf
    try:
        return await plugin.scope.fetch(
            method,
            url,
            headers=headers,
            body=body,
            within=conf["timeout"] / 1000,
            ssl_verify=conf["ssl_verify"],
            keepalive=conf["keepalive"],
        )
    except (OSError, TimeoutError) as error:
        plugin.scope.log("error", f"failed to process {plugin.name}, err: {error}")
        return Exit(503)
