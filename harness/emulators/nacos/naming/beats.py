"""Heart-beats of v1 clients: who beats, who missed 15 s (unhealthy) and who missed 30 s (removed)."""

from __future__ import annotations

from dataclasses import replace

from harness.emulators.nacos.naming.model import Instance, ServiceKey
from harness.emulators.nacos.naming.registry import Registry


def http_client_id(ip: str, port: int, ephemeral: bool) -> str:
    """The client id of an instance registered over HTTP; gRPC clients go by their connection id."""
    return f"{ip}:{port}#{'true' if ephemeral else 'false'}"


def is_http_client(client_id: str) -> bool:
    """Whether a publication came over HTTP."""
    return "#" in client_id


class Beats:
    """The last heart-beat of every ephemeral instance that was registered over HTTP."""

    def __init__(self, registry: Registry) -> None:
        self.registry = registry
        self.last: dict[tuple[ServiceKey, str], float] = {}

    def register(self, key: ServiceKey, instance: Instance) -> None:
        """Register over HTTP; raises what `Registry.register` raises."""
        client_id = http_client_id(instance.ip, instance.port, instance.ephemeral)
        self.registry.register(key, client_id, (instance,), ephemeral=instance.ephemeral)
        if instance.ephemeral:
            self.last[key, client_id] = self.registry.clock.monotonic()

    def deregister(self, key: ServiceKey, ip: str, port: int, ephemeral: bool) -> bool:
        """Deregister over HTTP; answers whether there was something."""
        client_id = http_client_id(ip, port, ephemeral)
        self.last.pop((key, client_id), None)
        return self.registry.deregister(key, client_id)

    def beat(self, key: ServiceKey, ip: str, port: int, full: Instance | None) -> bool:
        """Take a heart-beat. An unknown instance is registered from a `full` beat; False means: register again."""
        client_id = http_client_id(ip, port, True)
        if (key, client_id) not in self.last:
            if full is None:
                return False
            self.register(key, replace(full, healthy=True, ephemeral=True))
        self.last[key, client_id] = self.registry.clock.monotonic()
        self.registry.set_health(key, client_id, True)
        return True

    def expire(self) -> None:
        """Mark and remove those who missed their beats."""
        now = self.registry.clock.monotonic()
        for (key, client_id), last in list(self.last.items()):
            instance = self.registry.services[key].publications[client_id][0]
            silent = (now - last) * 1000
            if silent >= instance.delete_timeout:
                del self.last[key, client_id]
                self.registry.deregister(key, client_id)
            elif silent >= instance.beat_timeout:
                self.registry.set_health(key, client_id, False)
