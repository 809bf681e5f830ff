"""grpc-transcode: JSON over HTTP for the client, gRPC for the upstream, by a stored .proto."""

from __future__ import annotations

from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, ClassVar

from harness.emulators.apisix import lua_json, uri_args
from harness.emulators.apisix.context import Context, Exit
from harness.emulators.apisix.plugins.base import Conf, Plugin, Schema, Scope
from harness.emulators.apisix.plugins.body_decoders import readable
from harness.emulators.apisix.plugins.gathering import hold
from harness.emulators.apisix.plugins.proto_messages import Options, Proto, decode, encode
from harness.emulators.apisix.schema.common import ID

_METHOD = "grpc-transcode.method"
#: HTTP's status for a gRPC status, as Google's API design has it
_STATUSES = {
    "1": 499,
    "2": 500,
    "3": 400,
    "4": 504,
    "5": 404,
    "6": 409,
    "7": 403,
    "8": 429,
    "9": 400,
    "10": 409,
    "11": 400,
    "12": 501,
    "13": 500,
    "14": 503,
    "15": 500,
    "16": 401,
}
_ERROR_STATUS = """syntax = "proto3";
package grpc_status;
message Any { string type_url = 1; bytes value = 2; }
message ErrorStatus { int32 code = 1; string message = 2; repeated Any details = 3; }
"""


def _choice(description: str, *names: str) -> Schema:
    return {"description": description, "type": "string", "enum": list(names)}


