"""APISIX in a container: `ApisixContainer().with_etcd("http://etcd:2379").with_place(network, "apisix")`."""

from __future__ import annotations

import secrets
from typing import Any, Self

import yaml

from harness.clients import ApisixClient
from harness.engines.containers.base import HarnessContainer
from harness.engines.containers.readiness import HttpAnswers

#: Where APISIX reads its configuration.
CONFIG = "/usr/local/apisix/conf/config.yaml"
ANYWHERE = "0.0.0.0"


class ApisixContainer(HarnessContainer):
    """An APISIX that keeps its configuration in an etcd it must be told: the real one, or the emulator's image.

    HTTP 9080, HTTPS 9443, Admin API 9180 (with `admin_key`), Control API 9090, metrics 9091.
    """

    component = "apisix"
    HTTP, HTTPS, ADMIN, CONTROL, METRICS = 9080, 9443, 9180, 9090, 9091
    PORTS = (HTTP, HTTPS, ADMIN, CONTROL, METRICS)

    def __init__(self, image: str | None = None, *, admin_key: str = "", **options: Any) -> None:
        super().__init__(image, **options)
        self.admin_key = admin_key or secrets.token_hex(16)
        self._etcd = "http://etcd:2379"
        self._nacos = ""
        self._trusted = ["127.0.0.1", "unix:"]
        self.with_readiness(HttpAnswers(self.HTTP, "/", below=500))

    def with_etcd(self, url: str) -> Self:
        """Where its configuration is kept, as it reaches it."""
        self._etcd = url
        return self

    def with_nacos(self, url: str) -> Self:
        """Discovery through Nacos: http://user:password@host:port, as it reaches it."""
        self._nacos = url
        return self

    def with_trusted(self, *addresses: str) -> Self:
        """Whose X-Real-IP it believes, besides its own loopback."""
        self._trusted += addresses
        return self

    def begin(self) -> Self:
        """Make and start it with the configuration as it is now."""
        self.with_copy_into_container(yaml.safe_dump(self.config()).encode(), CONFIG)
        if self.emulated:
            self._as_emulator()
        return super().begin()

    def config(self) -> dict[str, Any]:
        """Its config.yaml."""
        admin = {
            "allow_admin": ["0.0.0.0/0"],
            "admin_listen": {"ip": ANYWHERE, "port": self.ADMIN},
            "admin_key": [{"name": "admin", "key": self.admin_key, "role": "admin"}],
        }
        discovery = {"nacos": {"host": [self._nacos], "fetch_interval": 1}} if self._nacos else {}
        return {
            "apisix": {
                "node_listen": [{"ip": ANYWHERE, "port": self.HTTP}],
                "ssl": {"enable": True, "listen": [{"ip": ANYWHERE, "port": self.HTTPS}]},
                "enable_control": True,
                "control": {"ip": ANYWHERE, "port": self.CONTROL},
            },
            "deployment": {
                "role": "traditional",
                "role_traditional": {"config_provider": "etcd"},
                "admin": admin,
                "etcd": {"host": [self._etcd], "prefix": "/apisix", "timeout": 30},
            },
            "nginx_config": {"http": {"real_ip_from": self._trusted}},
            "plugin_attr": {"prometheus": {"export_addr": {"ip": ANYWHERE, "port": self.METRICS}}},
            **({"discovery": discovery} if discovery else {}),
        }

    def _as_emulator(self) -> None:
        listeners = {"http": self.HTTP, "https": self.HTTPS, "admin": self.ADMIN, "control": self.CONTROL}
        pairs = [(f"--{name}", f"{ANYWHERE}:{port}") for name, port in listeners.items()]
        self.with_entrypoint("python", "-m", "harness.emulators.apisix.serve").with_command(
            [
                *(part for pair in pairs for part in pair),
                *("--prometheus", f"{ANYWHERE}:{self.METRICS}", "--config", CONFIG),
                # what the emulator alone can do is for whoever reaches its published port, which is this machine
                *("--control-from", "0.0.0.0/0"),
            ]
        )
        if self._nacos:
            self.with_env("HARNESS_APISIX_NACOS", self._nacos)

    def admin(self) -> ApisixClient:
        """A client of its Admin API."""
        return ApisixClient(self.url(self.ADMIN), self.admin_key)
