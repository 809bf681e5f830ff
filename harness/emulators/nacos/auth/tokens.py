"""Access tokens: JSON web tokens exactly as the server makes them (`NacosJwtParser`)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import os
from typing import Any

from harness.clock import Clock
from harness.emulators.nacos.errors import NacosError

DEFAULT_TTL = 18_000
#: How the secret begins that old servers shipped with, and that opens them to anyone.
WELL_KNOWN = "SecretKey0123456789"


class TokenError(NacosError):
    """A token that does not open anything."""

    def __init__(self, message: str) -> None:
        super().__init__(403, message, 10001)


class Tokens:
    """Signs and reads tokens. Without `secret` (base64 of 32 bytes or more) a random one is made at each start:
    the well-known default secret of old servers opens nothing here."""

    def __init__(self, clock: Clock, *, secret: str = "", ttl: int = DEFAULT_TTL) -> None:
        self._clock = clock
        self._key = _secret_bytes(secret) if secret else os.urandom(32)
        self._name, self._hash = _algorithm(self._key)
        self.ttl = ttl

    def make(self, user: str) -> str:
        """A token for the user, good for `ttl` seconds."""
        head = _encode({"alg": self._name})
        body = _encode({"sub": user, "exp": int(self._clock.time()) + self.ttl})
        return f"{head}.{body}.{self._sign(f'{head}.{body}')}"

    def user_of(self, token: str) -> str:
        """Whose token this is; raises TokenError with the server's words."""
        parts = token.rstrip(".").split(".")  # Java's split drops what is empty at the end
        if len(parts) != 3:
            raise TokenError("token invalid!")
        head, body, signature = parts
        if _algorithm_of(head) != self._name:
            raise TokenError("unsupported signature algorithm")
        if not hmac.compare_digest(self._sign(f"{head}.{body}").encode(), signature.encode()):
            raise TokenError("Invalid signature")
        claims = _decode(body)
        if int(claims.get("exp", 0)) <= self._clock.time():
            raise TokenError("token expired!")
        return str(claims.get("sub", ""))

    def _sign(self, text: str) -> str:
        return _base64(hmac.new(self._key, text.encode(), self._hash).digest())


def _secret_bytes(secret: str) -> bytes:
    if secret.startswith(WELL_KNOWN):
        raise ValueError("the token secret is the well-known default of old servers: make your own")
    try:
        key = base64.b64decode(secret, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError("the token secret must be base64") from error
    if len(key) < 32:
        raise ValueError("the token secret must be base64 of 32 bytes or more")
    return key


def _algorithm(key: bytes) -> tuple[str, Any]:
    if len(key) < 48:
        return "HS256", hashlib.sha256
    return ("HS384", hashlib.sha384) if len(key) < 64 else ("HS512", hashlib.sha512)


def _algorithm_of(head: str) -> str:
    """What a token says of its signature, blank where it says nothing that can be read."""
    try:
        return str(_decode(head).get("alg"))
    except TokenError:
        return ""


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _encode(value: dict[str, Any]) -> str:
    return _base64(json.dumps(value, separators=(",", ":")).encode())


def _decode(part: str) -> dict[str, Any]:
    try:
        value = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (ValueError, UnicodeDecodeError):
        raise TokenError("token invalid!") from None
    if not isinstance(value, dict):
        raise TokenError("token invalid!")
    return value
