"""basic-auth: a consumer proves itself by user name and password."""

from __future__ import annotations

import re
from typing import ClassVar

from harness.emulators.apisix.consumers import ConsumerEntry
from harness.emulators.apisix.context import Context, MaybeVerdict
from harness.emulators.apisix.plugins.auth import ANONYMOUS_CONSUMER, AuthPlugin, Refused, decode_base64, realm
from harness.emulators.apisix.plugins.base import Schema

_SCHEME = re.compile(r"(?i:basic)\s(.+)", re.ASCII)
_BLANKS = re.compile(r"\s+", re.ASCII)


class BasicAuth(AuthPlugin):
    """White space inside of the decoded name and password doesn't count, and a colon ends the password."""

    name = "basic-auth"
    priority = 2520
    repeats = True
    schema: ClassVar[Schema] = {
        "type": "object",
        "title": "work with route or service object",
        "properties": {
            "hide_credentials": {"type": "boolean", "default": False},
            "realm": realm("basic"),
            "anonymous_consumer": ANONYMOUS_CONSUMER,
        },
    }
    consumer_schema: ClassVar[Schema] = {
        "type": "object",
        "title": "work with consumer object",
        "properties": {"username": {"type": "string"}, "password": {"type": "string"}},
        "required": ["username", "password"],
    }
    consumer_encrypt_fields = ("password",)
    consumer_key = "username"
    challenge = 'Basic realm="{realm}"'

    def rewrite(self, ctx: Context) -> MaybeVerdict:
        """As every authentication; credentials are hidden for the anonymous consumer as well."""
        verdict = super().rewrite(ctx)
        if verdict is None and self._hide:
            ctx.headers.remove("Authorization")
        return verdict

    def find(self, ctx: Context) -> ConsumerEntry:
        """The consumer of that name, its password checked."""
        header = ctx.headers.get("authorization")
        if header is None:
            raise Refused("Missing authorization in request")
        username, password = credentials(header)
        consumers = self.scope.consumers("basic-auth")
        consumer = consumers.find(username)
        if consumer is None:
            why = "invalid user" if consumers else "Missing related consumer"
            raise Refused("Invalid user authorization", f"failed to find user: {why}")
        if consumer.auth_conf["password"] != password:
            raise Refused("Invalid user authorization")
        return consumer


def credentials(header: str) -> tuple[str, str]:
    """User name and password of an Authorization header; raises Refused."""
    match = _SCHEME.search(header)
    if not match:
        raise Refused("Invalid authorization in request", "Invalid authorization header format")
    decoded = decode_base64(match[1])
    if decoded is None:
        reason = f"Failed to decode authentication header: {match[1]}"
        raise Refused("Invalid authorization in request", reason)
    # basic-auth.lua splits at every colon and takes the first two parts; ngx.re.split leaves out an empty last one
    parts = decoded.decode("utf-8", "surrogateescape").split(":")
    if not parts[-1]:
        parts.pop()
    if len(parts) < 2:
        raise Refused("Invalid authorization in request", "Split authorization err: invalid decoded data")
    return _BLANKS.sub("", parts[0]), _BLANKS.sub("", parts[1])
