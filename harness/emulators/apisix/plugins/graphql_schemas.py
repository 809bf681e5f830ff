"""The schemas of GraphQL upstreams, asked once a service (graphql-limit-count/introspection.lua)."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from harness.emulators.apisix import lua_json
from harness.emulators.apisix.context import Context
from harness.emulators.apisix.plugins.base import Conf, Scope
from harness.emulators.apisix.plugins.graphql_cost import SchemaField, Types

#: connect, send and read together
_WITHIN = 9.0
#: an upstream that failed is left alone for so long
_FAILURE_HELD = 10.0
_DEEPEST_WRAPPING = 8
_PORTS = {"https": 443, "grpcs": 443}


class NoSchema(Exception):
    """The upstream's schema can't be had; the text says why."""


def _question() -> str:
    wrapped = "kind name"
    for _ in range(_DEEPEST_WRAPPING):
        wrapped = f"kind name ofType {{ {wrapped} }}"
    fields = f"name args {{ name defaultValue type {{ {wrapped} }} }} type {{ {wrapped} }}"
    return (
        "query { __schema { queryType { name } mutationType { name } "
        f"types {{ kind name fields {{ {fields} }} }} }} }}"
    )


class Schemas:
    """This worker's schemas by service; they are kept until the plugin is loaded anew."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._known: dict[str, Types] = {}
        self._failed: dict[str, tuple[str, float]] = {}
        self._locks: dict[str, asyncio.Lock] = {}

    async def of(self, ctx: Context, conf: Conf, service: str) -> Types:
        """The schema of the service's upstream; raises NoSchema."""
        async with self._locks.setdefault(service, asyncio.Lock()):
            if service in self._known:
                return self._known[service]
            problem, until = self._failed.get(service, ("", 0.0))
            if self._scope.clock.time() < until:
                raise NoSchema(problem)
            url, host = self._place(ctx, conf, service)
            try:
                types = await self._ask(url, host, conf)
            except NoSchema as failure:
                self._failed[service] = (str(failure), self._scope.clock.time() + _FAILURE_HELD)
                raise
            self._known[service] = types
            return types

    async def _ask(self, url: str, host: str | None, conf: Conf) -> Types:
        headers = {"Content-Type": "application/json", **({"Host": host} if host else {})}
        headers.update(conf.get("introspection_headers", {}))
        body = lua_json.encode({"query": _question()})
        pairs = list(headers.items())
        try:
            answer = await self._scope.fetch(
                "POST", url, headers=pairs, body=body, within=_WITHIN, ssl_verify=False, keepalive=False
            )
        except OSError as error:
            raise NoSchema(f"failed to request {url}: {error}") from error
        if answer.status != 200:
            raise NoSchema(f"unexpected status {answer.status} from {url}")
        try:
            told = lua_json.decode(answer.body or b"")
        except ValueError as error:
            raise NoSchema(f"failed to decode the introspection response: {error}") from error
        if not isinstance(told, dict) or not told.get("data"):
            raise NoSchema("introspection response has no data field")
        return read(told["data"])

    def _place(self, ctx: Context, conf: Conf, service: str) -> tuple[str, str | None]:
        """(where to ask, the Host to tell)."""
        if "introspection_endpoint" in conf:
            return _escaped(conf["introspection_endpoint"]), None
        upstream = self._upstream(ctx, service)
        scheme = upstream.get("scheme", "http")
        address = _first(upstream.get("nodes"), _PORTS.get(scheme, 80))
        if address is None:
            raise NoSchema("the route has no upstream nodes, set introspection_endpoint")
        path = (ctx.upstream_uri or ctx.uri).partition("?")[0]
        passing = upstream.get("pass_host", "pass")
        host = upstream.get("upstream_host") if passing == "rewrite" else ctx.headers.get("host") or ctx.host
        return f"{scheme}://{address}{_escaped(path)}", None if passing == "node" else host

    def _upstream(self, ctx: Context, service: str) -> Mapping[str, Any]:
        """The service's own upstream, else the route's."""
        route: Mapping[str, Any] = getattr(ctx.route, "value", None) or {}
        for owner in (self._scope.stored("services", service) or {}, route):
            found = owner.get("upstream")
            if not found and "upstream_id" in owner:
                found = self._scope.stored("upstreams", str(owner["upstream_id"]))
            if found:
                return found  # type: ignore[no-any-return]
        return {}


def read(data: Mapping[str, Any]) -> Types:
    """The types of an introspection's answer; raises NoSchema."""
    schema = data.get("__schema")
    if not isinstance(schema, Mapping) or not isinstance(schema.get("types"), list):
        raise NoSchema("introspection response has no __schema.types")
    fields = {
        kind["name"]: {one["name"]: _field(one) for one in kind["fields"] if one.get("name")}
        for kind in schema["types"]
        if kind.get("name") and kind.get("fields")
    }
    query = (schema.get("queryType") or {}).get("name") or "Query"
    mutation = (schema.get("mutationType") or {}).get("name") or "Mutation"
    return Types(query, mutation, fields)


def _field(told: Mapping[str, Any]) -> SchemaField:
    kind = told.get("type")
    while kind and not kind.get("name"):
        kind = kind.get("ofType")
    arguments = told.get("args") or ()
    defaults = {one["name"]: one["defaultValue"] for one in arguments if one.get("defaultValue") is not None}
    return SchemaField(kind["name"] if kind else None, defaults)


def _first(nodes: Any, port: int) -> str | None:
    """The first address in their order as text, so that the same node is asked each time."""
    if isinstance(nodes, Mapping):
        found = list(nodes)
    else:
        found = [f"{node['host']}:{node.get('port') or port}" for node in nodes or () if node.get("host")]
    return min(found, default=None)


def _escaped(text: str) -> str:
    """Control characters as %XX."""
    return "".join(quote(char) if char < " " or char == "\x7f" else char for char in text)
