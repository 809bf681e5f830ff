"""The gateway as a scenario's client: httpx with the platform's addresses, its consumers' credentials and a memory."""

from __future__ import annotations

import time
from collections import deque
from typing import Any

import httpx
import jwt

from harness.errors import SpecError
from harness.model import Platform


class Gateway(httpx.Client):
    """A client whose base URL is the gateway; what was answered goes to `exchanges`, for the failure's report."""

    def __init__(self, url: str, platform: Platform, exchanges: deque[httpx.Response], **options: Any) -> None:
        self.platform = platform
        super().__init__(base_url=url, timeout=10, trust_env=False, **options)
        self.event_hooks = {"response": [exchanges.append]}

    def key(self, consumer: str) -> dict[str, str]:
        """Headers with a declared consumer's API key. Raises SpecError for an unknown one."""
        return {"apikey": self._declared(consumer, "api_keys").key}

    def bearer(self, consumer: str, *, expires_in: float = 300, **claims: Any) -> dict[str, str]:
        """Headers with a fresh JWT of a declared consumer; `expires_in` seconds, negative for an expired one."""
        return {"Authorization": f"Bearer {self.token(consumer, expires_in=expires_in, **claims)}"}

    def token(self, consumer: str, *, expires_in: float = 300, secret: str | None = None, **claims: Any) -> str:
        """A JWT signed as the consumer's issuer would sign it (or with another `secret`)."""
        declared = self._declared(consumer, "jwt")
        payload = {"key": declared.key, "exp": int(time.time() + expires_in), **claims}
        return jwt.encode(payload, secret or declared.signing_key, algorithm=declared.algorithm)

    def _declared(self, consumer: str, kind: str) -> Any:
        found = getattr(self.platform.security, kind)
        if consumer not in found:
            raise SpecError(f"no consumer {consumer!r} with {kind}", mend=f"declared are: {', '.join(found)}")
        return found[consumer]
