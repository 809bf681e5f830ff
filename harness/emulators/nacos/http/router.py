"""The way of an HTTP request, from request to response."""

from __future__ import annotations

import asyncio
import html
import logging
import re
from collections.abc import Awaitable, Iterable
from dataclasses import replace

from harness.emulators.nacos.auth.gate import Credentials
from harness.emulators.nacos.errors import (
    Filtered,
    IllegalParameter,
    MissingParameter,
    NacosError,
    Unbound,
    Unconvertible,
    Unreadable,
)
from harness.emulators.nacos.http import retired
from harness.emulators.nacos.http.message import CONFIG_JSON, JSON, TEXT, Request, Response, as_json, text
from harness.emulators.nacos.http.routes import Call, Family, Route
from harness.emulators.nacos.http.spring import spring_error
from harness.emulators.nacos.http.target import suspicion
from harness.emulators.nacos.site import Site
from harness.emulators.nacos.version import Version

#: What the parameter checker tells caches.
FRESH = (("Pragma", "no-cache"), ("Cache-Control", "no-cache,no-store"))

_UNTOLD = "No message available"

log = logging.getLogger(__name__)


def _pattern(path: str) -> re.Pattern[str]:
    """What fits a path with `{places}` in it."""
    return re.compile("[^/]+".join(re.escape(part) for part in re.split(r"\{[^}]*\}", path)))


class Router:
    """Dispatches by method and path; below `context` (`/nacos`) live the routes."""

    def __init__(self, site: Site, routes: Iterable[Route], *, context: str = "/nacos") -> None:
        self._site = site
        self._context = context
        self._routes: dict[tuple[str, str], list[Route]] = {}
        self._paths: set[str] = set()
        self._templates: list[tuple[str, re.Pattern[str], Route]] = []
        for route in routes:
            self._routes.setdefault((route.method, route.path), []).append(route)
            self._paths.add(route.path)
            if "{" in route.path:
                self._templates.append((route.method, _pattern(route.path), route))

    def __call__(self, request: Request) -> Response | Awaitable[Response]:
        """Answer one request; never raises."""
        why = suspicion(request.path)
        if why:
            is_2 = self._site.domain.version.is_2
            return spring_error(500, why, request.path) if is_2 else spring_error(400, _UNTOLD, request.path)
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
        refused = self._refused(request, path)
        if refused is not None:
            return refused
        route = self._find(request, path)
        if route is None:
            return self._no_route(request, path)
        failure = self._site.faults.take(f"{request.method} {path}")
        if failure is not None:
            return text(failure.message, failure.status)
        try:
            user = self._admit(route, request)
        except NacosError as error:
            return self._said(request, error.status, error.detail)
        return self._run(route, Call(self._site, request, user))

    def _refused(self, request: Request, path: str) -> Response | None:
        """What the emulated version has no more, or not yet."""
        version = self._site.domain.version
        if version.is_2 and path.startswith("/v3/"):
            return self._no_route(request, "")
        gone = retired.refusal(request, path) if version.retires and self._context else None
        if gone is not None and path.startswith("/v1/cs/"):
            return replace(gone, content_type=CONFIG_JSON)
        return gone

    # -- finding -----------------------------------------------------------------------------------------------------

    def _inner_path(self, path: str) -> str:
        if self._context and path.startswith(self._context + "/"):
            path = path[len(self._context) :]
        elif self._context:
            return ""
        if self._site.domain.version.is_2 and len(path) > 1 and path.endswith("/"):
            return path[:-1]  # Spring 5 takes a slash at the end for nothing, Spring 6 does not
        return path

    def _find(self, request: Request, path: str) -> Route | None:
        is_head = request.method == "HEAD" and not path.startswith("/v1/ns/")
        method = "GET" if is_head else request.method
        for route in self._routes.get((method, path), ()):
            if not route.when or route.fits(request):
                return route
        fitting = (route for kind, pattern, route in self._templates if kind == method and pattern.fullmatch(path))
        return next(fitting, None)

    def _no_route(self, request: Request, path: str) -> Response:
        is_2 = self._site.domain.version.is_2
        if path.startswith("/v1/ns/"):  # the filter that finds the responsible server looks first
            return spring_error(501, f"no such api:{request.method}:{request.path}", request.path)
        if path in self._paths:
            return self._options(path) if request.method == "OPTIONS" else self._wrong_method(request, path)
        if self._context:
            told = _UNTOLD if is_2 else f"No endpoint {request.method} {request.path}."
            return self._said(request, 404, told)
        # the console's advice over all controllers tells this too
        return text(html.escape(f"caused: No static resource {path.lstrip('/')}.;"), 500)

    def _methods(self, path: str) -> str:
        return ",".join(sorted({method for method, known in self._routes if known == path}))

    def _options(self, path: str) -> Response:
        kind = CONFIG_JSON if path.startswith("/v1/cs/") else ""
        methods = f"GET,HEAD,{self._methods(path)},OPTIONS" if "GET" in self._methods(path) else self._methods(path)
        allowed = ",".join(sorted(set(methods.split(","))))
        return Response(200, b"", kind, (("Allow", allowed), ("Accept-Patch", "")))

    def _wrong_method(self, request: Request, path: str) -> Response:
        """Spring's own words in 3.x, in 2.x and on the console's port those of the console's advice."""
        if not self._context:
            return text(html.escape(f"caused: Request method '{request.method}' is not supported;"), 500)
        if not self._site.domain.version.is_2:
            said = self._said(request, 405, f"Method '{request.method}' is not supported.")
            return replace(said, headers=(("Allow", self._methods(path)),))
        told = f"caused: Request method &#39;{request.method}&#39; not supported;"
        if path.startswith("/v2/"):
            return as_json({"code": 500, "message": told, "data": None}, 500)
        return text(told, 500)

    def _said(self, request: Request, status: int, message: str) -> Response:
        said = spring_error(status, message, request.path)
        in_config = request.path.startswith(f"{self._context}/v1/cs/")
        return replace(said, content_type=CONFIG_JSON) if in_config else said

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
            answer = failed(route, call, error)
        return _finished(route, answer) if isinstance(answer, Response) else _awaited(route, call, answer)


