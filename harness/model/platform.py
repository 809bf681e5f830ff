"""A declared platform: services, gateway, security, Nacos configuration, as one environment has them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from harness.model.routes import Gateway
from harness.model.security import Security


class Resources(NamedTuple):
    """What one replica may use, in Kubernetes' units ("500m", "256Mi"); "" where nothing is declared."""

    cpu: str
    memory: str


@dataclass(frozen=True, slots=True)
class Build:
    """How an image is built: paths are relative to the platform file, `secrets` are name → file or variable."""

    context: str
    dockerfile: str
    target: str
    args: Mapping[str, str]
    secrets: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Config:
    """A Nacos configuration, its content complete."""

    data_id: str
    group: str
    namespace: str
    type: str
    description: str
    content: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Service:
    """One service of the platform.

    `command` starts a replica, `warm` a parent process that forks them (see the embedded engine). Ports are those
    inside a container, 0 for none. An `external` service runs elsewhere and is only routed to.
    """

    name: str
    external: bool
    replicas: int
    http_port: int
    grpc_port: int
    command: tuple[str, ...]
    warm: tuple[str, ...]
    env: Mapping[str, str] = field(repr=False)
    image: str
    build: Build | None
    resources: Resources
    nacos_namespace: str
    nacos_group: str
    config: Config | None
    gateway: Gateway | None


@dataclass(frozen=True, slots=True)
class Nacos:
    """The namespace and group that services use unless they say otherwise, and configurations besides theirs."""

    namespace: str
    group: str
    configs: tuple[Config, ...]


@dataclass(frozen=True, slots=True)
class Platform:
    """A platform in one of its environments. `directory` is the platform file's: relative paths start there.

    `global_rules` is plugin → configuration; `apisix` has resources as they are: kind → id → body.
    """

    name: str
    environment: str
    environments: tuple[str, ...]
    directory: Path
    services: Mapping[str, Service]
    security: Security
    nacos: Nacos
    global_rules: Mapping[str, Mapping[str, Any]]
    apisix: Mapping[str, Mapping[str, Mapping[str, Any]]] = field(repr=False)
