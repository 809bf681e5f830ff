"""The session that openid-connect keeps in the browser: a cookie sealed with the configured secret."""

from __future__ import annotations

import json
import os
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from harness.emulators.apisix.plugins.auth import decode_base64url

_ABSOLUTE, _IDLING = 86400, 900  # seconds, lua-resty-session's defaults
_TOUCH = 60
_NONCE = 12  # bytes


class Sessions:
    """Reads and writes the cookie; what can't be unsealed, or is too old, is no session."""

    def __init__(self, conf: Mapping[str, Any]) -> None:
        self.name: str = conf.get("cookie_name") or "session"
        secrets = (conf["secret"], *conf.get("secret_fallbacks", ()))
        self._key, *self._older = [sha256(str(secret).encode()).digest() for secret in secrets]
        lifetime = (conf.get("cookie") or {}).get("lifetime")
        self._absolute = conf.get("absolute_timeout") or lifetime or _ABSOLUTE
        self._idling = conf.get("idling_timeout") or _IDLING
        same_site = conf.get("cookie_same_site") or "Lax"
        self._attributes = [f"Path={conf.get('cookie_path') or '/'}"]
        if conf.get("cookie_domain"):
            self._attributes.append(f"Domain={conf['cookie_domain']}")
        if same_site != "Default":
            self._attributes.append(f"SameSite={same_site}")
        if conf.get("cookie_secure"):
            self._attributes.append("Secure")
        if conf.get("cookie_http_only", True):
            self._attributes.append("HttpOnly")

    def read(self, value: str | None, now: float) -> dict[str, Any] | None:
        """The session in a cookie's value."""
        sealed = decode_base64url(value) if value else None
        if not sealed or len(sealed) <= _NONCE:
            return None
        opened = (self._unsealed(key, sealed) for key in (self._key, *self._older))
        held = next((one for one in opened if one is not None), None)
        if held is None:
            return None
        fresh = now - held["created"] <= self._absolute and now - held["touched"] <= self._idling
        return held if fresh else None

    def _unsealed(self, key: bytes, sealed: bytes) -> dict[str, Any] | None:
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        try:
            held = json.loads(AESGCM(key).decrypt(sealed[:_NONCE], sealed[_NONCE:], self.name.encode()))
        except (InvalidTag, ValueError):
            return None
        return held if isinstance(held, dict) else None

    def write(self, session: Mapping[str, Any], now: float) -> str:
        """Set-Cookie's value for a session."""
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        text = json.dumps({"created": now, **session, "touched": now}).encode()
        nonce = os.urandom(_NONCE)
        sealed = nonce + AESGCM(self._key).encrypt(nonce, text, self.name.encode())
        return "; ".join([f"{self.name}={urlsafe_b64encode(sealed).decode().rstrip('=')}", *self._attributes])

    def end(self) -> str:
        """Set-Cookie's value that ends a session."""
        return "; ".join([f"{self.name}=", *self._attributes, "Expires=Thu, 01 Jan 1970 00:00:01 GMT"])

    def stale(self, session: Mapping[str, Any], now: float) -> bool:
        """Whether the cookie should be written again, lest it expire while it is used."""
        return bool(now - session["touched"] > _TOUCH)
