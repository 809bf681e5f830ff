"""aws-lambda: the request goes to a Lambda function, with an API key or signed as IAM wants it (Signature 4)."""

from __future__ import annotations

import hashlib
import hmac
import posixpath
from datetime import UTC, datetime
from typing import Any, ClassVar
from urllib.parse import quote

from harness.emulators.apisix import uri_args
from harness.emulators.apisix.context import Context
from harness.emulators.apisix.plugins.base import Conf, Schema
from harness.emulators.apisix.plugins.function_upstream import FunctionUpstream, client_query, function_schema

_ALGORITHM = "AWS4-HMAC-SHA256"


class AwsLambda(FunctionUpstream):
    name = "aws-lambda"
    priority = -1899
    schema: ClassVar[Schema] = function_schema(
        {
            "type": "object",
            "properties": {
                "apikey": {"type": "string"},
                "iam": {
                    "type": "object",
                    "properties": {
                        "accesskey": {"type": "string", "description": "access key id from from aws iam console"},
                        "secretkey": {"type": "string", "description": "secret access key from from aws iam console"},
                        "aws_region": {
                            "type": "string",
                            "default": "us-east-1",
                            "description": "the aws region that is receiving the request",
                        },
                        "service": {
                            "type": "string",
                            "default": "execute-api",
                            "description": "the service that is receiving the request",
                        },
                    },
                    "required": ["accesskey", "secretkey"],
                },
            },
        }
    )
    encrypt_fields = ("authorization.apikey", "authorization.iam.accesskey", "authorization.iam.secretkey")

    def authorize(self, ctx: Context, method: str, path: str, headers: dict[str, str], body: bytes) -> str:
        """The key, unless the client has one; else the signature, unless the client brings its own."""
        given = self.conf.get("authorization") or {}
        if "x-api-key" not in headers and "apikey" in given:
            headers["x-api-key"] = given["apikey"]
            return client_query(ctx)
        if "authorization" in headers or "iam" not in given:
            return client_query(ctx)
        now = datetime.fromtimestamp(self.scope.clock.time(), UTC)
        query = _query(uri_args.parse(ctx.query) if ctx.query else {})
        headers["x-amz-date"] = f"{now:%Y%m%dT%H%M%SZ}"
        headers["authorization"] = signed(given["iam"], now, method, path, query, headers, body)
        return query


def signed(iam: Conf, now: datetime, method: str, path: str, query: str, headers: dict[str, str], body: bytes) -> str:
    """The Authorization header's value; `query` is canonical already."""
    named = sorted(name for name in headers if name != "connection")
    lines = [f"{name}:{headers[name].strip()}\n" for name in named]
    names = ";".join(named)
    request = "\n".join([method.upper(), _path(path), query, "".join(lines), names, _sha256(body)])
    scope = f"{now:%Y%m%d}/{iam['aws_region']}/{iam['service']}/aws4_request"
    text = "\n".join([_ALGORITHM, f"{now:%Y%m%dT%H%M%SZ}", scope, _sha256(request.encode("latin-1"))])
    key = f"AWS4{iam['secretkey']}".encode()
    for part in scope.split("/"):
        key = _hmac(key, part)
    signature = _hmac(key, text).hex()
    return f"{_ALGORITHM} Credential={iam['accesskey']}/{scope}, SignedHeaders={names}, Signature={signature}"


def _path(path: str) -> str:
    plain = posixpath.normpath(path)
    return plain if plain.startswith("/") else f"/{plain}"


def _query(arguments: dict[str, Any]) -> str:
    pairs = [
        (_encoded(name), _encoded("" if value is True else str(value)))
        for name, values in arguments.items()
        for value in (values if isinstance(values, list) else [values])
    ]
    return "&".join(f"{name}={value}" for name, value in sorted(pairs))


def _encoded(text: str) -> str:
    return quote(text.encode("latin-1"), safe="-_.~")


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode("latin-1"), "sha256")
