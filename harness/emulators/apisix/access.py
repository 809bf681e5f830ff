"""Who may use the Admin API, and the headers that all its answers have."""

from __future__ import annotations

from http.cookies import CookieError, SimpleCookie
from typing import Any

from harness.emulators.apisix import uri_args
from harness.emulators.apisix.exchange import Request, Response
from harness.emulators.apisix.settings import AdminKey, Settings

ROOT = "/apisix/admin"

_CORS = (
    ("Access-Control-Allow-Origin", "*"),
    ("Access-Control-Allow-Credentials", "true"),
    ("Access-Control-Expose-Headers", "*"),
    ("Access-Control-Max-Age", "3600"),
)
_PREFLIGHT = (
    ("Access-Control-Allow-Origin", "*"),
    ("Access-Control-Allow-Methods", "POST, GET, PUT, OPTIONS, DELETE, PATCH"),
    ("Access-Control-Max-Age", "3600"),
    ("Access-Control-Allow-Headers", "*"),
    ("Access-Control-Allow-Credentials", "true"),
)


class Unauthorised(Exception):
    """No key, a wrong one, or one that may only read."""


def refused_key(error: Unauthorised) -> dict[str, Any]:
    """The body of the 401."""
    return {"error_msg": "failed to check token", "description": str(error)}


class Access:
    """The keys of the settings; without any, everybody may do everything."""

    def __init__(self, settings: Settings) -> None:
        self._keys: dict[str, AdminKey] = {key.key: key for key in settings.admin_keys}

    def early(self, request: Request) -> Response | None:
        """What nginx and the CORS rules answer before anything is looked at."""
        if not request.path.startswith(ROOT):
            return Response(404, None, [("Server", "openresty")])
        if request.method == "OPTIONS":
            return Response(200, b"", [*_PREFLIGHT, ("Content-Type", "text/plain; charset=utf-8")])
        if request.method == "HEAD" and request.path == ROOT:
            return Response(200, b"", list(_CORS))
        return None

    def check(self, request: Request) -> None:
        """Raise Unauthorised unless the request has a key that allows it."""
        if not self._keys:
            return
        given = _api_key(request)
        if given is None:
            raise Unauthorised("missing apikey")
        key = self._keys.get(given)
        if key is None:
            raise Unauthorised("wrong apikey")
        if key.role == "viewer" and request.method != "GET":
            raise Unauthorised("invalid method for role viewer")

    @staticmethod
    def answer(
        status: int, body: bytes, headers: tuple[tuple[str, str], ...], kind: str = "application/json"
    ) -> Response:
        """An answer of the API's own, chunked as Lua sends it."""
        return Response(status, body, [("Content-Type", kind), *_CORS, *headers], chunked=status != 204)

    @staticmethod
    def missing() -> Response:
        """A path or method that no route of the API takes."""
        return Response(404, None, list(_CORS))

    @staticmethod
    def crashed() -> Response:
        """nginx's page when the API's Lua fails."""
        return Response(500, None, list(_CORS))


def _api_key(request: Request) -> str | None:
    """From the query, the header or a cookie, in this order."""
    argument = uri_args.parse(request.query).get("api_key")
    if isinstance(argument, list):
        argument = argument[0]
    if isinstance(argument, str):
        return argument
    return request.headers.get("x-api-key") or _cookie(request.headers.get("cookie"))


def _cookie(header: str | None) -> str | None:
    if not header:
        return None
    try:
        found = SimpleCookie(header).get("x_api_key")
    except CookieError:
        return None
    return found.value if found else None
