"""Requests and routes made by hand, for what needs no server."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from harness.emulators.apisix.context import Context
from harness.emulators.apisix.headers import Headers

Asked = Callable[..., Context]


def request(uri: str = "/", **given: Any) -> Context:
    """A request; `headers` as pairs, `query` raw."""
    client = SimpleNamespace(
        remote_addr="127.0.0.1",
        remote_port=4711,
        server_addr="127.0.0.1",
        server_port=9080,
        scheme="http",
        sni=None,
        tls=None,
    )
    query = given.pop("query", "")
    headers = Headers.of(given.pop("headers", ()))
    method, remote_addr = given.pop("method", "GET"), given.pop("remote_addr", "127.0.0.1")
    target = uri + ("?" + query if query else "")
    return Context(client, method, target, uri, query, (1, 1), headers, remote_addr, 1_700_000_000.0, **given)


def route(id: str, *uris: str, **given: Any) -> Any:
    """What the router reads of a route."""
    absent = dict.fromkeys(("hosts", "methods", "remote_addrs", "vars", "filter_func"))
    return SimpleNamespace(**{**absent, "id": id, "uris": list(uris), "priority": 0, "status": 1, **given})


@pytest.fixture(name="request_of", scope="session")
def _request_of() -> Asked:
    return request


@pytest.fixture(name="route_of", scope="session")
def _route_of() -> Callable[..., Any]:
    return route
