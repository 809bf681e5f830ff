"""forward-auth: an outside service decides about each request."""

from __future__ import annotations

from typing import ClassVar

from harness.emulators.apisix import variables
from harness.emulators.apisix.context import Context, Exit
from harness.emulators.apisix.exchange import Response
from harness.emulators.apisix.plugins.base import Conf, Plugin, Schema, Scope

_HEADER_NAMES: Schema = {"type": "array", "default": [], "items": {"type": "string"}}


class ForwardAuth(Plugin):
    """Below 300 the request passes, with headers of the service's answer; else that answer is the client's."""

    name = "forward-auth"
    priority = 2002
    schema: ClassVar[Schema] = {
        "type": "object",
        "properties": {
            "uri": {"type": "string"},
            "allow_degradation": {"type": "boolean", "default": False},
            "status_on_error": {"type": "integer", "minimum": 200, "maximum": 599, "default": 403},
            "ssl_verify": {"type": "boolean", "default": True},
            "request_method": {"type": "string", "default": "GET", "enum": ["GET", "POST"]},
            "max_req_body_size": {"type": "integer", "minimum": 1, "default": 67108864},
            "request_headers": _HEADER_NAMES,
            "extra_headers": {
                "type": "object",
                "minProperties": 1,
                "patternProperties": {"^[^:]+$": {"type": "string"}},
            },
            "upstream_headers": _HEADER_NAMES,
            "client_headers": _HEADER_NAMES,
            "timeout": {"type": "integer", "minimum": 1, "maximum": 60000, "default": 3000},
            "keepalive": {"type": "boolean", "default": True},
            "keepalive_timeout": {"type": "integer", "minimum": 1000, "default": 60000},
            "keepalive_pool": {"type": "integer", "minimum": 1, "default": 5},
        },
        "required": ["uri"],
    }

    def __init__(self, conf: Conf, scope: Scope) -> None:
        super().__init__(conf, scope)
        extra = conf.get("extra_headers") or {}
        self._reads_body = conf["request_method"] == "POST" or any("post_arg" in str(value) for value in extra.values())
        self._extra = [(name, variables.resolve(str(value))) for name, value in extra.items()]

    async def access(self, ctx: Context) -> Exit | None:
        """Ask the service."""
        conf = self.conf
        body = await ctx.read_body() if self._reads_body else b""
        if conf["request_method"] == "POST" and len(body) > conf["max_req_body_size"]:
            return Exit(413)
        try:
            answer = await self.scope.fetch(
                conf["request_method"],
                conf["uri"],
                headers=self._headers(ctx),
                body=body if conf["request_method"] == "POST" else b"",
                within=conf["timeout"] / 1000,
                ssl_verify=conf["ssl_verify"],
                keepalive=conf["keepalive"],
            )
        except (OSError, TimeoutError) as error:
            return self._degraded(error)
        return self._decided(ctx, answer)

    def _degraded(self, error: Exception) -> Exit | None:
        if self.conf["allow_degradation"]:
            return None
        self.scope.log("warn", f"failed to process forward auth, err: {error}")
        return Exit(self.conf["status_on_error"])

    def _headers(self, ctx: Context) -> list[tuple[str, str]]:
        headers = {
            "X-Forwarded-Proto": ctx.client.scheme,
            "X-Forwarded-Method": ctx.method,
            "X-Forwarded-Host": ctx.host,
            "X-Forwarded-Uri": f"{ctx.uri}?{ctx.query}" if ctx.query else ctx.uri,
            "X-Forwarded-For": ctx.remote_addr,
        }
        encoding = ctx.headers.get("content-encoding")
        if self.conf["request_method"] == "POST" and encoding is not None:
            headers["Content-Encoding"] = encoding
        for name, resolved in self._extra:
            headers[name] = resolved(ctx)
        for name in self.conf["request_headers"]:
            value = ctx.headers.get(name.lower())
            if name not in headers and value is not None:
                headers[name] = value
        return list(headers.items())

    def _decided(self, ctx: Context, answer: Response) -> Exit | None:
        given: dict[str, list[str]] = {}
        for name, value in answer.headers:
            given.setdefault(name.lower(), []).append(value)
        if answer.status >= 300:
            names = self.conf["client_headers"]
            headers = tuple((name, value) for name in names for value in given.get(name.lower(), ()))
            return Exit(answer.status, answer.body or b"", headers)
        for name in self.conf["upstream_headers"]:
            ctx.headers.remove(name)
            for value in given.get(name.lower(), ()):
                ctx.headers.add(name, value)
        return None
