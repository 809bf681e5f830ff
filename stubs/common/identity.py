"""Who sends a request: its id and its tenant, from headers or the token's claims."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass
from uuid import uuid4


@dataclass(frozen=True, slots=True)
class Caller:
    """What a service's code may know about the request at hand; header names in lower case, values in order."""

    request_id: str
    tenant: str
    headers: tuple[tuple[str, str], ...]

    def header(self, name: str) -> str:
        """The first value of a header, "" when absent."""
        return next((value for key, value in self.headers if key == name), "")


def new_request_id() -> str:
    """For requests that came without X-Request-Id."""
    return uuid4().hex


def tenant_of(tenant_header: str, authorization: str) -> str:
    """X-Tenant-Id, else the `tenant` claim of a bearer token (not verified: it only marks the log line)."""
    if tenant_header or not authorization:
        return tenant_header
    return str(claims_of(authorization.removeprefix("Bearer ").removeprefix("bearer ")).get("tenant", ""))


def claims_of(token: str) -> Mapping[str, object]:
    """The payload of a JWT without any check, {} when it is none."""
    parts = token.split(".")
    if len(parts) != 3:
        return {}
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (binascii.Error, ValueError):
        return {}
    return claims if isinstance(claims, dict) else {}
