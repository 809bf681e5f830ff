"""Operations on users, roles and permissions that v1 and v3 share; both answer in an envelope."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from harness.emulators.nacos.auth.accounts import ADMIN_ROLE, Permission
from harness.emulators.nacos.errors import Filtered, NacosError
from harness.emulators.nacos.http.message import Request
from harness.emulators.nacos.http.routes import Call
from harness.emulators.nacos.http.services import page_object


def create_user(call: Call) -> str:
    """A new user."""
    request = call.request
    call.domain.accounts.create_user(request.present("username"), request.present("password"))
    return "create user ok!"


def update_user(call: Call) -> str:
    """A new password: one's own, in 2.x as an administrator anybody's; raises Filtered (403)."""
    user, password = call.request.present("username"), call.request.present("newPassword")
    is_free = not call.domain.gate.enabled or (call.domain.version.is_2 and call.domain.accounts.is_admin(call.user))
    if not is_free and call.user != user:
        raise Filtered(403, "authorization failed!")
    call.domain.accounts.update_user(user, password)
    return "update user ok!"


def delete_user(call: Call) -> str:
    """Delete a user, but no administrator."""
    call.domain.accounts.delete_user(call.request.present("username"))
    return "delete user ok!"


def create_admin(call: Call) -> dict[str, str]:
    """Create the administrator `nacos`, once; raises NacosError (409)."""
    if call.domain.accounts.has_admin():
        raise NacosError(409, "have admin user cannot use it", 409)
    password = call.request.get("password") or secrets.token_urlsafe(12)
    call.domain.accounts.create_user("nacos", password, admin=True)
    return {"username": "nacos", "password": password}


def users_page(call: Call) -> dict[str, Any]:
    """A page of users with the hashes of their passwords."""
    fits = _filter(call.request, "username")
    users = call.domain.accounts.state.users
    return page_object(
        [{"username": name, "password": stored} for name, stored in users.items() if fits(name)], call.request
    )


def user_names(call: Call) -> list[str]:
    """Names that contain what was typed."""
    part = call.request.present("username")
    return [name for name in call.domain.accounts.state.users if part in name]


# -- roles -------------------------------------------------------------------------------------------------------------


def add_role(call: Call) -> str:
    """Give a role."""
    call.domain.accounts.add_role(call.request.present("role"), call.request.present("username"))
    return "add role ok!"


def delete_role(call: Call) -> str:
    """Take a role from a user, or delete it."""
    role, user = call.request.present("role"), call.request.get("username")
    call.domain.accounts.delete_role(role, user or None)
    return f"delete role of user {user} ok!"


def roles_page(call: Call) -> dict[str, Any]:
    """A page of (role, user) pairs."""
    role, user = _filter(call.request, "role"), _filter(call.request, "username")
    pairs = [pair for pair in call.domain.accounts.state.roles if role(pair[0]) and user(pair[1])]
    return page_object([{"role": pair[0], "username": pair[1]} for pair in pairs], call.request)


def role_names(call: Call) -> list[str]:
    """Roles that contain what was typed."""
    part = call.request.present("role")
    return sorted({role for role, _ in call.domain.accounts.state.roles if part in role and role != ADMIN_ROLE})


# -- permissions -------------------------------------------------------------------------------------------------------


def _permission(call: Call) -> Permission:
    request = call.request
    return Permission(request.present("role"), request.present("resource"), request.present("action"))


def add_permission(call: Call) -> str:
    """Grant."""
    call.domain.accounts.add_permission(_permission(call))
    return "add permission ok!"


def delete_permission(call: Call) -> str:
    """Revoke."""
    call.domain.accounts.delete_permission(_permission(call))
    return "delete permission ok!"


def permissions_page(call: Call) -> dict[str, Any]:
    """A page of permissions."""
    fits = _filter(call.request, "role")
    held = call.domain.accounts.state.permissions
    lines = [{"role": one.role, "resource": one.resource, "action": one.action} for one in held if fits(one.role)]
    return page_object(lines, call.request)


def has_permission(call: Call) -> bool:
    """Whether a role has this permission already, alone or with the other action."""
    wanted, held = _permission(call), call.domain.accounts.state.permissions
    return wanted in held or replace(wanted, action="rw") in held


def _filter(request: Request, name: str) -> Callable[[str], bool]:
    wanted = request.get(name)
    if not wanted:
        return lambda value: True
    if request.get("search") == "blur":
        return lambda value: wanted.strip("*") in value
    return lambda value: value == wanted
