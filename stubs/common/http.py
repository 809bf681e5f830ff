"""The HTTP face of a replica: journal, knobs, metrics and log around the service's own routes."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from starlette.exceptions import HTTPException
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Router
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from stubs.common.errors import ApiError, invalid, response
from stubs.common.identity import Caller, new_request_id, tenant_of
from stubs.common.replica import Replica

M = TypeVar("M", bound=BaseModel)

#: Paths of the replica itself: not in the journal, not touched by the knobs, not in the log.
OWN_PATHS = frozenset(("/healthz", "/readyz", "/metrics"))
OWN_PREFIX = "/_stub/"
CODES = {404: "not_found", 405: "method_not_allowed"}


def build(replica: Replica, routes: Sequence[BaseRoute]) -> ASGIApp:
    """The replica's ASGI application."""
    # not the Starlette class: its outermost layer answers failures in plain text, Front answers them in JSON
    router = Router(routes, redirect_slashes=False)
    return Front(ExceptionMiddleware(router, {ApiError: _api_error, HTTPException: _http_exception}), replica)


async def _api_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError)
    return response(error, request.scope["caller"].request_id)


async def _http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    message = f"{request.method} {request.url.path}: {error.detail}"
    answer = response(
        ApiError(error.status_code, CODES.get(error.status_code, "http_error"), message),
        request.scope["caller"].request_id,
    )
    answer.headers.update(error.headers or {})
    return answer


def caller_of(request: Request) -> Caller:
    """Who sent this request."""
    caller: Caller = request.scope["caller"]
    return caller


async def json_body(request: Request, model: type[M]) -> M:
    """The request's JSON body as `model`; raises ApiError 400 or 422."""
    try:
        return model.model_validate_json(await request.body() or b"{}")
    except ValidationError as error:
        if any(item["type"] == "json_invalid" for item in error.errors(include_url=False)):
            raise ApiError(400, "not_json", "the body is not JSON") from error
        raise invalid(error) from error


def query(request: Request, model: type[M]) -> M:
    """The request's query parameters as `model`; raises ApiError 422."""
    try:
        return model.model_validate(dict(request.query_params))
    except ValidationError as error:
        raise invalid(error) from error


def answer(content: Any, status: int = 200) -> JSONResponse:
    """A JSON response."""
    return JSONResponse(content, status)


class Front:
    """The outermost layer: gives each request its caller, and notes it when it ends."""

    def __init__(self, app: ASGIApp, replica: Replica) -> None:
        self._app = app
        self._replica = replica
        self._served_by = (b"x-served-by", replica.settings.replica_id.encode("latin-1", "replace"))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request or WebSocket."""
        caller = _caller(scope["headers"])
        scope["caller"] = caller
        scope["app"] = self  # with an app in the scope the router raises its 404 instead of answering it
        path = scope["path"]
        if path in OWN_PATHS or path.startswith(OWN_PREFIX):
            await self._guarded(self._app, scope, receive, send)
        else:
            await self._noted(scope, receive, send, caller)

    async def _noted(self, scope: Scope, receive: Receive, send: Send, caller: Caller) -> None:
        replica = self._replica
        is_http = scope["type"] == "http"
        method = scope["method"] if is_http else "GET"
        start = time.perf_counter()
        entry = replica.journal.add(
            at=time.time(),
            protocol="http" if is_http else "websocket",
            method=method,
            path=scope["path"],
            query=scope["query_string"].decode("latin-1"),
            headers=scope["headers"],
            request_id=caller.request_id,
            tenant=caller.tenant,
        )
        status = 500 if is_http else 403

        async def noting_send(message: Message) -> None:
            nonlocal status
            if message["type"] in ("http.response.start", "websocket.http.response.start"):
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), self._served_by]
            elif message["type"] == "websocket.accept":
                status = 101
            await send(message)

        replica.metrics.in_flight.inc()
        try:
            await self._guarded(self._behind_knobs, scope, receive, noting_send)
        finally:
            seconds = time.perf_counter() - start
            replica.metrics.in_flight.dec()
            route = getattr(scope.get("route"), "path", "(none)")
            replica.metrics.observe(entry.protocol, method, route, str(status), seconds)
            entry.status = status
            entry.duration_ms = round(seconds * 1000, 3)
            replica.log.info(
                "request",
                request_id=caller.request_id,
                tenant=caller.tenant,
                method=method,
                path=scope["path"],
                status=status,
                duration_ms=entry.duration_ms,
            )

    async def _behind_knobs(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not self._replica.knobs.idle:
            try:
                await self._replica.knobs.apply()
            except ApiError as error:
                await response(error, scope["caller"].request_id)(scope, receive, send)
                return
        await self._app(scope, receive, send)

    async def _guarded(self, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        """An unforeseen exception becomes a line in the log with its request id, and a 500 if nothing was sent yet."""
        begun = False

        async def watching_send(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await app(scope, receive, watching_send)
        except Exception as error:
            if not begun:
                refusal = ApiError(500, "internal", "internal error")
                await response(refusal, scope["caller"].request_id)(scope, receive, send)
            self._replica.log.error("request failed", exc=error, request_id=scope["caller"].request_id)


def _caller(raw: Sequence[tuple[bytes, bytes]]) -> Caller:
    headers = tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in raw)
    found = dict(reversed(headers))
    request_id = found.get("x-request-id") or new_request_id()
    return Caller(request_id, tenant_of(found.get("x-tenant-id", ""), found.get("authorization", "")), headers)
