"""Who may use the Admin API, and the headers that all its answers have."""

from __future__ import annotations

from http.cookies import CookieError, SimpleCookie
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Any

from harness.emulators.apisix import lua_json, uri_args
from harness.emulators.apisix.exchange import Request, Response
from harness.emulators.apisix.settings import AdminKey, Settings
from harness.errors import SpecError

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
    """The keys and networks of the settings; without any, everybody may do everything.

    Raises SpecError for a network of config.yaml that is none.
    """

    def __init__(self, settings: Settings) -> None:
        admin = (settings.config.get("deployment") or {}).get("admin") or {}
        required = admin.get("admin_key_required", True) is not False
        self._keys: dict[str, AdminKey] = {key.key: key for key in settings.admin_keys} if required else {}
        # the real default, 127.0.0.0/24, would shut out whoever comes from outside a container
        self._networks = [_network(text) for text in admin.get("allow_admin") or ()]
        self._cors = _CORS if admin.get("enable_admin_cors", True) is not False else ()

    def early(self, request: Request) -> Response | None:
        """What nginx and the CORS rules answer before anything is looked at."""
        if not request.path.startswith(ROOT):
            return Response(404, None, [("Server", "openresty")])
        if self._networks and not any(ip_address(request.remote_addr) in network for network in self._networks):
            return Response(403, None, [("Server", "openresty")])
        if request.method == "OPTIONS" and self._cors:
            return Response(200, b"", [*_PREFLIGHT, ("Content-Type", "text/plain; charset=utf-8")])
        if request.method == "HEAD" and request.path == ROOT:
            return Response(200, b"", list(self._cors))
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

    def answer(
        self, status: int, body: bytes, headers: tuple[tuple[str, str], ...], kind: str = "application/json"
    ) -> Response:
        """An answer of the API's own, chunked as Lua sends it."""
        return Response(status, body, [("Content-Type", kind), *self._cors, *headers], chunked=status != 204)

    def json(self, status: int, body: Any, *headers: tuple[str, str]) -> Response:
        """An answer in JSON, with the newline that Lua's say adds."""
        return self.answer(status, lua_json.encode(body) + b"\n", headers)

    def missing(self) -> Response:
        """A path or method that no route of the API takes."""
        return Response(404, None, list(self._cors))

    def crashed(self) -> Response:
        """nginx's page when the API's Lua fails."""
        return Response(500, None, list(self._cors))


def _network(text: str) -> IPv4Network | IPv6Network:
    try:
        return ip_network(text, strict=False)
    except ValueError as error:
        raise SpecError(f"deployment.admin.allow_admin: {error}", mend="addresses or CIDR networks") from error


def _api_key(request: Request) -> str | None:
    """From the query, the header or a cookie, in this order."""
    argument = uri_args.parse(request.query).get("api_key")
    if isinstance(argument, list):
        argument = argument[0]
    if isinstance(argument, str):
        return argument
    return _key_header(request) or _cookie(request.headers.get("cookie"))


def _key_header(request: Request) -> str | None:
    """$http_x_api_key: nginx takes hyphens and underscores in a header's name for the same."""
    return next((value for name, _, value in request.headers.items if name.replace("-", "_") == "x_api_key"), None)


def _cookie(header: str | None) -> str | None:
    if not header:
        return None
    try:
        found = SimpleCookie(header).get("x_api_key")
    except CookieError:
        return None
    return found.value if found else None
