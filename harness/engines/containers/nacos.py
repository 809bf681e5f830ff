"""Nacos in a container: `with NacosContainer() as nacos: nacos.client().publish("app.yaml", "a: 1")`."""

from __future__ import annotations

import base64
import secrets
from typing import Any, Self

from harness.clients import NacosClient
from harness.clients.nacos import set_first_password
from harness.engines.containers.base import HarnessContainer
from harness.engines.containers.readiness import AnyOf, HttpAnswers
from harness.ports import free_port

#: Nacos' SDKs find its gRPC port this far above the HTTP port, which the published ports keep.
GRPC_OFFSET = 1000


class NacosContainer(HarnessContainer):
    """A standalone Nacos with its embedded store and authentication on: the real server, or the emulator's image.

    Its user is `username`; ports 8848 (HTTP) and 9848 (gRPC), published 1000 apart so that SDKs can be used from here.
    """

    component = "nacos"
    HTTP = 8848
    GRPC = 9848
    CONSOLE = 8080

    def __init__(self, image: str | None = None, *, username: str = "nacos", password: str = "", **options: Any):
        super().__init__(image, **options)
        self.username = username
        self.password = password or secrets.token_urlsafe(12)
        self.with_port(free_port(GRPC_OFFSET))
        paths = ("/nacos/v3/admin/core/state/readiness", "/nacos/v1/console/health/readiness")
        self.with_readiness(AnyOf(tuple(HttpAnswers(self.HTTP, path) for path in paths)))
        if self.emulated:
            self._as_emulator()
        else:
            self._as_server()

    def with_port(self, port: int) -> Self:
        """Published at this port, and gRPC 1000 above it."""
        return self.with_published(self.HTTP, port).with_published(self.GRPC, port + GRPC_OFFSET)

    def with_heap(self, size: str) -> Self:
        """The server's heap, in Java's units ("512m")."""
        # the official image's own young generation, 512 MB, would leave a smaller heap no room for anything old
        return self.with_envs(JVM_XMS=size, JVM_XMX=size, JVM_XMN="")

    def _as_emulator(self) -> None:
        self.with_env("HARNESS_NACOS_AUTH", f"{self.username}:{self.password}")
        # what the emulator alone can do is for whoever reaches its published port, which is this machine
        self.with_entrypoint("python", "-m", "harness.emulators.nacos")
        self.with_command(["--host", "0.0.0.0", "--port", str(self.HTTP), "--control-from", "0.0.0.0/0"])

    def _as_server(self) -> None:
        token = base64.b64encode(secrets.token_bytes(48)).decode()
        identity = secrets.token_urlsafe(12)
        self.with_envs(MODE="standalone", PREFER_HOST_MODE="ip", NACOS_AUTH_ENABLE="true", NACOS_AUTH_TOKEN=token)
        self.with_envs(NACOS_AUTH_IDENTITY_KEY=identity, NACOS_AUTH_IDENTITY_VALUE=identity).with_heap("384m")

    def ready(self, timeout: float = 120.0) -> Self:
        """Wait until it serves, and give the real one its first password."""
        super().ready(timeout)
        if not self.emulated:
            set_first_password(self.url(self.HTTP), self.password)
        return self

    def client(self) -> NacosClient:
        """A client of it, logged in."""
        return NacosClient(self.url(self.HTTP), username=self.username, password=self.password)
