"""What one of the five services brings along: its name, its configuration's model, its routes and its RPCs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import grpc.aio
from starlette.routing import BaseRoute

from stubs.common.config import ServiceConfig
from stubs.common.replica import Replica


@dataclass(frozen=True, slots=True)
class Service:
    """A service as the catalogue lists it.

    `build` makes, for one replica, the HTTP routes and a function that adds the gRPC services to a server.
    """

    name: str
    config: type[ServiceConfig]
    build: Callable[[Replica], Faces]


@dataclass(frozen=True, slots=True)
class Faces:
    """The two faces of a service in one replica, around the same operations."""

    routes: Sequence[BaseRoute]
    add_rpcs: Callable[[grpc.aio.Server], None]
