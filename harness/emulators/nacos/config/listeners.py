"""Who listens to which configuration: long polls over HTTP and connections over gRPC."""

from __future__ import annotations

from harness.emulators.nacos.config.model import ConfigKey


class Listeners:
    """Connections by key: the tenant is remembered as each client spelled it, because notices echo it."""

    def __init__(self) -> None:
        self.by_key: dict[ConfigKey, dict[str, tuple[str, str]]] = {}
        self.by_connection: dict[str, set[ConfigKey]] = {}

    def listen(self, connection_id: str, key: ConfigKey, tenant: str, md5: str) -> None:
        """Start listening; `md5` is what the client has now."""
        self.by_key.setdefault(key, {})[connection_id] = (tenant, md5)
        self.by_connection.setdefault(connection_id, set()).add(key)

    def forget(self, connection_id: str, key: ConfigKey) -> None:
        """Stop listening to one key."""
        held = self.by_key.get(key, {})
        held.pop(connection_id, None)
        if not held:
            self.by_key.pop(key, None)
        self.by_connection.get(connection_id, set()).discard(key)

    def disconnect(self, connection_id: str) -> None:
        """Stop listening to everything."""
        for key in list(self.by_connection.get(connection_id, ())):
            self.forget(connection_id, key)
        self.by_connection.pop(connection_id, None)

    def of(self, key: ConfigKey) -> dict[str, tuple[str, str]]:
        """connection id → (tenant as sent, md5 last told), of everyone who listens to the key."""
        return self.by_key.get(key, {})