class GrpcTranscode(Plugin):
    name = "grpc-transcode"
    priority = 506
    schema: ClassVar[Schema] = {
        "type": "object",
        "properties": {
            "max_resp_body_size": {
                "type": "integer",
                "minimum": 1,
                "default": 67108864,
                "description": "maximum response body size in bytes buffered into memory for transcoding; larger "
                "responses are truncated",
            },
            "proto_id": ID,
            "service": {"description": "the grpc service name", "type": "string"},
            "method": {"description": "the method name in the grpc service.", "type": "string"},
            "deadline": {"description": "deadline for grpc, millisecond", "type": "number", "default": 0},
            "pb_option": {
                "type": "array",
                "items": {
                    "type": "string",
                    "anyOf": [
                        _choice("enum as result", "enum_as_name", "enum_as_value"),
                        _choice("int64 as result", "int64_as_number", "int64_as_string", "int64_as_hexstring"),
                        _choice(
                            "default values option",
                            "auto_default_values",
                            "no_default_values",
                            "use_default_values",
                            "use_default_metatable",
                        ),
                        _choice("hooks option", "enable_hooks", "disable_hooks"),
                    ],
                },
                "minItems": 1,
                "default": ["enum_as_name", "int64_as_number", "auto_default_values", "disable_hooks"],
            },
            "show_status_in_body": {
                "description": "show decoded grpc-status-details-bin in response body",
                "type": "boolean",
                "default": False,
            },
            "status_detail_type": {
                "description": "the message type of the grpc-status-details-bin's details part, if not given, the "
                "details part will not be decoded",
                "type": "string",
            },
        },
        "additionalProperties": True,
        "required": ["proto_id", "service", "method"],
    }

    def __init__(self, conf: Conf, scope: Scope) -> None:
        super().__init__(conf, scope)
        self._options = Options.of(list(conf["pb_option"]))

    async def access(self, ctx: Context) -> Exit | None:
        """The gRPC call in place of the request."""
        proto = self._proto()
        if proto is None:
            return None
        method = proto.method(self.conf["service"], self.conf["method"])
        if method is None:
            self.scope.log("error", f"Undefined service method: {self.conf['service']}/{self.conf['method']} end")
            return Exit(503)
        table = await self._table(ctx)
        try:
            message = encode(method.input_type, table)
        except (ValueError, TypeError, AttributeError) as error:
            self.scope.log("error", f"transform request error: failed to encode request data to protobuf: {error}")
            return Exit(400)
        ctx.notes[_METHOD] = method
        self._call(ctx, b"\0" + len(message).to_bytes(4, "big") + message)
        return None

    def _proto(self) -> Proto | None:
        held = self.scope.stored("protos", str(self.conf["proto_id"]))
        if held is None:
            self.scope.log("error", f"proto load error: failed to find proto by id: {self.conf['proto_id']}")
            return None
        try:
            return _compiled(held["content"])
        except ValueError as error:
            self.scope.log("error", f"proto load error: {error}")
            return None

    async def _table(self, ctx: Context) -> Mapping[str, Any]:
        """The members for the message: of a JSON body, a form, or the query."""
        kind = ctx.headers.get("content-type") or ""
        if "application/json" in kind and ctx.method in ("POST", "PUT", "PATCH"):
            body = await ctx.read_body()
            try:
                held = lua_json.decode(body) if body else None
            except ValueError:
                held = None
            if isinstance(held, dict):
                return held
        if ctx.method == "POST":
            body = await ctx.read_body()
            return readable(uri_args.parse(body.decode("latin-1"))) if body else {}
        return readable(uri_args.parse(ctx.query)) if ctx.query else {}

    def _call(self, ctx: Context, frame: bytes) -> None:
        ctx.upstream_method = "POST"
        ctx.upstream_uri = f"/{self.conf['service']}/{self.conf['method']}"
        ctx.body = frame
        if self.conf["deadline"] > 0:
            ctx.headers.set("grpc-timeout", f"{self.conf['deadline']:.14g}m")

    def header_filter(self, ctx: Context) -> None:
        """The HTTP status for a call that failed at once; else the status will come as trailers."""
        if ctx.status >= 300:
            return
        response = ctx.response
        response.set("Content-Type", "application/json")
        response.remove("content-length")
        status = response.get("grpc-status")
        if status not in (None, "0"):
            ctx.status = _STATUSES.get(str(status), 599)
        else:
            response.set("Trailer", "grpc-status")
            response.add("Trailer", "grpc-message")

    def body_filter(self, ctx: Context, chunk: bytes, last: bool) -> bytes:
        """The message as JSON, or what the status's details say."""
        shows = self.conf["show_status_in_body"]
        method = ctx.notes.get(_METHOD)
        if method is None or (ctx.status >= 300 and not shows):
            return chunk
        body = hold(ctx, self.name, chunk, last, self.conf["max_resp_body_size"])
        if body is None:
            return b""
        return self._error(ctx) if ctx.status >= 300 else self._message(ctx, method, body)

    def _message(self, ctx: Context, method: Any, body: bytes) -> bytes:
        # a grpc-web answer has lost its frame's head already
        data = body if "x-grpc-web" in ctx.headers else body[5:]
        try:
            return lua_json.encode(decode(method.output_type, data, self._options))
        except ValueError:
            return b"failed to decode response data by protobuf"

    def _error(self, ctx: Context) -> bytes:
        """`{"error": …}` from grpc-status-details-bin; nothing without that header."""
        packed = ctx.response.get("grpc-status-details-bin")
        if packed is None:
            return b""
        try:
            raw = b64decode(packed + "=" * (-len(packed) % 4), validate=True)
        except Base64Error:
            return b"grpc-status-details-bin is not base64 format"
        try:
            error = decode(_compiled(_ERROR_STATUS).message("grpc_status.ErrorStatus"), raw, Options())
        except ValueError:
            return b"failed to call pb.decode to decode grpc-status-details-bin"
        kind = self.conf.get("status_detail_type")
        proto = self._proto() if kind else None
        if kind and proto is not None:
            try:
                error["details"] = [
                    decode(proto.message(kind), one["value"].encode("utf-8", "surrogateescape"), self._options)
                    for one in error["details"]
                ]
            except (KeyError, ValueError):
                return b"failed to call pb.decode to decode details in grpc-status-details-bin"
        return lua_json.encode({"error": error})


@lru_cache(maxsize=256)
def _compiled(content: str) -> Proto:
    return Proto(content)
