"""Turning an operation that answers plain data into a handler that answers the envelope of v2 and v3."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from harness.emulators.nacos.auth.gate import Resource
from harness.emulators.nacos.config.transfer import TransferError
from harness.emulators.nacos.http.configs import Dialect
from harness.emulators.nacos.http.message import Request, Response, as_json, result
from harness.emulators.nacos.http.routes import Call, Family, Route

Operation = Callable[[Call], Any]


def enveloped(act: Operation) -> Callable[[Call], Response]:
    """`{"code":0,"message":"success","data":...}`."""
    return lambda call: result(act(call))


T = TypeVar("T")


def binding(act: Callable[[Call], T], *wanted: str) -> Callable[[Call], T]:
    """What the web framework binds has to come, blank or not: `name` or `name:JavaType`; raises Unbound."""
    pairs = [one.partition(":") for one in wanted]

    def run(call: Call) -> T:
        for name, _, kind in pairs:
            call.request.present(name, kind or "String")
        return act(call)

    return run


def speaking(act: Callable[[Call, Dialect], Any], dialect: Dialect) -> Operation:
    """The operation with the parameter names of one API version."""
    return lambda call: act(call, dialect)


def moved(act: Callable[[Call, str], dict[str, Any]], target: str) -> Callable[[Call], Response]:
    """An import or a clone into the namespace that the parameter `target` names."""

    def run(call: Call) -> Response:
        try:
            return result(act(call, call.request.get(target)))
        except TransferError as error:
            return as_json({"code": error.code, "message": error.text, "data": error.data})

    return run


def data_route(
    method: str,
    path: str,
    act: Operation,
    resource: Callable[[Request], Resource],
    family: Family = Family.RESULT,
    **when: str,
) -> Route:
    """A route whose operation is answered in the envelope; reading calls need `r`, all others `w`."""
    action = "r" if method == "GET" else "w"
    return Route(method, path, enveloped(act), family, action, resource, when)


def open_route(method: str, path: str, act: Operation, **when: str) -> Route:
    """The same for calls that need no permission."""
    return Route(method, path, enveloped(act), Family.RESULT, when=when)
