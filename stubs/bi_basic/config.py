"""bi-basic's configuration, data ID `bi-basic.yaml`."""

from __future__ import annotations

from typing import Literal, Self

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from stubs.common.config import ServiceConfig

STRICT = ConfigDict(extra="forbid", frozen=True)
Algorithm = Literal["HS256", "RS256"]


class Jwt(BaseModel):
    """How tokens are signed. `key` is the claim by which APISIX's jwt-auth finds the consumer."""

    model_config = STRICT

    algorithm: Algorithm = "HS256"
    key: str = Field(default="bi-user", min_length=1)
    secret: SecretStr = Field(default=SecretStr("bi-basic-development-secret-0123456789"), min_length=32)
    private_key: SecretStr | None = None
    issuer: str = "bi-basic"
    ttl_seconds: int = Field(default=3600, ge=1)
    max_ttl_seconds: int = Field(default=86_400, ge=1)

    @field_validator("private_key")
    @classmethod
    def _is_rsa_key(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            try:
                key = load_pem_private_key(value.get_secret_value().encode(), None)
            except (ValueError, TypeError):
                raise ValueError("not a private key in PEM without a pass phrase") from None
            if not isinstance(key, RSAPrivateKey):
                raise ValueError("not an RSA key")
        return value

    @model_validator(mode="after")
    def _can_sign(self) -> Self:
        if self.algorithm == "RS256" and self.private_key is None:
            raise ValueError("algorithm RS256 needs private_key")
        return self


class Tenant(BaseModel):
    """A customer of the platform."""

    model_config = STRICT

    id: str = Field(min_length=1)
    name: str
    plan: str = "standard"


class User(BaseModel):
    """Someone who may log in; `key` overrides `jwt.key` for this user's tokens."""

    model_config = STRICT

    id: str = Field(min_length=1)
    username: str = Field(min_length=1)
    password: SecretStr
    tenant: str
    roles: tuple[str, ...] = ()
    email: str = ""
    key: str = ""


def _tenants() -> tuple[Tenant, ...]:
    return (Tenant(id="acme", name="Acme Trading", plan="enterprise"), Tenant(id="globex", name="Globex Retail"))


def _users() -> tuple[User, ...]:
    return (
        User(
            id="u-1001",
            username="alice",
            password=SecretStr("alice-password"),
            tenant="acme",
            roles=("admin", "analyst"),
            email="alice@acme.example",
        ),
        User(
            id="u-1002",
            username="bob",
            password=SecretStr("bob-password"),
            tenant="globex",
            roles=("analyst",),
            email="bob@globex.example",
        ),
    )


class BasicConfig(ServiceConfig):
    """The whole of it; every key has a default made for development."""

    jwt: Jwt = Jwt()
    tenants: tuple[Tenant, ...] = Field(default_factory=_tenants)
    users: tuple[User, ...] = Field(default_factory=_users)

    @model_validator(mode="after")
    def _users_have_tenants(self) -> Self:
        known = {tenant.id for tenant in self.tenants}
        for user in self.users:
            if user.tenant not in known:
                raise ValueError(f"user {user.id!r} names the unknown tenant {user.tenant!r}")
        return self
