"""batch-requests: several requests in one body, sent to the gateway itself, their answers in one body."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar
from urllib.parse import quote_plus

from harness.emulators.apisix import lua_json
from harness.emulators.apisix.exchange import App, Request, Response
from harness.emulators.apisix.match.lua_values import to_text
from harness.emulators.apisix.plugins.base import Plugin, Schema, Scope
from harness.emulators.apisix.proxy.ask import ask
from harness.emulators.apisix.schema.common import METHOD
from harness.emulators.apisix.schema.validate import Validator

DEFAULT_URI = "/apisix/batch-requests"
_MAX_BODY = 1024 * 1024
_MAX_ITEMS = 1000
_AGENT = "lua-resty-http/0.17.2 (Lua) ngx_lua/10030"

_REQUEST: Schema = {
    "type": "object",
    "properties": {
        "query": {"description": "pipeline query string", "type": "object"},
        "headers": {"description": "pipeline header", "type": "object"},
        "timeout": {"description": "pipeline timeout(ms)", "type": "integer", "minimum": 1, "default": 30000},
        "pipeline": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "additionalProperties": False,
                "properties": {
                    "version": {"description": "HTTP version", "type": "number", "enum": [1.0, 1.1], "default": 1.1},
                    "method": {**METHOD, "default": "GET"},
                    "path": {"type": "string", "minLength": 1},
                    "query": {"description": "request query string", "type": "object"},
                    "headers": {"description": "request headers", "type": "object"},
                    "body": {"description": "request body", "type": "string"},
                    "ssl_verify": {"type": "boolean", "default": False},
                },
                "required": ["path"],
            },
        },
    },
    "anyOf": [{"required": ["pipeline"]}],
}
_Json = dict[str, Any]
_VALIDATOR = Validator(_REQUEST)
#: each of these bytes ends the request line or begins another part of it (lua-resty-http refuses them)
_NOT_IN_PATH = frozenset(" ?#\r\n\t\x00")


class _Refused(Exception):
    """Why the whole batch is refused."""

    def __init__(self, status: int, message: str) -> None:
        self.status = status
        self.message = message
        super().__init__(message)


class BatchRequests(Plugin):
    name = "batch-requests"
    reach = "global"
    priority = 4010
    schema: ClassVar[Schema] = {"type": "object"}
    metadata_schema: ClassVar[Schema] = {
        "type": "object",
        "properties": {
            "max_body_size": {
                "description": "max pipeline body size in bytes",
                "type": "integer",
                "exclusiveMinimum": 0,
                "default": _MAX_BODY,
            },
            "max_pipeline_items": {
                "description": "max number of requests allowed in the pipeline",
                "type": "integer",
                "exclusiveMinimum": 0,
                "default": _MAX_ITEMS,
            },
        },
    }

    @classmethod
    def public_api(cls, scope: Scope) -> Mapping[tuple[str, str], App]:
        """POST at plugin_attr.batch-requests.uri."""
        batch = _Batch(scope)
        return {("POST", scope.attr.get("uri", DEFAULT_URI)): batch.handle}


class _Batch:
    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    async def handle(self, request: Request) -> Response:
        """The answers as a JSON list, or one error for all."""
        try:
            batch = self._read(request)
            answers = await self._send(batch, request)
        except _Refused as refused:
            return _json(refused.status, {"error_msg": refused.message})
        return _json(200, answers)

    def _read(self, request: Request) -> dict[str, Any]:
        limits = self._scope.metadata(BatchRequests.name) or {}
        most = limits.get("max_body_size", _MAX_BODY)
        if len(request.body) > most:
            size = f"request size {len(request.body)} is greater than the maximum size {most} allowed"
            raise _Refused(413, size)
        if not request.body:
            raise _Refused(400, "no request body, you should give at least one pipeline setting")
        try:
            batch = lua_json.decode(request.body)
        except ValueError as error:
            text = request.body.decode("utf-8", "replace")
            raise _Refused(400, f"invalid request body: {text}, err: {error}") from None
        if problem := _VALIDATOR.check(batch):
            raise _Refused(400, f"bad request body: {problem}")
        count, items = len(batch["pipeline"]), limits.get("max_pipeline_items", _MAX_ITEMS)
        if count > items:
            raise _Refused(400, f"too many pipeline requests, {count} exceeds the maximum of {items}")
        for member in batch["pipeline"]:
            if _NOT_IN_PATH.intersection(member["path"]):
                raise _Refused(400, "request failed: invalid characters found in path")
        return dict(batch)

    async def _send(self, batch: dict[str, Any], request: Request) -> list[dict[str, Any]]:
        """One after the other over one connection, as a pipeline is answered."""
        within = batch["timeout"] / 1000
        answers = []
        for member in batch["pipeline"]:
            try:
                answers.append(await self._one(member, batch, request, within))
            except TimeoutError:
                answers.append({"status": 504, "reason": "upstream timeout"})
            except OSError as error:
                raise _Refused(500, f"connect to apisix failed: {error}") from error
        return answers

    async def _one(
        self, member: dict[str, Any], batch: dict[str, Any], outer: Request, within: float
    ) -> dict[str, Any]:
        query = {**(batch.get("query") or {}), **(member.get("query") or {})}
        target = member["path"] + (f"?{_encoded(query)}" if query else "")
        fields = _fields(member, batch, outer)
        body = member.get("body", "").encode()
        answer = await ask(("127.0.0.1", outer.server_port), member["method"], target, fields, body, within)
        told: dict[str, Any] = {"status": answer.status, "reason": answer.reason, "headers": _told(answer.headers)}
        if member["method"] != "HEAD" and answer.status not in (204, 304):
            told["body"] = answer.body.decode("utf-8", "surrogateescape")
        return told


def _fields(member: dict[str, Any], batch: dict[str, Any], outer: Request) -> list[tuple[str, str]]:
    """The member's own headers, then the batch's, then those of the request around it but for content-…."""
    merged = {name.lower(): value for name, value in (member.get("headers") or {}).items()}
    for name, value in (batch.get("headers") or {}).items():
        merged.setdefault(name.lower(), value)
    for lower, _, value in outer.headers.items:
        if not lower.startswith(("content-", "transfer-encoding")):
            merged.setdefault(lower, value)
    merged["x-real-ip"] = outer.remote_addr
    for name in ("x-forwarded-proto", "x-forwarded-host", "x-forwarded-port", "connection"):
        merged.pop(name, None)
    merged.setdefault("user-agent", _AGENT)
    return [(name, to_text(value)) for name, value in merged.items()]


def _encoded(query: Mapping[str, Any]) -> str:
    return "&".join(f"{quote_plus(name)}={quote_plus(to_text(value))}" for name, value in query.items())


def _told(fields: list[tuple[str, str]]) -> dict[str, Any]:
    """Headers as lua-resty-http gives them: a list where a name comes more than once."""
    told: dict[str, Any] = {}
    for name, value in fields:
        held = told.get(name)
        told[name] = value if held is None else [*(held if isinstance(held, list) else [held]), value]
    return told


def _json(status: int, value: Any) -> Response:
    headers = [("Content-Type", "application/json")]
    return Response(status, lua_json.encode(value) + b"\n", headers, chunked=True)
