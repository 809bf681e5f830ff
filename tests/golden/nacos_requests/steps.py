"""The words that cases are written in: HTTP requests, gRPC requests, and what is awaited on a gRPC stream."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any
from urllib.parse import urlencode

FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True)
class Step:
    """One request. `{{name}}` in any text stands for what an earlier step saved.

    `port` is main (with the context path /nacos), root (main without it), console or grpc. On gRPC `method` is `ask`,
    `open`, `pushed` or `close`, and `target` the request's type; `connection` tells connections apart.
    """

    method: str
    target: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    port: str = "main"
    #: name → dotted path into the answer's JSON
    save: Mapping[str, str] = field(default_factory=dict)
    connection: str = ""

    def to_json(self) -> dict[str, Any]:
        """What of it is not default, as recordings keep it."""
        plain = asdict(self)
        return {name: value for name, value in plain.items() if value not in (None, {}, "", "main")}


@dataclass(frozen=True)
class Case:
    """A named sequence of steps that begins on a server without a trace of it."""

    name: str
    steps: tuple[Step, ...]
    #: whether 2.5.1 has these calls at all
    on_2: bool = True


def case(name: str, *steps: Step, on_2: bool = True) -> Case:
    """A case."""
    return Case(name, steps, on_2)


def url(path: str, parameters: Mapping[str, Any]) -> str:
    """A target with a query."""
    return f"{path}?{urlencode(parameters)}" if parameters else path


def ask(
    method: str,
    path: str,
    query: Mapping[str, Any] | None = None,
    *,
    form: Mapping[str, Any] | None = None,
    json_body: Any = None,
    body: Any = None,
    headers: Mapping[str, str] | None = None,
    port: str = "main",
    save: Mapping[str, str] | None = None,
) -> Step:
    """Any HTTP request."""
    sent = dict(headers or {})
    if form is not None:
        sent, body = {"Content-Type": FORM, **sent}, urlencode(form)
    if json_body is not None:
        sent, body = {"Content-Type": "application/json", **sent}, json.dumps(json_body)
    return Step(method, url(path, query or {}), sent, body, port, save or {})


def get(path: str, query: Mapping[str, Any] | None = None, **more: Any) -> Step:
    """GET with a query."""
    return ask("GET", path, query, **more)


def post(path: str, form: Mapping[str, Any] | None = None, **more: Any) -> Step:
    """POST with a form."""
    return ask("POST", path, form=form or {}, **more)


def put(path: str, query: Mapping[str, Any] | None = None, **more: Any) -> Step:
    """PUT with a query, as SDKs do."""
    return ask("PUT", path, query, **more)


def delete(path: str, query: Mapping[str, Any] | None = None, **more: Any) -> Step:
    """DELETE with a query."""
    return ask("DELETE", path, query, **more)


def patch(path: str, query: Mapping[str, Any] | None = None, **more: Any) -> Step:
    """PATCH with a query."""
    return ask("PATCH", path, query, **more)


def multipart(path: str, query: Mapping[str, Any], zip_of: Mapping[str, str] | None, **more: Any) -> Step:
    """POST of a form with one file: a zip of these entries, or with None no file at all."""
    return Step("POST", url(path, query), body={"zip": zip_of}, **more)


# -- gRPC --------------------------------------------------------------------------------------------------------------


def rpc(kind: str, body: Any = None, *, on: str = "a", headers: Mapping[str, str] | None = None, **more: Any) -> Step:
    """A request on a connection; its first use opens the connection and registers it."""
    return Step("ask", kind, headers or {}, body if body is not None else {}, "grpc", connection=on, **more)


def bare_rpc(kind: str, body: Any = None, *, on: str = "bare") -> Step:
    """A request on a connection that is not registered."""
    return Step("bare", kind, {}, body if body is not None else {}, "grpc", connection=on)


def pushed(kind: str, on: str = "a") -> Step:
    """The next push of this type on a connection."""
    return Step("pushed", kind, port="grpc", connection=on)


def closed(on: str = "a") -> Step:
    """The client goes away."""
    return Step("close", "", port="grpc", connection=on)
