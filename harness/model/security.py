"""Who may call and what is kept out: consumers with their credentials, rate limits, the WAF's rules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class RateLimit:
    """At most `count` requests in `window` seconds, counted by consumer, ip, service or an APISIX variable."""

    count: int
    window: int
    by: str
    status: int
    message: str


@dataclass(frozen=True, slots=True)
class Jwt:
    """A consumer's token: `key` is the claim that names it; HS* has a `secret`, the others a pair of PEM keys."""

    key: str
    algorithm: str
    secret: str = field(repr=False)
    public_key: str = field(repr=False)
    private_key: str = field(repr=False)

    @property
    def symmetric(self) -> bool:
        """Whether one secret both signs and verifies."""
        return self.algorithm.startswith("HS")

    @property
    def signing_key(self) -> str:
        """What a token is signed with, "" where only the public key is known."""
        return self.secret if self.symmetric else self.private_key


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A consumer's API key."""

    key: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Consumer:
    """Somebody who calls through the gateway; `plugins` are APISIX's own, by name."""

    name: str
    description: str
    jwt: Jwt | None
    api_key: ApiKey | None
    rate_limit: RateLimit | None
    labels: Mapping[str, str]
    plugins: Mapping[str, Mapping[str, Any]] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Waf:
    """What is refused before a service sees it; patterns are regular expressions (PCRE), IPs may be CIDR ranges."""

    blocked_uris: tuple[str, ...]
    ignore_case: bool
    blocked_user_agents: tuple[str, ...]
    allowed_user_agents: tuple[str, ...]
    blocked_ips: tuple[str, ...]
    allowed_ips: tuple[str, ...]
    status: int
    message: str


@dataclass(frozen=True, slots=True)
class Security:
    """All of it; `secrets` are the named ones, `secret_values` every text that must not be shown."""

    consumers: Mapping[str, Consumer]
    waf: Waf | None
    secrets: Mapping[str, str] = field(repr=False)
    secret_values: tuple[str, ...] = field(repr=False)

    @property
    def jwt(self) -> Mapping[str, Jwt]:
        """Consumer → its token, for those that have one."""
        return {name: consumer.jwt for name, consumer in self.consumers.items() if consumer.jwt}

    @property
    def api_keys(self) -> Mapping[str, ApiKey]:
        """Consumer → its API key, for those that have one."""
        return {name: consumer.api_key for name, consumer in self.consumers.items() if consumer.api_key}
