"""The way of an HTTP request, from request to response."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Iterable

from harness.emulators.nacos.auth.gate import Credentials
from harness.emulators.nacos.errors import IllegalParameter, MissingParameter, NacosError
from harness.emulators.nacos.http.message import REASONS, Request, Response, as_json, text
from harness.emulators.nacos.http.routes import Call, Family, Route
from harness.emulators.nacos.http.target import is_suspicious
from harness.emulators.nacos.site import Site

log = logging.getLogger(__name__)


class Router:
    """Dispatches by method and path; below `context` (`/nacos`) live the routes."""

    def __init__(self, site: Site, routes: Iterable[Route], *, context: str = "/nacos") -> None:
        self._site = site
        self._context = context
        self._routes: dict[tuple[str, str], list[Route]] = {}
        self._paths: set[str] = set()
        for route in routes:
            self._routes.setdefault((route.method, route.path), []).append(route)
            self._paths.add(route.path)

    def __call__(self, request: Request) -> Response | Awaitable[Response]:
        """Answer one request; never raises."""
        if is_suspicious(request.path):
            return spring_error(400, "No message available", request.path)
        if self._site.faults.frozen:
            thawed = asyncio.Event()
            self._site.faults.hold(thawed.set)  # now, not when the coroutine first runs: the thaw may come before
            return self._held(request, thawed)
        return self._answer(request)

    async def _held(self, request: Request, thawed: asyncio.Event) -> Response:
        await thawed.wait()
        answer = self._answer(request)
        return answer if isinstance(answer, Response) else await answer

    def _answer(self, request: Request) -> Response | Awaitable[Response]:
        path = self._inner_path(request.path)
        route = self._find(request, path)
        if route is None:
            return self._no_route(request, path)
        failure = self._site.faults.take(f"{request.method} {path}")
        if failure is not None:
            return text(failure.message, failure.status)
        try:
            user = self._admit(route, request)
        except NacosError as error:
            return spring_error(error.status, error.detail, request.path)
        return self._run(route, Call(self._site, request, user))

    # -- finding -----------------------------------------------------------------------------------------------------

    def _inner_path(self, path: str) -> str:
        if self._context and path.startswith(self._context + "/"):
            path = path[len(self._context) :]
        elif self._context:
            return ""
        return path[:-1] if len(path) > 1 and path.endswith("/") else path

    def _find(self, request: Request, path: str) -> Route | None:
        method = "GET" if request.method == "HEAD" else request.method
        for route in self._routes.get((method, path), ()):
            if not route.when or route.fits(request):
                return route
        return None

    def _no_route(self, request: Request, path: str) -> Response:
        if path in self._paths:
            return spring_error(405, f"Request method '{request.method}' is not supported", request.path)
        return spring_error(404, f"No static resource {path.lstrip('/')}.", request.path)

    # -- admitting ---------------------------------------------------------------------------------------------------

    def _admit(self, route: Route, request: Request) -> str:
        if not route.action or route.resource is None or not self._site.domain.gate.enabled:
            return ""
        resource = route.resource(request)
        return self._site.domain.gate.check(self.credentials(request), route.action, resource)

    def credentials(self, request: Request) -> Credentials:
        """What the request says about who it is."""
        return credentials_of(request, self._site.domain.gate.identity_key)

    # -- running -----------------------------------------------------------------------------------------------------

    def _run(self, route: Route, call: Call) -> Response | Awaitable[Response]:
        try:
            answer = route.run(call)
        except Exception as error:
            return failed(route, call.request, error)
        return answer if isinstance(answer, Response) else _awaited(route, call.request, answer)


async def _awaited(route: Route, request: Request, answer: Awaitable[Response]) -> Response:
    try:
        return await answer
    except Exception as error:
        return failed(route, request, error)


def credentials_of(request: Request, identity_key: str) -> Credentials:
    """Token from `Authorization` or `accessToken`, else user and password (the node SDK sends them each time)."""
    bearer = request.header("authorization")
    token = bearer[7:] if bearer.startswith("Bearer ") else request.get("accessToken")
    identity = request.header(identity_key.lower()) if identity_key else ""
    return Credentials(token, request.get("username"), request.get("password"), identity)


def failed(route: Route, request: Request, error: Exception) -> Response:
    """The one writer of errors: each API family has its own form."""
    if not isinstance(error, NacosError):
        log.error("%s %s failed", request.method, request.path, exc_info=error)
        error = NacosError(500, type(error).__name__)
    if isinstance(error, IllegalParameter):
        return text(f"{error.detail}\n", 400)
    if route.family is Family.RESULT:
        return as_json({"code": error.code, "message": error.text, "data": error.detail}, error.status)
    if isinstance(error, MissingParameter):
        return _missing(route.family, error, request)
    if route.family is Family.NAMING:
        return text(error.detail, error.status)
    return text(f"caused: {error.detail};", error.status)


def _missing(family: Family, error: MissingParameter, request: Request) -> Response:
    if family is Family.NAMING:
        return text(f"Param '{error.name}' is required.", 400)
    message = f"Required request parameter '{error.name}' for method parameter type String is not present"
    return spring_error(400, message, request.path)


def spring_error(status: int, message: str, path: str) -> Response:
    """The JSON that Spring writes for an error sent by a filter."""
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S.000+00:00", time.gmtime())
    reason = REASONS.get(status, "Error")
    return as_json({"timestamp": stamp, "status": status, "error": reason, "message": message, "path": path}, status)
