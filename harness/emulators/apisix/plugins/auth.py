"""What the authentication plugins share: the consumer put on the request, the challenge, the anonymous consumer."""

from __future__ import annotations

import re
from base64 import b64decode
from typing import ClassVar

from harness.emulators.apisix.consumers import ConsumerEntry
from harness.emulators.apisix.context import Context, Exit, MaybeVerdict
from harness.emulators.apisix.match.expression import latin
from harness.emulators.apisix.plugins.base import Conf, Plugin, Schema, Scope

ANONYMOUS_CONSUMER: Schema = {"type": "string", "minLength": 1}

#: the request headers that tell the upstream who calls; a client's own never pass
_IDENTITY = frozenset({"x-consumer-username", "x-credential-identifier", "x-consumer-custom-id"})
_TO_BASE64 = str.maketrans("-_", "+/")
_BASE64 = re.compile(r"[A-Za-z0-9+/]*")


def realm(default: str) -> Schema:
    """The schema of `realm`: printable ASCII without quote and backslash."""
    pattern = r"^[ -!#-[\]-~]+$"
    return {"type": "string", "pattern": pattern, "default": default, "minLength": 1, "maxLength": 128}


def attach(ctx: Context, consumer: ConsumerEntry, *, custom_id: bool = True) -> None:
    """Make `consumer` the request's, and tell the upstream."""
    ctx.consumer = consumer
    headers = ctx.headers
    items = headers.items
    identity = _IDENTITY
    for field in items:
        if field[0] in identity:
            return _replace_identity(ctx, consumer, consumer.custom_id if custom_id else "")
    items.append(("x-consumer-username", "X-Consumer-Username", consumer.name))
    if consumer.credential_id:
        headers.add("X-Credential-Identifier", consumer.credential_id)
    if custom_id and consumer.custom_id:
        headers.add("X-Consumer-Custom-ID", latin(consumer.custom_id))


def _replace_identity(ctx: Context, consumer: ConsumerEntry, custom_id: str) -> None:
    values = (
        ("X-Consumer-Username", consumer.name),
        ("X-Credential-Identifier", consumer.credential_id),
        ("X-Consumer-Custom-ID", latin(custom_id)),
    )
    for name, value in values:
        if value:
            ctx.headers.set(name, value)
        else:
            ctx.headers.remove(name)


def decode_base64(text: str) -> bytes | None:
    """ngx.decode_base64: reads up to the first "=", takes missing padding, refuses any other character."""
    body = text.partition("=")[0]
    if len(body) % 4 == 1 or not _BASE64.fullmatch(body):
        return None
    return b64decode(body + "=" * (-len(body) % 4))


def decode_base64url(text: str) -> bytes | None:
    """ngx.base64.decode_base64url: as decode_base64, over the alphabet with dash and underscore alone."""
    return None if "+" in text or "/" in text else decode_base64(text.translate(_TO_BASE64))


def from_latin(text: str) -> str:
    """A request's text as configuration spells it: UTF-8 read as such."""
    return text if text.isascii() else text.encode("latin-1").decode("utf-8", "surrogateescape")


class Refused(Exception):
    """No consumer: `message` is what the client is told, `reason` what the log says."""

    def __init__(self, message: str, reason: str = "") -> None:
        self.message = message
        self.reason = reason or message
        super().__init__(self.reason)


class AuthPlugin(Plugin):
    """A plugin that finds the consumer: a subclass says how, and with what it challenges."""

    type = "auth"
    #: the WWW-Authenticate header, `{realm}` filled in
    challenge: ClassVar[str]

    def __init__(self, conf: Conf, scope: Scope) -> None:
        super().__init__(conf, scope)
        self._anonymous: str = conf.get("anonymous_consumer", "")
        self._hide: bool = conf.get("hide_credentials", False)
        self._challenge = (("WWW-Authenticate", self.challenge.format(realm=conf.get("realm", ""))),)

    def find(self, ctx: Context) -> ConsumerEntry:
        """The consumer that the request proves to be; raises Refused."""
        raise NotImplementedError

    def rewrite(self, ctx: Context) -> MaybeVerdict:
        """Attach the consumer, fall back to the anonymous one, or refuse with 401."""
        try:
            consumer = self.find(ctx)
        except Refused as refused:
            return self.refuse(ctx, refused)
        attach(ctx, consumer)
        return None

    def refuse(self, ctx: Context, refused: Refused) -> Exit | None:
        """The way of a request that proved nothing."""
        ctx.holds_until = ctx.holds_from  # each of them is logged
        if refused.reason != refused.message:
            self.scope.log("warn", refused.reason)
        if not self._anonymous:
            return Exit(401, {"message": refused.message}, self._challenge)
        self.hide_refused(ctx)
        consumer = self.scope.consumer(self._anonymous)
        if consumer is None:
            reason = f"failed to get anonymous consumer {self._anonymous}"
            self.scope.log("error", f"{self.name} failed to authenticate the request, code: 401. error: {reason}")
            return Exit(401, {"message": "Invalid user authorization"}, self._challenge)
        attach(ctx, consumer, custom_id=False)
        return None

    def hide_refused(self, ctx: Context) -> None:
        """Take refused credentials off a request that goes on as the anonymous consumer."""
