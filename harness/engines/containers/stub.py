"""One replica of a service in a container: ours, or a team's own image that is told the same variables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from harness.engines.containers.base import HarnessContainer
from harness.engines.containers.readiness import HttpAnswers


class StubContainer(HarnessContainer):
    """A service's image on `http_port` and, unless it is 0, `grpc_port`.

    It counts as ready when `/readyz` answers with less than a 500: a service that has no such path has opened its port.
    """

    def __init__(self, image: str, *, http_port: int = 8080, grpc_port: int = 9090, **options: Any) -> None:
        super().__init__(image, **options)
        self.http_port, self.grpc_port = http_port, grpc_port
        for port in filter(None, (http_port, grpc_port)):
            self.with_published(port)
        self.with_envs(BIND_HOST="0.0.0.0", HTTP_PORT=str(http_port), GRPC_PORT=str(grpc_port or ""))
        self.with_readiness(HttpAnswers(http_port, "/readyz", below=500))

    def with_nacos(
        self,
        address: str,
        *,
        namespace: str = "public",
        group: str = "DEFAULT_GROUP",
        user: str = "",
        password: str = "",
    ) -> Self:
        """Registered with, and configured from, the Nacos that it reaches at host:port."""
        where = {"NACOS_ADDR": address, "NACOS_NAMESPACE": namespace, "NACOS_GROUP": group}
        return self.with_environment({**where, "NACOS_USERNAME": user, "NACOS_PASSWORD": password})

    def with_environment(self, variables: Mapping[str, str]) -> Self:
        """More variables."""
        return self.with_envs(**variables)

    @property
    def http(self) -> str:
        """host:port of its HTTP server."""
        return self.address(self.http_port)

    @property
    def grpc(self) -> str:
        """host:port of its gRPC server, "" without one."""
        return self.address(self.grpc_port) if self.grpc_port else ""
