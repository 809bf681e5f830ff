"""jwt-auth: a consumer proves itself by a signed token in a header, the query or a cookie."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar

from harness.emulators.apisix import uri_args
from harness.emulators.apisix.consumers import ConsumerEntry
from harness.emulators.apisix.context import Context
from harness.emulators.apisix.match import arguments
from harness.emulators.apisix.plugins import jwt_tokens
from harness.emulators.apisix.plugins.auth import ANONYMOUS_CONSUMER, AuthPlugin, Refused, decode_base64, realm
from harness.emulators.apisix.plugins.base import Conf, Schema, Scope
from harness.emulators.apisix.schema.validate import is_secret_reference

_HMAC = ["HS256", "HS384", "HS512"]
_PUBLIC = ["RS256", "RS384", "RS512", "ES256", "ES384", "ES512", "PS256", "PS384", "PS512", "EdDSA"]
#: what jwt-auth.lua takes for a cookie when it takes one out of the header
_COOKIE = re.compile(r"([a-zA-Z0-9\-_]*)=[a-zA-Z0-9\-._]*")


class JwtAuth(AuthPlugin):
    """The token's key claim names the consumer, whose secret or public key must fit the signature."""

    name = "jwt-auth"
    priority = 2510
    repeats = True
    schema: ClassVar[Schema] = {
        "type": "object",
        "properties": {
            "header": {"type": "string", "default": "authorization"},
            "query": {"type": "string", "default": "jwt"},
            "cookie": {"type": "string", "default": "jwt"},
            "hide_credentials": {"type": "boolean", "default": False},
            "key_claim_name": {"type": "string", "default": "key", "minLength": 1},
            "store_in_ctx": {"type": "boolean", "default": False},
            "realm": realm("jwt"),
            "anonymous_consumer": ANONYMOUS_CONSUMER,
            "claims_to_verify": {
                "type": "array",
                "items": {"type": "string", "enum": ["exp", "nbf"]},
                "uniqueItems": True,
            },
        },
    }
    consumer_schema: ClassVar[Schema] = {
        "type": "object",
        "properties": {
            "key": {"type": "string", "minLength": 1},
            "secret": {"type": "string", "minLength": 1},
            "algorithm": {"type": "string", "enum": [*_HMAC, *_PUBLIC], "default": "HS256"},
            "exp": {"type": "integer", "minimum": 1, "default": 86400},
            "base64_secret": {"type": "boolean", "default": False},
            "lifetime_grace_period": {"type": "integer", "minimum": 0, "default": 0},
        },
        "dependencies": {
            "algorithm": {
                "oneOf": [
                    {"properties": {"algorithm": {"enum": _HMAC, "default": "HS256"}}},
                    {
                        "properties": {
                            "public_key": {"type": "string", "minLength": 1},
                            "algorithm": {"enum": _PUBLIC},
                        },
                        "required": ["public_key"],
                    },
                ]
            }
        },
        "required": ["key"],
    }
    consumer_encrypt_fields = ("secret",)
    consumer_key = "key"
    challenge = 'Bearer realm="{realm}"'

    def __init__(self, conf: Conf, scope: Scope) -> None:
        super().__init__(conf, scope)
        self._header: str = conf["header"].lower()
        self._claim: str = conf["key_claim_name"]
        self._required: tuple[str, ...] = tuple(conf.get("claims_to_verify") or ())
        self._time = scope.clock.time

    @classmethod
    def check_consumer(cls, conf: dict[str, Any]) -> str | None:
        """What the schema can't say: which key goes with which algorithm."""
        hmac = conf["algorithm"].startswith("HS")
        secret = conf.get("secret")
        if hmac and not secret:
            return 'property "secret" is required when using HS based algorithms'
        if conf.get("base64_secret") and not is_secret_reference(secret) and decode_base64(secret or "") is None:
            return "base64_secret required but the secret is not in base64 format"
        if not hmac and not conf.get("public_key"):
            return "missing valid public key"
        return None

    def find(self, ctx: Context) -> ConsumerEntry:
        """The consumer whose key claim and signature the token has, inside of its lifetime."""
        text = self._take_token(ctx)
        token = jwt_tokens.parse(text)
        if token is None:
            raise Refused("JWT token invalid", "JWT token invalid: invalid jwt string")
        key = token.payload.get(self._claim)
        if key is None or key is False:
            raise Refused("missing user key in JWT token")
        consumer = self.scope.consumers("jwt-auth").find(key) if isinstance(key, str) else None
        if consumer is None:
            raise Refused("Invalid user key in JWT token", "failed to find consumer: invalid user key")
        self._verify(token, consumer.auth_conf)
        grace = consumer.auth_conf.get("lifetime_grace_period", 0)
        begins, ends = jwt_tokens.lifetime(token.payload, self._required, grace)
        ctx.holds_from, ctx.holds_until = max(ctx.holds_from, begins), min(ctx.holds_until, ends)
        if self.conf["store_in_ctx"]:
            ctx.notes["jwt_auth_payload"] = token.payload
        return consumer

    def _verify(self, token: jwt_tokens.Token, auth: Mapping[str, Any]) -> None:
        algorithm = auth.get("algorithm", "HS256")
        if token.algorithm != algorithm:
            reason = f"algorithm mismatch, expected {algorithm}"
        elif not jwt_tokens.verified(token.text, algorithm, _key(auth)):
            reason = f"signature mismatch: {token.signature}"
        else:
            grace = auth.get("lifetime_grace_period", 0)
            reason = jwt_tokens.lifetime_problem(token.payload, self._required, int(self._time()), grace)
        if reason:
            raise Refused("failed to verify jwt", f"failed to verify jwt: {reason}")

    def _take_token(self, ctx: Context) -> str:
        text = ctx.headers.get(self._header)
        if text is not None:
            if self._hide:
                ctx.headers.remove(self._header)
            return text[7:] if text.startswith(("Bearer ", "bearer ")) else text
        text = self._from_query(ctx) if ctx.query else None
        if text is None:
            text = self._from_cookie(ctx)
        if text is None:
            raise Refused("Missing JWT token in request")
        return text

    def _from_query(self, ctx: Context) -> str | None:
        args = uri_args.parse(ctx.query)
        value = args.pop(self.conf["query"], None)
        if value is None:
            return None
        if self._hide:
            uri_args.replace_args(ctx, args)
        return value if isinstance(value, str) else ""

    def _from_cookie(self, ctx: Context) -> str | None:
        header = "; ".join(ctx.headers.get_all("cookie"))
        name = self.conf["cookie"]
        value = arguments.cookies(header).get(name) if header else None
        if value is not None and self._hide:
            kept = "; ".join(match[0] for match in _COOKIE.finditer(header) if match[1] != name)
            if kept:
                ctx.headers.set("Cookie", kept)
            else:
                ctx.headers.remove("Cookie")
        return value


def _key(auth: Mapping[str, Any]) -> bytes:
    if not auth.get("algorithm", "HS256").startswith("HS"):
        return str(auth["public_key"]).encode()
    secret = str(auth["secret"])
    return (decode_base64(secret) or b"") if auth.get("base64_secret") else secret.encode()
