"""`/v1/auth`: login, users, roles, permissions."""

from __future__ import annotations

import html
from collections.abc import Callable, Iterable
from typing import Any

from harness.emulators.nacos.errors import Filtered, NacosError
from harness.emulators.nacos.http import account_calls as calls
from harness.emulators.nacos.http.message import Response, as_json, text
from harness.emulators.nacos.http.router import credentials_of
from harness.emulators.nacos.http.routes import Call, Family, Route, console_resource, own_resource
from harness.emulators.nacos.http.wrap import binding, enveloped


def login(call: Call) -> Response:
    """A token for a user and password, or a fresh one for a token that is still good."""
    user, accounts = call.request.optional("username"), call.domain.accounts.state.users
    if call.domain.version.is_2 and user and user not in accounts:
        raise NacosError(500, f"User {user} not found")
    try:
        return login_answer(call)
    except NacosError as error:
        if error.status != 403:
            raise
        if call.domain.version.is_2:
            return text(error.detail, error.status)
        # its advice is not in the main port's context: `ApiCompatibilityFilter` tells that something failed
        raise Filtered(500, "Handle API Compatibility failed, please see log for detail.") from error


def login_answer(call: Call) -> Response:
    """The bare login object; raises NacosError (403)."""
    credentials = credentials_of(call.request, "")
    if not credentials.token:
        call.request.present("username")
        call.request.present("password")
    answer = call.domain.gate.login(credentials)
    return as_json(answer, headers=(("Authorization", f"Bearer {answer['accessToken']}"),))


def create_admin(call: Call) -> Response:
    """The first administrator; a second one is refused inside the envelope."""
    try:
        return as_json(calls.create_admin(call))
    except NacosError as error:
        if error.status != 409:
            raise
        return call.rest_result(error.detail, None, 409)


def found(act: Callable[[Call], dict[str, Any]], *searches: str) -> Callable[[Call], Response]:
    """A page; how to search and which page has to be said. `searches` are as 2.x lists them."""
    page = binding(act, "pageNo:int", "pageSize:int")

    def run(call: Call) -> Response:
        if call.request.get("search") not in searches:
            raise _unsearched(call, searches)
        return as_json(page(call))

    return run


def _unsearched(call: Call, searches: Iterable[str]) -> NacosError:
    if not call.domain.version.is_2:
        return Filtered(400, "Invalid request parameters.")
    conditions = " OR ".join(f'"search={one}"' for one in searches)
    came = ", ".join(f"{name}={{{value}}}" for name, value in reversed(list(call.request.params.items())))
    told = f"Parameter conditions {conditions} not met for actual request parameters: {came}"
    return NacosError(500, html.escape(told))


def wrapped(act: Callable[[Call], Any]) -> Callable[[Call], Response]:
    """An operation's answer in the envelope."""
    return lambda call: call.rest_result(act(call))


def bare(act: Callable[[Call], Any]) -> Callable[[Call], Response]:
    """An operation's answer as it is."""
    return lambda call: as_json(act(call))


def _route(method: str, path: str, run: Callable[[Call], Response], **when: str) -> Route:
    action = "r" if method == "GET" else "w"
    return Route(method, f"/v1/auth/{path}".rstrip("/"), run, Family.ACCOUNTS, action, console_resource, when)


def _user_routes(base: str) -> tuple[Route, ...]:
    """The calls about users: they are at two places."""
    users = f"/v1/auth/{base}".rstrip("/")
    return (
        Route("POST", f"{users}/login", login, Family.CONFIG),
        Route("POST", f"{users}/admin", create_admin, Family.CONFIG),
        Route("PUT", users, wrapped(calls.update_user), Family.ACCOUNTS, "w", own_resource),
        _route("POST", base, wrapped(calls.create_user)),
        _route("DELETE", base, wrapped(calls.delete_user)),
        _route("GET", base, found(calls.users_page, "blur", "accurate")),
        _route("GET", f"{base}/search".lstrip("/"), bare(calls.user_names)),
    )


ROUTES = (
    *_user_routes(""),
    *_user_routes("users"),
    _route("POST", "roles", wrapped(calls.add_role)),
    _route("DELETE", "roles", wrapped(calls.delete_role)),
    _route("GET", "roles", found(calls.roles_page, "accurate", "blur")),
    _route("GET", "roles/search", bare(calls.role_names)),
    _route("POST", "permissions", wrapped(calls.add_permission)),
    _route("DELETE", "permissions", wrapped(calls.delete_permission)),
    _route("GET", "permissions", found(calls.permissions_page, "accurate"), search="accurate"),
    _route("GET", "permissions", found(calls.permissions_page, "blur"), search="blur"),
    _route("GET", "permissions", enveloped(calls.has_permission)),
)
