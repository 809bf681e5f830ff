"""Weights of GraphQL fields, kept below the service they belong to."""

from __future__ import annotations

from harness.emulators.apisix.resources.kind import Kind
from harness.emulators.apisix.schema.common import ID, METADATA, listed, obj, text

_WEIGHT = {"type": "number", "minimum": 0, "default": 1}
_ARGUMENTS = listed(text(minLength=1))
_NAME = "[A-Za-z_][A-Za-z0-9_]*"

GRAPHQL_COST_DECORATION = obj(
    {
        **METADATA,
        "service_id": ID,
        "field_path": {
            **text(pattern=rf"^{_NAME}(\.{_NAME})*$"),
            "description": "the decorated position in the schema graph: a type, a type and a field, or a chain of "
            "selections from the root type on",
        },
        "add_value": {**_WEIGHT, "description": "the field's own cost"},
        "add_arguments": {**_ARGUMENTS, "description": "query arguments whose values are added to add_value"},
        "mul_value": {**_WEIGHT, "description": "multiplies the cost of everything selected under the field"},
        "mul_arguments": {
            **_ARGUMENTS,
            "description": "query arguments whose values are multiplied into mul_value",
        },
    },
    required=["field_path"],
    additionalProperties=False,
)


class GraphqlCostDecorations(Kind):
    """What graphql-limit-count charges for a field."""

    directory = "graphql_cost_decorations"
    label = "graphql cost decoration"
    schema_name = "graphql_cost_decoration"
    schema = GRAPHQL_COST_DECORATION
