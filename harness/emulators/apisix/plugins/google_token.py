"""Access tokens of a Google service account, asked for with a signed JWT (apisix/utils/google-cloud-oauth.lua)."""

from __future__ import annotations

import logging
from typing import Any
from urllib.parse import urlencode

from harness.clock import Clock
from harness.emulators.apisix import lua_json
from harness.emulators.apisix.plugins.base import Conf
from harness.emulators.apisix.plugins.senders import post

log = logging.getLogger("harness.emulators.apisix")
_TOKEN_URI = "https://oauth2.googleapis.com/token"
_ENTRIES_URI = "https://logging.googleapis.com/v2/entries:write"
_SCOPE = "https://www.googleapis.com/auth/cloud-platform"
_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_WITHIN = 60.0
#: a token is not used in its last seconds
_EARLY = 60


class Account:
    """A service account and its token."""

    def __init__(self, told: Conf, clock: Clock, verify: bool) -> None:
        self._told = told
        self._clock = clock
        self._verify = verify
        self.project: Any = told.get("project_id")
        self.entries: str = told.get("entries_uri") or _ENTRIES_URI
        scope = told.get("scopes") or told.get("scope") or _SCOPE
        self._scope = scope if isinstance(scope, str) else " ".join(scope)
        self._token: str | None = None
        self._until = 0.0

    async def token(self) -> str | None:
        """The Authorization header's value; None (logged) when there is none to be had."""
        if self._token is None or self._clock.time() > self._until - _EARLY:
            await self._refresh()
        return self._token

    async def _refresh(self) -> None:
        uri = self._told.get("token_uri") or _TOKEN_URI
        fields = [("Content-Type", "application/x-www-form-urlencoded")]
        try:
            body = urlencode({"grant_type": _GRANT, "assertion": self._assertion(uri)}).encode()
            answer = await post(uri, fields, body, _WITHIN, ssl_verify=self._verify)
            if answer.status != 200:
                raise ValueError(answer.body.decode("utf-8", "replace"))
            told = lua_json.decode(answer.body)
            self._until = self._clock.time() + told["expires_in"]
            self._token = f"{told.get('token_type') or 'Bearer'} {told['access_token']}"
        except (OSError, TimeoutError, ValueError, KeyError, TypeError) as error:
            log.error("failed to refresh google oauth access token, %s", error)

    def _assertion(self, audience: str) -> str:
        import jwt

        now = int(self._clock.time())
        claims = {
            "iss": self._told.get("client_email"),
            "aud": audience,
            "scope": self._scope,
            "iat": now,
            "exp": now + 3600,
        }
        try:
            return jwt.encode(claims, self._told["private_key"], algorithm="RS256")
        except jwt.PyJWTError as error:
            raise ValueError(str(error)) from error
