"""Every kind of resource, one line each; and the schemas that /schema/<name> shows."""

from __future__ import annotations

from harness.emulators.apisix.resources.consumer import Consumers, Credentials
from harness.emulators.apisix.resources.graphql_cost_decoration import GraphqlCostDecorations
from harness.emulators.apisix.resources.kind import Kind
from harness.emulators.apisix.resources.plugin_metadata import PluginMetadata
from harness.emulators.apisix.resources.plugin_sets import ConsumerGroups, GlobalRules, PluginConfigs
from harness.emulators.apisix.resources.proto import Protos
from harness.emulators.apisix.resources.route import Routes
from harness.emulators.apisix.resources.secret import Secrets
from harness.emulators.apisix.resources.service import Services
from harness.emulators.apisix.resources.ssl import Ssls
from harness.emulators.apisix.resources.stream_route import StreamRoutes
from harness.emulators.apisix.resources.upstream import (
    DISCOVERY_NODES,
    HASH_COMBINATIONS,
    HASH_HEADER,
    HASH_VARS,
    Upstreams,
)
from harness.emulators.apisix.schema import common, health
from harness.emulators.apisix.schema.common import Schema, listed, obj, text

KINDS: tuple[Kind, ...] = (
    Routes(),
    Services(),
    Upstreams(),
    Consumers(),
    Credentials(),
    Ssls(),
    Protos(),
    GlobalRules(),
    StreamRoutes(),
    PluginMetadata(),
    PluginConfigs(),
    ConsumerGroups(),
    Secrets(),
    GraphqlCostDecorations(),
)

BY_DIRECTORY: dict[str, Kind] = {kind.directory: kind for kind in KINDS}

#: the list under /plugins in etcd
PLUGIN_LIST: Schema = listed(
    obj(
        {"name": text(minLength=1), "stream": {"type": "boolean"}, "additionalProperties": False},
        required=["name"],
    )
)

#: the sections of the Control API's /v1/schema
MAIN_SCHEMAS: dict[str, Schema | list[Schema]] = {
    **{kind.schema_name: kind.schema for kind in KINDS if kind.schema and kind.schema_name != "credential"},
    "plugins": PLUGIN_LIST,
    "upstream_hash_header_schema": HASH_HEADER,
    "upstream_hash_vars_schema": HASH_VARS,
}

#: what the Admin API's /schema/<name> knows
SCHEMAS: dict[str, Schema | list[Schema]] = {
    **MAIN_SCHEMAS,
    "credential": BY_DIRECTORY["credentials"].schema,
    "upstream_hash_vars_combinations_schema": HASH_COMBINATIONS,
    "anonymous_consumer_schema": common.ANONYMOUS_CONSUMER,
    "discovery_nodes": DISCOVERY_NODES,
    "health_checker": health.CHECKER,
    "health_checker_active": health.ACTIVE,
    "health_checker_passive": health.PASSIVE,
    "host_def": common.HOST,
    "id_schema": common.ID,
    "ip_def": common.IP,
    "label_value_def": common.LABEL_VALUE,
    "method_schema": common.METHOD,
    "plugin_injected_schema": common.PLUGIN_INJECTED,
    "uri_def": common.URI,
}
