"""What a platform compiles to: plain APISIX Admin API resources and Nacos records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

#: The Admin API's kinds in the order in which they must be written: what is referred to comes first.
KINDS = (
    "secrets",
    "ssls",
    "protos",
    "plugin_metadata",
    "upstreams",
    "services",
    "plugin_configs",
    "consumer_groups",
    "consumers",
    "global_rules",
    "routes",
    "stream_routes",
)


@dataclass(frozen=True, slots=True)
class Resource:
    """`PUT /apisix/admin/<kind>/<id>` with `body`; a consumer's id is its `username`."""

    kind: str
    id: str
    body: Mapping[str, Any] = field(repr=False)


class NacosNamespace(NamedTuple):
    """A namespace to create; `id` "public" is always there and never listed."""

    id: str
    name: str
    description: str = ""


@dataclass(frozen=True, slots=True)
class NacosConfig:
    """A configuration to publish; `type` is yaml, json, properties, text, xml, html or toml."""

    namespace: str
    group: str
    data_id: str
    type: str
    content: str = field(repr=False)
    description: str = ""


@dataclass(frozen=True, slots=True)
class Compiled:
    """Everything to write to APISIX and to Nacos, each in the order to write it in."""

    resources: tuple[Resource, ...]
    namespaces: tuple[NacosNamespace, ...]
    configs: tuple[NacosConfig, ...]

    def of(self, kind: str) -> dict[str, Resource]:
        """The resources of one kind, by id."""
        return {resource.id: resource for resource in self.resources if resource.kind == kind}
