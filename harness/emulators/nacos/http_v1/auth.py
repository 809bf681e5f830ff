"""`/v1/auth`: login, users, roles, permissions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from harness.emulators.nacos.errors import NacosError
from harness.emulators.nacos.http import account_calls as calls
from harness.emulators.nacos.http.message import Response, as_json, text
from harness.emulators.nacos.http.router import credentials_of
from harness.emulators.nacos.http.routes import Call, Family, Route, console_resource


def login(call: Call) -> Response:
    """A token for a user and password, or a fresh one for a token that is still good."""
    try:
        return login_answer(call)
    except NacosError as error:
        if error.status != 403:
            raise
        return text(error.detail, error.status)


def login_answer(call: Call) -> Response:
    """The bare login object; raises NacosError (403)."""
    credentials = credentials_of(call.request, "")
    if not credentials.token:
        call.request.need("username")
        call.request.need("password")
    answer = call.domain.gate.login(credentials)
    return as_json(answer, headers=(("Authorization", f"Bearer {answer['accessToken']}"),))


def create_admin(call: Call) -> Response:
    """The first administrator; a second one is refused inside the envelope."""
    try:
        return as_json(calls.create_admin(call))
    except NacosError as error:
        if error.status != 409:
            raise
        return call.rest_result(None, error.detail, 409)


def wrapped(act: Callable[[Call], Any]) -> Callable[[Call], Response]:
    """An operation's answer in the envelope."""
    return lambda call: call.rest_result(act(call))


def bare(act: Callable[[Call], Any]) -> Callable[[Call], Response]:
    """An operation's answer as it is."""
    return lambda call: as_json(act(call))


def _route(method: str, path: str, run: Callable[[Call], Response]) -> Route:
    return Route(method, f"/v1/auth/{path}", run, Family.CONFIG, "r" if method == "GET" else "w", console_resource)


ROUTES = (
    Route("POST", "/v1/auth/login", login, Family.CONFIG),
    Route("POST", "/v1/auth/users/login", login, Family.CONFIG),
    Route("POST", "/v1/auth/users/admin", create_admin, Family.CONFIG),
    Route("PUT", "/v1/auth/users", wrapped(calls.update_user), Family.CONFIG, "w", calls.password_resource),
    _route("POST", "users", wrapped(calls.create_user)),
    _route("DELETE", "users", wrapped(calls.delete_user)),
    _route("GET", "users", bare(calls.users_page)),
    _route("GET", "users/search", bare(calls.user_names)),
    _route("POST", "roles", wrapped(calls.add_role)),
    _route("DELETE", "roles", wrapped(calls.delete_role)),
    _route("GET", "roles", bare(calls.roles_page)),
    _route("GET", "roles/search", bare(calls.role_names)),
    _route("POST", "permissions", wrapped(calls.add_permission)),
    _route("DELETE", "permissions", wrapped(calls.delete_permission)),
    _route("GET", "permissions", bare(calls.permissions_page)),
)
