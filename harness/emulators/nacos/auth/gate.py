"""The gate every secured call passes: who is it, and may they."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from harness.emulators.nacos import names
from harness.emulators.nacos.auth.accounts import Accounts, denied
from harness.emulators.nacos.auth.tokens import Tokens
from harness.emulators.nacos.errors import NacosError
from harness.emulators.nacos.version import EVERYTHING, Version

USER_NOT_FOUND = "User not found! Please check user exist or password is right!"
USER_NOT_FOUND_2 = "user not found!"


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

    def text(self, public: str = names.PUBLIC) -> str:
        """`namespace:group:type/name`, the form permissions are matched against; `public` is the blank namespace's."""
        namespace = "" if self.namespace == names.PUBLIC else self.namespace
        return f"{namespace or public}:{self.group or '*'}:{self.type}/{self.name or '*'}"


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
    version: Version = EVERYTHING

    def identify(self, credentials: Credentials) -> str:
        """The user; raises NacosError (403) saying why not."""
        if credentials.token:
            return self.tokens.user_of(credentials.token)  # of a deleted user too: it may do nothing any more
        if self.accounts.password_fits(credentials.username, credentials.password):
            return credentials.username
        raise denied(USER_NOT_FOUND_2 if self.version.is_2 else USER_NOT_FOUND)

    def check(self, credentials: Credentials, action: str, resource: Resource) -> str:
        """The user who may do this, "" where nobody is asked; raises NacosError (403)."""
        if not self.enabled or self._is_server(credentials):
            return ""
        try:
            user = self.identify(credentials)
        except NacosError as error:
            raise self._denied(401, error.detail) from error
        if not self._may(user, action, resource):
            raise self._denied(403, "authorization failed!")
        return user

    def _denied(self, code: int, why: str) -> NacosError:
        return denied(why if self.version.is_2 else f"Code: {code}, Message: {why}.")

    def _may(self, user: str, action: str, resource: Resource) -> bool:
        if resource.type == "own":
            return True
        if resource.type == "console":
            return self.accounts.is_admin(user)
        return self.accounts.allows(user, action, resource.text(self.version.public_tenant), self.version.public_tenant)

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
