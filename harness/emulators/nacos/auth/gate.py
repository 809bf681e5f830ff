"""The gate every secured call passes: who is it, and may they."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from harness.emulators.nacos import names
from harness.emulators.nacos.auth.accounts import Accounts, denied
from harness.emulators.nacos.auth.tokens import TokenError, Tokens
from harness.emulators.nacos.errors import NacosError

USER_NOT_FOUND = "User not found! Please check user exist or password is right!"


class Credentials(NamedTuple):
    """What a request brought along; blanks for what it did not."""

    token: str = ""
    username: str = ""
    password: str = ""
    identity: str = ""


class Resource(NamedTuple):
    """What a call touches: `type` is naming, config or console."""

    namespace: str
    group: str
    type: str
    name: str

    def text(self) -> str:
        """`namespace:group:type/name`, the form permissions are matched against."""
        return f"{self.namespace or names.PUBLIC}:{self.group or '*'}:{self.type}/{self.name or '*'}"


@dataclass(slots=True)
class Gate:
    """Decides on secured calls. With `enabled` false everyone may do everything.

    `identity_key` and `identity_value` name the header that servers know each other by; blank turns it off.
    The user-agent `Nacos-Server` opens nothing.
    """

    accounts: Accounts
    tokens: Tokens
    enabled: bool = False
    identity_key: str = ""
    identity_value: str = field(default="", repr=False)

    def identify(self, credentials: Credentials) -> str:
        """The user; raises NacosError (403) saying why not."""
        if credentials.token:
            user = self.tokens.user_of(credentials.token)
            if user not in self.accounts.state.users:
                raise TokenError(USER_NOT_FOUND)
            return user
        if self.accounts.password_fits(credentials.username, credentials.password):
            return credentials.username
        raise denied(USER_NOT_FOUND)

    def check(self, credentials: Credentials, action: str, resource: Resource) -> str:
        """The user who may do this, "" where nobody is asked; raises NacosError (403)."""
        if not self.enabled or self._is_server(credentials):
            return ""
        try:
            user = self.identify(credentials)
        except NacosError as error:
            raise denied(f"Code: 401, Message: {error.detail}.") from error
        if not self._may(user, action, resource):
            raise denied("Code: 403, Message: authorization failed!.")
        return user

    def _may(self, user: str, action: str, resource: Resource) -> bool:
        if resource.type == "console":
            return self.accounts.is_admin(user) or resource.name == f"user/password:{user}"
        return self.accounts.allows(user, action, resource.text())

    def _is_server(self, credentials: Credentials) -> bool:
        return bool(self.identity_key and self.identity_value) and credentials.identity == self.identity_value

    def login(self, credentials: Credentials) -> dict[str, object]:
        """The answer to a login; raises NacosError (403)."""
        user = self.identify(credentials)
        return {
            "accessToken": self.tokens.make(user),
            "tokenTtl": self.tokens.ttl,
            "globalAdmin": self.accounts.is_admin(user),
            "username": user,
        }
