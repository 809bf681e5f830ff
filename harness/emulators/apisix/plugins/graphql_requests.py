"""GraphQL over HTTP as APISIX's GraphQL plugins read it: the query, its variables, the operation that is meant."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from harness.emulators.apisix import lua_json, uri_args
from harness.emulators.apisix.context import Context, Exit

#: graphql.max_size of config.yaml
_MOST = 1048576


@dataclass(frozen=True, slots=True)
class Asked:
    """`raw` is the body (or the query string) that the question came in."""

    raw: bytes
    query: Any
    variables: Any = None
    operation_name: Any = None


def refusal(message: str) -> Exit:
    """The answer to a request that is no GraphQL."""
    return Exit(400, {"message": message})


async def asked_by_post(ctx: Context) -> Asked | Exit:
    """The question in a body: JSON, or GraphQL itself."""
    body = await ctx.read_body()
    if not body or len(body) > _MOST:
        return refusal("Invalid graphql request: can't get graphql request body")
    kind = ctx.headers.get("content-type") or ""
    if kind.startswith("application/graphql"):
        return Asked(body, body.decode("utf-8", "surrogateescape"))
    if not kind.startswith("application/json"):
        return refusal(f"invalid graphql request, error content-type: {kind}")
    try:
        held = lua_json.decode(body)
    except ValueError as problem:
        return refusal(f"invalid graphql request, {problem}")
    if not isinstance(held, dict | list):
        return Exit(500)  # indexing a number or a string is an error in Lua
    if not isinstance(held, dict) or held.get("query", False) is False:
        return refusal("invalid graphql request, json body[query] is nil")
    return Asked(body, held["query"], held.get("variables"), held.get("operationName"))


def asked_by_get(ctx: Context) -> Asked | Exit:
    """The question in the query string."""
    if not ctx.query or len(ctx.query) > _MOST:
        return refusal("Invalid graphql request: can't get graphql request body")
    query = uri_args.parse(ctx.query).get("query")
    if isinstance(query, list):
        query = query[0]
    if query is None:
        return refusal("invalid graphql request, args[query] is nil")
    return Asked(ctx.query.encode("latin-1"), query)


def definitions(query: Any) -> tuple[Any, ...] | Exit:
    """What the document defines, at least one thing."""
    # only who limits or caches GraphQL pays for the import
    from graphql.error import GraphQLError
    from graphql.language import parse

    try:
        if not isinstance(query, str):
            raise TypeError("a query is text")
        document = parse(query, no_location=True)
    except (GraphQLError, TypeError, RecursionError):
        empty = isinstance(query, str) and not query.strip(" \t\r\n,")
        return refusal(
            "Invalid graphql request: empty graphql query"
            if empty
            else "Invalid graphql request: failed to parse graphql query"
        )
    return tuple(document.definitions)
