"""graphql-limit-count: limit-count for GraphQL, where a query counts as much as it costs."""

from __future__ import annotations

from inspect import isawaitable
from math import ceil
from typing import Any, ClassVar

from harness.emulators.apisix.context import Context, Exit
from harness.emulators.apisix.plugins.base import Conf, Schema, Scope
from harness.emulators.apisix.plugins.graphql_cost import (
    MOST_SELECTIONS,
    FragmentCycle,
    Position,
    TooManySelections,
    Walk,
    depth,
    positions,
)
from harness.emulators.apisix.plugins.graphql_requests import Asked, asked_by_post, definitions, refusal
from harness.emulators.apisix.plugins.graphql_schemas import NoSchema, Schemas
from harness.emulators.apisix.plugins.limit_count import SCHEMA, LimitCount

#: added to every cost but depth before it is rounded up: part of the model, so that 51 is charged 52
_EPSILON = 0.01


class GraphqlLimitCount(LimitCount):
    name = "graphql-limit-count"
    priority = 1004
    version = 0.1
    schema: ClassVar[Schema] = {
        **SCHEMA,
        "properties": {
            **SCHEMA["properties"],
            "cost_strategy": {
                "type": "string",
                "enum": ["depth", "complexity", "node_quantifier"],
                "default": "depth",
            },
            "max_cost": {
                "type": "number",
                "minimum": 0,
                "default": 0,
                "description": "queries that cost more are answered 403; 0 lets all through",
            },
            "score_factor": {
                "type": "number",
                "exclusiveMinimum": 0,
                "default": 1,
                "description": "what a cost is multiplied by before it is charged",
            },
            "resolve_variables": {
                "type": "boolean",
                "default": True,
                "description": "whether variables and the schema's defaults count, or are as if they weren't there",
            },
            "introspection_endpoint": {
                "type": "string",
                "pattern": "^https?://",
                "description": "where the schema is asked for, the upstream when unset",
            },
            "introspection_headers": {
                "type": "object",
                "patternProperties": {"^[^:]+$": {"type": "string"}},
                "description": "sent when the schema is asked for",
            },
        },
    }
    encrypt_fields: ClassVar[tuple[str, ...]] = (*LimitCount.encrypt_fields, "introspection_headers")

    def __init__(self, conf: Conf, scope: Scope) -> None:
        super().__init__(conf, scope)
        self._schemas = scope.keep("graphql-limit-count.schemas", lambda: Schemas(scope))

    async def access(self, ctx: Context) -> Exit | None:
        """Charge the query's cost; what costs more than `max_cost` is charged and refused."""
        if ctx.method != "POST":
            return Exit(405)
        asked = await asked_by_post(ctx)
        cost = await self._cost(ctx, asked) if isinstance(asked, Asked) else asked
        if isinstance(cost, Exit):
            return cost
        if self.conf["show_limit_quota_header"]:
            ctx.response.set("X-Graphql-Query-Cost", str(cost))
        charged: Any = self.charge(ctx, cost)
        verdict: Exit | None = await charged if isawaitable(charged) else charged
        if verdict is not None and verdict.status == 500 and self.conf["rejected_code"] != 500:
            return verdict  # the counting itself failed
        most = self.conf["max_cost"]
        if 0 < most < cost:
            shown = int(most) if float(most).is_integer() else most
            return Exit(403, {"message": f"Invalid graphql request: query cost {cost} exceeds max_cost {shown}"})
        return verdict

    async def _cost(self, ctx: Context, asked: Asked) -> int | Exit:
        found = definitions(asked.query)
        if isinstance(found, Exit):
            return found
        fragments: dict[str, Any] = {one.name.value: one for one in found if one.kind == "fragment_definition"}
        operations = [one for one in found if one.kind != "fragment_definition"]
        if not operations:
            return refusal("Invalid graphql request: empty graphql query")
        operations = _meant(operations, asked.operation_name)
        raw = await self._raw_cost(ctx, operations, fragments, asked.variables)
        if isinstance(raw, Exit):
            return raw
        factor: float = self.conf["score_factor"]
        return max(ceil(raw * factor), 1)

    async def _raw_cost(
        self, ctx: Context, operations: list[Any], fragments: dict[str, Any], variables: Any
    ) -> float | Exit:
        conf = self.conf
        strategy = conf["cost_strategy"]
        try:
            if strategy == "depth":
                return depth(operations, fragments)
            walk = await self._walk(ctx, fragments, variables)
            return max(walk.cost(strategy, operation) for operation in operations) + _EPSILON
        except FragmentCycle:
            self.scope.log("error", "invalid graphql request: fragment spreads form a cycle")
            return refusal("Invalid graphql request: fragment spreads must not form cycles")
        except TooManySelections:
            self.scope.log("error", f"the query expands past {MOST_SELECTIONS} selections")
            return refusal("Invalid graphql request: the query expands too many selections")
        except NoSchema as problem:
            self.scope.log("error", f"failed to compute the graphql query cost: {problem}")
            return refusal("Invalid graphql request: failed to introspect the upstream graphql schema")

    async def _walk(self, ctx: Context, fragments: dict[str, Any], variables: Any) -> Walk:
        """Beside the schema where the route's service has decorations; raises NoSchema."""
        resolves = self.conf["resolve_variables"]
        given = variables if resolves and isinstance(variables, dict) else None
        value = getattr(ctx.route, "value", None) or {}
        service = value.get("service_id")
        decorations = [] if service is None else self._decorations(str(service))
        if not decorations:
            return Walk(fragments, Position(), None, given, resolves)
        types = await self._schemas.of(ctx, self.conf, str(service))
        return Walk(fragments, positions(decorations), types, given, resolves)

    def _decorations(self, service: str) -> list[Any]:
        found = self.scope.stored_below("services", service, "graphql_cost_decorations")
        return [one for one in found if one.get("field_path")]


def _meant(operations: list[Any], name: Any) -> list[Any]:
    """The operation that is named, all where none or no such one is."""
    if len(operations) < 2 or not isinstance(name, str):
        return operations
    chosen = [one for one in operations if getattr(one, "name", None) and one.name.value == name]
    return chosen[:1] or operations
