"""Users, roles and permissions: the accounts of the server and the rule that decides."""

from __future__ import annotations

import hashlib
import hmac
import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import lru_cache

from harness.emulators.nacos.errors import NacosError, invalid

ADMIN_ROLE = "ROLE_ADMIN"


@dataclass(frozen=True, slots=True)
class Permission:
    """A role may do `action` (`r`, `w` or `rw`) on `resource` (`namespace:group:type/name`, `*` as wild-card)."""

    role: str
    resource: str
    action: str


@dataclass(slots=True)
class AccountState:
    """Everything a snapshot keeps: user → salted hash, (role, user) pairs, permissions."""

    users: dict[str, str] = field(default_factory=dict)
    roles: list[tuple[str, str]] = field(default_factory=list)
    permissions: list[Permission] = field(default_factory=list)

    def copy(self) -> AccountState:
        """An independent copy."""
        return replace(self, users=dict(self.users), roles=list(self.roles), permissions=list(self.permissions))


class Accounts:
    """The accounts, with the server's own words for what it refuses. `written` is called after every change."""

    def __init__(self) -> None:
        self.state = AccountState()
        self.written: Callable[[], None] = lambda: None

    # -- users -------------------------------------------------------------------------------------------------------

    def create_user(self, user: str, password: str, *, admin: bool = False) -> None:
        """Create a user; raises NacosError (400) if there is one."""
        if user in self.state.users:
            raise invalid(f"user '{user}' already exist!")
        self.state.users[user] = hash_password(password)
        if admin:
            self.state.roles.append((ADMIN_ROLE, user))
        self.written()

    def ensure_admin(self, user: str, stored: str) -> None:
        """Let this user, with this hash of a password, be an administrator."""
        self.state.users[user] = stored
        if not self.is_admin(user):
            self.state.roles.append((ADMIN_ROLE, user))

    def update_user(self, user: str, password: str) -> None:
        """Change a password; raises NacosError (400) for an unknown user."""
        self._known(user, f"user {user} not exist!")
        self.state.users[user] = hash_password(password)
        self.written()

    def delete_user(self, user: str) -> None:
        """Delete a user; raises NacosError (400) for an administrator."""
        if self.is_admin(user):
            raise invalid(f"cannot delete admin: {user}")
        self.state.users.pop(user, None)
        self.state.roles = [pair for pair in self.state.roles if pair[1] != user]
        self.written()

    def password_fits(self, user: str, password: str) -> bool:
        """Whether this is the user's password."""
        stored = self.state.users.get(user)
        return stored is not None and verify_password(password, stored)

    def _known(self, user: str, otherwise: str) -> None:
        if user not in self.state.users:
            raise invalid(otherwise)

    # -- roles -------------------------------------------------------------------------------------------------------

    def is_admin(self, user: str) -> bool:
        """Whether the user is a global administrator."""
        return (ADMIN_ROLE, user) in self.state.roles

    def has_admin(self) -> bool:
        """Whether any user is a global administrator."""
        return any(role == ADMIN_ROLE for role, _ in self.state.roles)

    def add_role(self, role: str, user: str) -> None:
        """Give a role to a user; raises NacosError (400)."""
        self._known(user, f"user '{user}' not found!")
        if role == ADMIN_ROLE:
            raise invalid(f"role '{ADMIN_ROLE}' is not permitted to create!")
        if (role, user) in self.state.roles:
            raise invalid(f"user '{user}' already bound to the role '{role}'!")
        self.state.roles.append((role, user))
        self.written()

    def delete_role(self, role: str, user: str | None) -> None:
        """Take a role from one user, or with None delete it altogether; raises NacosError (400)."""
        if role == ADMIN_ROLE:
            raise invalid(f"role '{ADMIN_ROLE}' is not permitted to delete!")
        self.state.roles = [pair for pair in self.state.roles if pair[0] != role or user not in {None, pair[1]}]
        self.written()

    # -- permissions -------------------------------------------------------------------------------------------------

    def add_permission(self, permission: Permission) -> None:
        """Grant, whatever the action says; raises NacosError (400) for an unknown role."""
        if not any(role == permission.role for role, _ in self.state.roles):
            raise invalid(f"role {permission.role} not found!")
        if permission not in self.state.permissions:
            self.state.permissions.append(permission)
        self.written()

    def delete_permission(self, permission: Permission) -> None:
        """Revoke, known or not."""
        self.state.permissions = [one for one in self.state.permissions if one != permission]
        self.written()

    def allows(self, user: str, action: str, resource: str, public: str = "public") -> bool:
        """Whether one of the user's roles may do `action` (`r` or `w`) on `namespace:group:type/name`.

        A permission's blank namespace is `public`, which 2.x keeps blank.
        """
        if self.is_admin(user):
            return True
        roles = {role for role, owner in self.state.roles if owner == user}
        return any(
            one.role in roles
            and action in one.action
            and _pattern(one.resource, public).fullmatch(resource) is not None
            for one in self.state.permissions
        )


@lru_cache(maxsize=1024)
def _pattern(resource: str, public: str) -> re.Pattern[str]:
    text = f"{public}{resource}" if resource.startswith(":") else resource
    return re.compile(".*".join(re.escape(part) for part in text.split("*")))


def hash_password(password: str) -> str:
    """A salted hash. One round: SDKs that send the password with each request would feel a slow one."""
    salt = os.urandom(8).hex()
    return f"{salt}${_hashed(salt, password)}"


def verify_password(password: str, stored: str) -> bool:
    """Whether the hash is this password's."""
    salt, _, expected = stored.partition("$")
    return hmac.compare_digest(_hashed(salt, password), expected)


def _hashed(salt: str, password: str) -> str:
    return hashlib.sha256(f"{salt}{password}".encode("utf-8", "surrogatepass")).hexdigest()


def denied(message: str) -> NacosError:
    """A refusal of the auth filter."""
    return NacosError(403, message, 10001)
