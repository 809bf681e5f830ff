"""Weights of GraphQL fields, kept below the service they belong to."""

from __future__ import annotations

from typing import Any

from harness.emulators.apisix.resources.kind import Desk, Kind, Refused
from harness.emulators.apisix.schema.common import ID, METADATA, listed, obj, text
from harness.emulators.apisix.schema.wording import text as shown

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

    async def bind(self, id_: Any, conf: Any, parent: str, desk: Desk, *, patch: bool = False) -> None:
        """The service comes from the path, and no two decorations of one service have the same position."""
        if not isinstance(conf, dict):
            raise Refused("invalid configuration")
        given = conf.get("service_id")
        if patch and given:
            raise Refused("service_id can not be patched")
        if given and shown(given) != parent:
            raise Refused("wrong service_id, it is taken from the path")
        if not patch and await desk.table.known(f"/services/{parent}") is None:
            raise Refused("service not found", 404)
        _check_position(id_, conf.get("field_path"), parent, desk)
        if not patch:
            conf["service_id"] = parent


def _check_position(id_: Any, position: Any, service: str, desk: Desk) -> None:
    below = f"{service}/graphql_cost_decorations/"
    for key, entry in desk.table.get("services").items():
        other = key.removeprefix(below)
        if position and key != other and other != shown(id_) and entry.value.get("field_path") == position:
            raise Refused(f"field_path {position} is already decorated on this service by [{other}]")
