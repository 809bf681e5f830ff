"""jwe-decrypt: decrypts a JWE token in a header and sends its plain text on."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar

from harness.emulators.apisix import lua_json
from harness.emulators.apisix.context import Context, Exit
from harness.emulators.apisix.plugins.auth import decode_base64url
from harness.emulators.apisix.plugins.base import Plugin, Schema

_PARTS = re.compile(r"(.*?)\.(.*?)\.(.*?)\.(.*?)\.(.*)", re.DOTALL)
_KEY_SIZE = 32  # bytes: A256GCM


class JweDecrypt(Plugin):
    """The token's `kid` names the consumer whose secret decrypts it (AES-256-GCM, direct)."""

    name = "jwe-decrypt"
    priority = 2509
    type = "auth"
    schema: ClassVar[Schema] = {
        "type": "object",
        "properties": {
            "header": {"type": "string", "default": "Authorization"},
            "forward_header": {"type": "string", "default": "Authorization"},
            "strict": {"type": "boolean", "default": True},
        },
        "required": ["header", "forward_header"],
    }
    consumer_schema: ClassVar[Schema] = {
        "type": "object",
        "properties": {
            "key": {"type": "string"},
            "secret": {"type": "string"},
            "is_base64_encoded": {"type": "boolean"},
        },
        "required": ["key", "secret"],
    }
    consumer_encrypt_fields = ("key", "secret")
    consumer_key = "key"

    def rewrite(self, ctx: Context) -> Exit | None:
        """Decrypt the token, or refuse the request."""
        header = ctx.headers.get(self.conf["header"].lower())
        if header is None:
            return Exit(403, {"message": "missing JWE token in request"}) if self.conf["strict"] else None
        token = header[7:] if header.startswith(("Bearer ", "bearer ")) else header
        try:
            plain = self._decrypt(token)
        except ValueError as error:
            return Exit(400, {"message": str(error)})
        ctx.headers.set(self.conf["forward_header"], plain.decode("latin-1"))
        return None

    def _decrypt(self, token: str) -> bytes:
        match = _PARTS.fullmatch(token)
        protected = _header(match[1]) if match else None
        if match is None or protected is None:
            raise ValueError("JWE token invalid")
        if protected.get("kid") is None:
            raise ValueError("missing kid in JWE token")
        consumer = self.scope.consumers("jwe-decrypt").find(protected["kid"])
        if consumer is None:
            raise ValueError("invalid kid in JWE token")
        plain = _open(_secret(consumer.auth_conf), *(decode_base64url(match[part]) for part in (3, 4, 5)))
        if plain is None:
            raise ValueError("failed to decrypt JWE token")
        return plain


def _header(part: str) -> Mapping[str, Any] | None:
    data = decode_base64url(part)
    try:
        found = None if data is None else lua_json.decode(data)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _secret(auth: Mapping[str, Any]) -> bytes | None:
    secret = str(auth["secret"])
    return decode_base64url(secret) if auth.get("is_base64_encoded") else secret.encode()


def _open(key: bytes | None, nonce: bytes | None, text: bytes | None, tag: bytes | None) -> bytes | None:
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    if key is None or len(key) != _KEY_SIZE or nonce is None or text is None or tag is None:
        return None
    try:
        return AESGCM(key).decrypt(nonce, text + tag, None)
    except (InvalidTag, ValueError):
        return None
