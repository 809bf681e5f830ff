"""`/v3/auth`: login, users, roles, permissions in the envelope."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from harness.emulators.nacos.errors import Filtered, NacosError
from harness.emulators.nacos.http import account_calls as calls
from harness.emulators.nacos.http.message import Response, result, text
from harness.emulators.nacos.http.routes import Call, Family, Route, console_resource, own_resource
from harness.emulators.nacos.http.wrap import binding, data_route
from harness.emulators.nacos.http_v1.auth import login_answer


def login(call: Call) -> Response:
    """The bare login object; on the main port nobody turns a refusal into an answer of its own (3.0.3)."""
    try:
        return login_answer(call)
    except NacosError as error:
        raise Filtered(500, "No message available") from error


def console_login(call: Call) -> Response:
    """The bare login object, a refusal as text."""
    try:
        return login_answer(call)
    except NacosError as error:
        return text(error.detail, error.status)


def create_admin(call: Call) -> Response:
    """The first administrator; a second one is refused inside the envelope."""
    try:
        return result(calls.create_admin(call))
    except NacosError as error:
        if error.status != 409:
            raise
        return result(None, 409, f"{error.detail}.")


def _shared(family: Family) -> tuple[Route, ...]:
    def route(method: str, path: str, act: Callable[[Call], Any], resource: Any = console_resource) -> Route:
        return data_route(method, f"/v3/auth/{path}", act, resource, family)

    def page(path: str, act: Callable[[Call], Any]) -> Route:
        return route("GET", path, binding(act, "pageNo:int", "pageSize:int"))

    return (
        Route("POST", "/v3/auth/user/admin", create_admin, family),
        route("PUT", "user", calls.update_user, own_resource),
        route("POST", "user", calls.create_user),
        route("DELETE", "user", calls.delete_user),
        page("user/list", calls.users_page),
        route("GET", "user/search", calls.user_names),
        route("POST", "role", calls.add_role),
        route("DELETE", "role", calls.delete_role),
        page("role/list", calls.roles_page),
        route("GET", "role/search", calls.role_names),
        route("POST", "permission", calls.add_permission),
        route("DELETE", "permission", calls.delete_permission),
        page("permission/list", calls.permissions_page),
        route("GET", "permission", calls.has_permission),
    )


ROUTES = (Route("POST", "/v3/auth/user/login", login, Family.ACCOUNTS), *_shared(Family.ACCOUNTS))
CONSOLE_ROUTES = (
    Route("POST", "/v3/auth/user/login", console_login, Family.CONSOLE_ACCOUNTS),
    *_shared(Family.CONSOLE_ACCOUNTS),
)
