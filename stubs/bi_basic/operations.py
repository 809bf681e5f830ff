"""What bi-basic does, whichever way it is asked."""

from __future__ import annotations

import hmac
from typing import Any, Literal
from uuid import uuid4

import jwt
from pydantic import BaseModel, ConfigDict, Field

from stubs.bi_basic.config import BasicConfig, User
from stubs.common.errors import ApiError, not_found
from stubs.common.identity import Caller
from stubs.common.replica import Replica

#: What gateways add to tell a service who is calling; X-Forwarded-* come besides.
IDENTITY_HEADERS = (
    "x-consumer-username",
    "x-credential-identifier",
    "x-consumer-custom-id",
    "x-request-id",
    "x-real-ip",
)
FORWARDED = "x-forwarded-"


class Login(BaseModel):
    """The body of a login; `ttl_seconds` below 1 asks for a token that has already expired (for tests)."""

    model_config = ConfigDict(extra="forbid")

    username: str = Field(min_length=1)
    password: str = Field(min_length=1)
    alg: Literal["HS256", "RS256", ""] = ""
    ttl_seconds: int | None = Field(default=None, ge=-86_400)


class UserFilter(BaseModel):
    """Which users are listed."""

    model_config = ConfigDict(extra="forbid")

    tenant: str = ""


class Basic:
    """The operations, following the configuration in force."""

    def __init__(self, replica: Replica) -> None:
        self._replica = replica

    @property
    def _config(self) -> BasicConfig:
        config: BasicConfig = self._replica.config.current
        return config

    def login(self, login: Login) -> dict[str, Any]:
        """A token for the user; 401 for a wrong name or password, 422 for an algorithm or lifetime not offered."""
        user = next((user for user in self._config.users if user.username == login.username), None)
        password = user.password.get_secret_value() if user else ""
        if not hmac.compare_digest(password.encode(), login.password.encode()) or user is None:
            raise ApiError(401, "bad_credentials", "unknown user or wrong password")
        alg = login.alg or self._config.jwt.algorithm
        ttl = self._ttl(login)
        return {
            "token": self._sign(user, alg, ttl),
            "token_type": "Bearer",
            "expires_in": ttl,
            "alg": alg,
            "user_id": user.id,
            "tenant": user.tenant,
        }

    def _ttl(self, login: Login) -> int:
        config = self._config.jwt
        ttl = config.ttl_seconds if login.ttl_seconds is None else login.ttl_seconds
        if ttl > config.max_ttl_seconds:
            message = f"at most {config.max_ttl_seconds} seconds"
            raise ApiError(422, "invalid", "1 invalid field(s)", [{"field": "ttl_seconds", "message": message}])
        return ttl

    def _sign(self, user: User, alg: str, ttl: int) -> str:
        config = self._config.jwt
        key = config.secret if alg == "HS256" else config.private_key
        if key is None:
            message = "no private_key is configured for RS256"
            raise ApiError(422, "invalid", "1 invalid field(s)", [{"field": "alg", "message": message}])
        now = int(self._replica.clock())
        claims = {
            "iss": config.issuer,
            "sub": user.id,
            "key": user.key or config.key,
            "tenant": user.tenant,
            "roles": list(user.roles),
            "iat": min(now, now + ttl),
            "exp": now + ttl,
            "jti": uuid4().hex,
        }
        return jwt.encode(claims, key.get_secret_value(), algorithm=alg)

    def user(self, user_id: str) -> dict[str, Any]:
        """One user; 404 when unknown."""
        for user in self._config.users:
            if user.id == user_id:
                return _shown(user)
        raise not_found("user", user_id)

    def users(self, wanted: UserFilter) -> dict[str, Any]:
        """The users, of one tenant when asked so."""
        found = [_shown(user) for user in self._config.users if wanted.tenant in ("", user.tenant)]
        return {"users": found, "total": len(found)}

    def tenant(self, tenant_id: str) -> dict[str, Any]:
        """One tenant; 404 when unknown."""
        for tenant in self._config.tenants:
            if tenant.id == tenant_id:
                return tenant.model_dump()
        raise not_found("tenant", tenant_id)

    def tenants(self) -> dict[str, Any]:
        """All tenants."""
        found = [tenant.model_dump() for tenant in self._config.tenants]
        return {"tenants": found, "total": len(found)}

    def whoami(self, caller: Caller) -> dict[str, Any]:
        """The identity headers that reached this service, names in lower case."""
        identity = {
            name: value for name, value in caller.headers if name in IDENTITY_HEADERS or name.startswith(FORWARDED)
        }
        settings = self._replica.settings
        return {
            "identity": identity,
            "request_id": caller.request_id,
            "tenant": caller.tenant,
            "service": settings.service,
            "replica": settings.replica_id,
        }


def _shown(user: User) -> dict[str, Any]:
    return user.model_dump(exclude={"password", "key"}, mode="json")