async def _awaited(route: Route, call: Call, answer: Awaitable[Response]) -> Response:
    try:
        return _finished(route, await answer)
    except Exception as error:
        return _finished(route, failed(route, call, error))


def _finished(route: Route, answer: Response) -> Response:
    """The filter of v1's configuration module sets the content type with its charset, before anybody answers."""
    if route.path.startswith("/v1/cs/") and (answer.content_type == JSON or not answer.body):
        return replace(answer, content_type=CONFIG_JSON)
    return answer


def credentials_of(request: Request, identity_key: str) -> Credentials:
    """Token from `Authorization` or `accessToken`, else user and password (the node SDK sends them each time)."""
    bearer = request.header("authorization")
    told = request.header("accesstoken") or request.get("accessToken")
    token = bearer[7:] if bearer.startswith("Bearer ") else told
    identity = request.header(identity_key.lower()) if identity_key else ""
    return Credentials(token, request.get("username"), request.get("password"), identity)


def failed(route: Route, call: Call, error: Exception) -> Response:
    """The one writer of errors: each API family has its own form."""
    request, version = call.request, call.domain.version
    if not isinstance(error, NacosError):
        log.error("%s %s failed", request.method, request.path, exc_info=error)
        error = NacosError(500, type(error).__name__)
    if isinstance(error, Filtered):
        return spring_error(error.status, _filtered(error, call), request.path)
    if isinstance(error, IllegalParameter):
        return Response(400, f"{error.detail}\r\n".encode("utf-8", "replace"), _checker_type(route), FRESH)
    if isinstance(error, Unbound) and route.family is Family.RESULT:
        error.detail = (
            f"Required request parameter '{error.name}' for method parameter type {error.kind} is not present"
        )
    if route.family is Family.RESULT and isinstance(error, Unconvertible):
        told = _unconvertible(error, version)
        return as_json({"code": 30000, "message": told, "data": None}, 500)
    if route.family is Family.RESULT:
        return as_json({"code": error.code, "message": error.text, "data": error.detail}, error.status)
    if isinstance(error, MissingParameter):
        return _missing(route.family, error, request, version)
    if isinstance(error, Unconvertible):
        error = _unconverted(route.family, error, version)
    if route.family is Family.NAMING:
        return text(error.detail, error.status)
    if route.family is Family.ACCOUNTS and not version.is_2:
        return Response(200, b"", "")  # 3.x swallows what v1's account calls throw, and answers nothing
    kind = TEXT if version.is_2 or not route.path.startswith("/v1/cs/") else CONFIG_JSON
    return Response(error.status, f"caused: {error.detail};".encode("utf-8", "replace"), kind)


def _filtered(error: Filtered, call: Call) -> str:
    """The filters' own failures, as the filters around them tell it."""
    if not isinstance(error, Unreadable):
        return error.detail
    is_v2 = call.request.path.startswith("/nacos/v2/")
    if is_v2 and not call.domain.version.is_2:
        return "Handle API Compatibility failed, please see log for detail."
    told = f"ErrCode:400, ErrMsg:{error.detail}"
    return told if is_v2 or "/v3/" in call.request.path else f"Server failed, caused: {told};caused: {error.detail};"


def _unconvertible(error: Unconvertible, version: Version) -> str:
    what = f"Failed to convert value of type 'java.lang.String' to required type '{error.kind}'; "
    if version.is_2:
        return f"{what}nested exception is java.lang.NumberFormatException: {error.why}"
    return f"Method parameter '{error.name}': {what}{error.why}"


def _unconverted(family: Family, error: Unconvertible, version: Version) -> NacosError:
    told = f"{_unconvertible(error, version)};caused: {error.why}"
    return NacosError(500, f"caused: {told};") if family is Family.NAMING else NacosError(400, told)


def _checker_type(route: Route) -> str:
    return CONFIG_JSON if route.path.startswith("/v1/cs/") else ""


def _missing(family: Family, error: MissingParameter, request: Request, version: Version) -> Response:
    if family is Family.NAMING:
        unbound = f"Parameter '{error.name}' is missing"
        return text(unbound if isinstance(error, Unbound) else f"Param '{error.name}' is required.", 400)
    if not version.is_2 and family is not Family.CONSOLE_ACCOUNTS:
        return spring_error(400, f"Required parameter '{error.name}' is not present.", request.path)
    wanted = f"Required request parameter &#39;{error.name}&#39; for method parameter type {error.kind}"
    return text(f"caused: {wanted} is not present;", 500)
