"""hmac-auth: a consumer proves itself by signing parts of the request with a shared secret."""

from __future__ import annotations

import hmac
import re
from base64 import b64encode
from calendar import timegm
from collections.abc import Awaitable
from hashlib import sha256
from typing import ClassVar

from harness.emulators.apisix.consumers import ConsumerEntry
from harness.emulators.apisix.context import Context, Exit, MaybeVerdict, Verdict
from harness.emulators.apisix.plugins.auth import (
    ANONYMOUS_CONSUMER,
    AuthPlugin,
    Refused,
    attach,
    decode_base64,
    from_latin,
    realm,
)
from harness.emulators.apisix.plugins.base import Conf, Schema, Scope

_ALGORITHMS = ["hmac-sha1", "hmac-sha256", "hmac-sha512"]
_FIELD = re.compile(r'([A-Za-z0-9]+)="(.*?)"', re.DOTALL)
_MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
#: RFC 1123 and RFC 850, as ngx.parse_http_time reads them; it does not look at the day of the week nor the zone
_DATE = re.compile(r"[^,]*, *(\d\d)[ -]([A-Z][a-z]{2})[ -](\d{4}|\d\d) +(\d\d):(\d\d):(\d\d)", re.ASCII)
_INVALID = "client request can't be validated"


class HmacAuth(AuthPlugin):
    """The signature covers the key id and the headers that it names, a Date inside of the skew among them."""

    name = "hmac-auth"
    priority = 2530
    schema: ClassVar[Schema] = {
        "type": "object",
        "title": "work with route or service object",
        "properties": {
            "allowed_algorithms": {
                "type": "array",
                "minItems": 1,
                "items": {"type": "string", "enum": _ALGORITHMS},
                "default": _ALGORITHMS,
            },
            "clock_skew": {"type": "integer", "default": 300, "minimum": 1},
            "signed_headers": {
                "type": "array",
                "default": ["date"],
                "items": {"type": "string", "minLength": 1, "maxLength": 50},
            },
            "validate_request_body": {"type": "boolean", "default": False},
            "max_req_body_size": {"type": "integer", "minimum": 1, "default": 67108864},
            "hide_credentials": {"type": "boolean", "default": False},
            "realm": realm("hmac"),
            "anonymous_consumer": ANONYMOUS_CONSUMER,
        },
    }
    consumer_schema: ClassVar[Schema] = {
        "type": "object",
        "title": "work with consumer object",
        "properties": {
            "key_id": {"type": "string", "minLength": 1, "maxLength": 256},
            "secret_key": {"type": "string", "minLength": 1, "maxLength": 256},
        },
        "required": ["key_id", "secret_key"],
    }
    consumer_encrypt_fields = ("secret_key",)
    consumer_key = "key_id"
    challenge = 'hmac realm="{realm}"'

    def __init__(self, conf: Conf, scope: Scope) -> None:
        super().__init__(conf, scope)
        self._allowed = frozenset(conf["allowed_algorithms"])
        self._signed: list[str] = conf["signed_headers"]
        self._skew: int = conf["clock_skew"]

    def rewrite(self, ctx: Context) -> MaybeVerdict:
        """As every authentication; a body is read only when its digest counts."""
        try:
            consumer = self.find(ctx)
        except Refused as refused:
            return self._shown(ctx, self.refuse(ctx, refused))
        if self.conf["validate_request_body"]:
            return self._with_body(ctx, consumer)
        attach(ctx, consumer)
        return self._shown(ctx, None)

    def _shown(self, ctx: Context, verdict: Verdict) -> Verdict:
        if verdict is None and self._hide:
            ctx.headers.remove("Authorization")
        return verdict

    def _with_body(self, ctx: Context, consumer: ConsumerEntry) -> Awaitable[Verdict]:
        async def check() -> Verdict:
            digest = ctx.headers.get("digest")
            if digest is None:
                return self._shown(ctx, self.refuse(ctx, Refused(_INVALID, f"{_INVALID}: Invalid digest")))
            body = await ctx.read_body()
            most = self.conf["max_req_body_size"]
            if len(body) > most:
                message = f"request size {len(body)} is greater than the maximum size {most} allowed"
                return Exit(413, {"message": message})
            if digest != "SHA-256=" + b64encode(sha256(body).digest()).decode():
                return self._shown(ctx, self.refuse(ctx, Refused(_INVALID, f"{_INVALID}: Invalid digest")))
            attach(ctx, consumer)
            return self._shown(ctx, None)

        return check()

    def find(self, ctx: Context) -> ConsumerEntry:
        """The consumer whose signature the request carries (the body's digest aside)."""
        header = ctx.headers.get("authorization")
        if header is None:
            raise Refused(f"{_INVALID}: missing Authorization header")
        if not header.startswith("Signature"):
            raise Refused(f"{_INVALID}: Authorization header does not start with 'Signature'")
        found = (_FIELD.search(part) for part in header[9:].split(","))
        fields = {match[1]: match[2] for match in found if match}
        consumer = self.scope.consumers("hmac-auth").find(from_latin(fields.get("keyId", "")))
        problem = self._problem(ctx, fields, consumer)
        if problem or consumer is None:
            raise Refused(_INVALID, f"{_INVALID}: {problem}")
        return consumer

    def _problem(self, ctx: Context, fields: dict[str, str], consumer: ConsumerEntry | None) -> str:
        if "keyId" not in fields or "signature" not in fields:
            return "keyId or signature missing"
        if "algorithm" not in fields:
            return "algorithm missing"
        if consumer is None:
            return "Invalid key_id"
        if fields["algorithm"] not in self._allowed:
            return "Invalid algorithm"
        names = fields["headers"].split(" ") if "headers" in fields else []
        missing = next((name for name in self._signed if name not in names), None)
        if problem := self._clock_problem(ctx.headers.get("date")):
            return problem
        if missing is not None:
            return f'expected header "{missing}" missing in signing'
        expected = _signature(ctx, fields, names, consumer.auth_conf["secret_key"])
        given = decode_base64(fields["signature"])
        return "" if given is not None and hmac.compare_digest(expected, given) else "Invalid signature"

    def _clock_problem(self, date: str | None) -> str:
        if date is None:
            return "Date header missing. failed to validate clock skew"
        then = _seconds(date)
        if then is None:
            return "Invalid GMT format time"
        return "Clock skew exceeded" if abs(int(self.scope.clock.time()) - then) > self._skew else ""


def _signature(ctx: Context, fields: dict[str, str], names: list[str], secret: str) -> bytes:
    lines = [fields["keyId"]]
    for name in names:
        value = ctx.headers.get(name.lower())
        if value is not None:
            lines.append(f"{name}: {value}")
        elif name == "@request-target":
            lines.append(f"{ctx.method} {ctx.uri}" + (f"?{ctx.query}" if ctx.query else ""))
    text = "\n".join(lines) + "\n"
    return hmac.digest(secret.encode(), text.encode("latin-1"), fields["algorithm"].removeprefix("hmac-"))


def _seconds(date: str) -> int | None:
    match = _DATE.match(date)
    if not match or match[2] not in _MONTHS:
        return None
    day, month, year = int(match[1]), _MONTHS.index(match[2]) + 1, int(match[3])
    if len(match[3]) == 2:
        year += 2000 if year < 70 else 1900
    hour, minute, second = (int(match[index]) for index in (4, 5, 6))
    if not 1 <= day <= 31 or hour > 23 or minute > 59 or second > 59:
        return None
    return timegm((year, month, day, hour, minute, second, 0, 0, 0))
