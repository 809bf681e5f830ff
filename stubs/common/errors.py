"""The one error a service's own code raises, and how it looks over HTTP and over gRPC."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import grpc
from pydantic import ValidationError
from starlette.responses import JSONResponse, Response

#: HTTP status → gRPC status, as the usual gateways map them.
GRPC_STATUS: dict[int, grpc.StatusCode] = {
    400: grpc.StatusCode.INVALID_ARGUMENT,
    401: grpc.StatusCode.UNAUTHENTICATED,
    403: grpc.StatusCode.PERMISSION_DENIED,
    404: grpc.StatusCode.NOT_FOUND,
    405: grpc.StatusCode.UNIMPLEMENTED,
    409: grpc.StatusCode.ALREADY_EXISTS,
    422: grpc.StatusCode.INVALID_ARGUMENT,
    429: grpc.StatusCode.RESOURCE_EXHAUSTED,
    500: grpc.StatusCode.INTERNAL,
    502: grpc.StatusCode.UNAVAILABLE,
    503: grpc.StatusCode.UNAVAILABLE,
    504: grpc.StatusCode.DEADLINE_EXCEEDED,
}


class ApiError(Exception):
    """A refusal: HTTP `status`, a stable `code`, a `message` for people and, for 422, the wrong fields."""

    def __init__(self, status: int, code: str, message: str, errors: Sequence[dict[str, str]] = ()) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.errors = list(errors)


def grpc_status(status: int) -> grpc.StatusCode:
    """The gRPC status that stands for an HTTP one."""
    if status < 400:
        return grpc.StatusCode.OK
    return GRPC_STATUS.get(status, grpc.StatusCode.UNKNOWN if status < 500 else grpc.StatusCode.INTERNAL)


def not_found(what: str, name: str) -> ApiError:
    """The 404 of a resource that isn't there."""
    return ApiError(404, "not_found", f"{what} {name!r} not found")


def invalid(error: ValidationError) -> ApiError:
    """The 422 of a request that pydantic refused; the values themselves are left out, they may be secrets."""
    fields = [
        {"field": ".".join(str(part) for part in item["loc"]), "message": item["msg"]}
        for item in error.errors(include_url=False, include_input=False, include_context=False)
    ]
    return ApiError(422, "invalid", f"{len(fields)} invalid field(s)", fields)


def body(error: ApiError, request_id: str) -> dict[str, Any]:
    """The JSON of an error: code, message, request_id and, when there are any, the wrong fields."""
    content: dict[str, Any] = {"code": error.code, "message": error.message, "request_id": request_id}
    return {**content, "errors": error.errors} if error.errors else content


def response(error: ApiError, request_id: str) -> Response:
    """The HTTP response of an error; 204 and 304 (the knobs may ask for them) have no body."""
    if error.status in (204, 304):
        return Response(status_code=error.status)
    headers = {"www-authenticate": "Bearer"} if error.status == 401 else None
    return JSONResponse(body(error, request_id), error.status, headers)
