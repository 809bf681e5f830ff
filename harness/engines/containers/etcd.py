"""etcd in a container: `with EtcdContainer() as etcd: etcd.client().put("/key", "value")`."""

from __future__ import annotations

from typing import Any

from harness.clients import EtcdClient
from harness.engines.containers.base import HarnessContainer
from harness.engines.containers.readiness import HttpAnswers


class EtcdContainer(HarnessContainer):
    """One etcd member without authentication; port 2379."""

    component = "etcd"
    PORT = 2379
    PORTS = (PORT,)

    def __init__(self, image: str | None = None, **options: Any) -> None:
        super().__init__(image, **options)
        self.with_readiness(HttpAnswers(self.PORT, "/health"))
        # not by a flag: etcd refuses to have both, and an image may have set the variable
        self.with_env("ETCD_DATA_DIR", "/tmp/etcd")
        self.with_entrypoint("etcd").with_command(_arguments(self.PORT))

    def client(self) -> EtcdClient:
        """A client of it."""
        return EtcdClient(self.url(self.PORT))


def _arguments(port: int) -> list[str]:
    at = f"http://0.0.0.0:{port}"
    # one member whose data nobody wants after a power cut: no vote to wait for, no sync to the disk
    quick = ["--heartbeat-interval", "10", "--election-timeout", "100", "--unsafe-no-fsync"]
    listen = ["--listen-client-urls", at, "--advertise-client-urls", at]
    return [*listen, *quick, "--log-level", "warn"]
