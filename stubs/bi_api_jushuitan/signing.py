"""The signature of a call-back: HMAC-SHA256 over time stamp and body, in hexadecimal."""

from __future__ import annotations

import hashlib
import hmac


def sign(secret: str, timestamp: str, body: bytes) -> str:
    """The value of X-Signature for `body` sent at `timestamp` (seconds since the epoch, as in X-Timestamp)."""
    return hmac.new(secret.encode(), timestamp.encode() + b"\n" + body, hashlib.sha256).hexdigest()
