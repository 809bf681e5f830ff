"""`/v3/auth`: login, users, roles, permissions in the envelope."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from harness.emulators.nacos.http import account_calls as calls
from harness.emulators.nacos.http.routes import Call, Family, Route, console_resource
from harness.emulators.nacos.http.wrap import data_route, enveloped
from harness.emulators.nacos.http_v1.auth import login_answer


def _route(method: str, path: str, act: Callable[[Call], Any]) -> Route:
    return data_route(method, f"/v3/auth/{path}", act, console_resource)


ROUTES = (
    Route("POST", "/v3/auth/user/login", login_answer, Family.RESULT),
    Route("POST", "/v3/auth/user/admin", enveloped(calls.create_admin), Family.RESULT),
    data_route("PUT", "/v3/auth/user", calls.update_user, calls.password_resource),
    _route("POST", "user", calls.create_user),
    _route("DELETE", "user", calls.delete_user),
    _route("GET", "user/list", calls.users_page),
    _route("GET", "user/search", calls.user_names),
    _route("POST", "role", calls.add_role),
    _route("DELETE", "role", calls.delete_role),
    _route("GET", "role/list", calls.roles_page),
    _route("GET", "role/search", calls.role_names),
    _route("POST", "permission", calls.add_permission),
    _route("DELETE", "permission", calls.delete_permission),
    _route("GET", "permission/list", calls.permissions_page),
    _route("GET", "permission", calls.has_permission),
)
