"""proxy-mirror: a copy of the request to another server, whose answer nobody waits for."""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar

from harness.emulators.apisix.context import Context
from harness.emulators.apisix.plugins.base import Conf, Plugin, Schema, Scope
from harness.emulators.apisix.uri_args import escape_path

_URL = "proxy-mirror.url"
#: what nginx's mirror location doesn't pass on; Content-Length and Connection are written anew
_DROPPED = frozenset(
    ("host", "x-real-ip", "x-forwarded-for", "content-length", "connection", "transfer-encoding", "expect", "upgrade")
)
_WITHIN = 60.0


class ProxyMirror(Plugin):
    name = "proxy-mirror"
    priority = 1010
    schema: ClassVar[Schema] = {
        "type": "object",
        "properties": {
            "host": {
                "type": "string",
                "pattern": "^(http(s)?|grpc(s)?):\\/\\/([\\da-zA-Z.-]+|\\[[\\da-fA-F:]+\\])(:\\d+)?$",
            },
            "path": {"type": "string", "pattern": "^/[^?&]+$"},
            "path_concat_mode": {
                "type": "string",
                "default": "replace",
                "enum": ["replace", "prefix"],
                "description": "the concatenation mode for custom path",
            },
            "sample_ratio": {"type": "number", "minimum": 0.00001, "maximum": 1, "default": 1},
        },
        "required": ["host"],
    }

    def __init__(self, conf: Conf, scope: Scope) -> None:
        super().__init__(conf, scope)
        self._running: set[asyncio.Task[None]] = scope.keep("proxy-mirror", set)

    @classmethod
    def check(cls, conf: dict[str, Any]) -> str | None:
        """Mirrors speak HTTP/1.1 here."""
        return "mirroring to gRPC is not emulated" if conf["host"].startswith("grpc") else None

    def rewrite(self, ctx: Context) -> None:
        """Draw the lot, and note the address now: what proxy-rewrite changes later doesn't count."""
        ratio = self.conf["sample_ratio"]
        if ratio < 1 and self.scope.random.random() >= ratio:
            return
        query = f"?{ctx.query}" if ctx.query else ""
        uri = ctx.upstream_uri or escape_path(ctx.uri) + query
        path = self.conf.get("path")
        if path:
            uri = path + (uri if self.conf["path_concat_mode"] == "prefix" else query)
        ctx.notes[_URL] = self.conf["host"] + uri

    async def before_proxy(self, ctx: Context) -> None:
        """Send the copy on its way, once the body is whole."""
        url = ctx.notes.get(_URL)
        if url is None:
            return
        body = await ctx.read_body()
        fields = [(name, value) for lower, name, value in ctx.headers.items if lower not in _DROPPED]
        if "user-agent" not in ctx.headers:
            fields.append(("User-Agent", ""))  # nginx's subrequest has none either
        host = ctx.upstream_host or ctx.headers.get("host") or ""
        sending = self._send(ctx.upstream_method or ctx.method, url, [("Host", host), *fields], body)
        task = asyncio.get_running_loop().create_task(sending)
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _send(self, method: str, url: str, fields: list[tuple[str, str]], body: bytes) -> None:
        try:
            await self.scope.fetch(method, url, headers=fields, body=body, within=_WITHIN, keepalive=False)
        except (OSError, TimeoutError) as error:
            self.scope.log("error", f"the mirror {url} did not answer: {error}")
