"""Telling clients what changed: naming merges bursts for a few ms, configuration goes out at once; both retry."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterable, Mapping

from harness.emulators.nacos.config.model import ConfigKey
from harness.emulators.nacos.domain import Domain
from harness.emulators.nacos.grpc.connections import Connection, Connections
from harness.emulators.nacos.grpc.hub import GrpcHub
from harness.emulators.nacos.names import PUBLIC
from harness.emulators.nacos.naming.model import ServiceKey
from harness.emulators.nacos.naming.registry import Subscriber

#: Seconds a burst of changes to naming is gathered (the server's own delay is 500 ms).
MERGE_SECONDS = 0.005
#: Seconds until an unanswered push is sent again, and how often a configuration's is.
NAMING_ACK_SECONDS, CONFIG_ACK_SECONDS, CONFIG_TRIES = 5.0, 3.0, 50
#: Seconds of silence until a client is asked whether it lives, and until it counts as dead then.
SILENCE_SECONDS, DETECTION_SECONDS = 20.0, 5.0
#: Seconds that a transport connection may take to become HTTP/2 (grpc-java's `handshakeTimeout`).
HANDSHAKE_SECONDS = 20.0

NOTIFY_NAMING, NOTIFY_CONFIG, DETECT = "NotifySubscriberRequest", "ConfigChangeNotifyRequest", "ClientDetectionRequest"


class Pusher:
    """Collects changes of the domain and pushes them to the connections that asked."""

    def __init__(self, domain: Domain, connections: Connections, hub: GrpcHub) -> None:
        self._domain = domain
        self._connections = connections
        self._hub = hub
        self._services: dict[ServiceKey, None] = {}
        self._newcomers: dict[tuple[ServiceKey, str], None] = {}
        self._configs: dict[ConfigKey, None] = {}
        self._timer: asyncio.TimerHandle | None = None
        #: Told each changed service after its gRPC subscribers were (UDP), each changed configuration (long polls).
        self.also_services: list[Callable[[ServiceKey], None]] = []
        self.also_configs: list[Callable[[ConfigKey], None]] = []

    # -- collecting --------------------------------------------------------------------------------------------------

    def service_changed(self, key: ServiceKey) -> None:
        """Remember the service; one push follows within a few ms."""
        if key in self._services or key not in self._domain.registry.subscribers:
            return
        self._services[key] = None
        self._flush_soon()

    def subscribed(self, key: ServiceKey, client_id: str) -> None:
        """A new subscriber is pushed the service too (upstream: NamingSubscriberServiceV2Impl).

        The Java client needs it: when it subscribes again after a lost connection it drops the answer.
        """
        if client_id in self._connections.by_id:
            self._newcomers[key, client_id] = None
            self._flush_soon()

    def _flush_soon(self) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(MERGE_SECONDS, self._flush_services)

    def config_changed(self, key: ConfigKey) -> None:
        """Remember the configuration; the push follows in this turn of the loop."""
        if not self._configs:
            asyncio.get_running_loop().call_soon(self._flush_configs)
        self._configs[key] = None

    # -- pushing -----------------------------------------------------------------------------------------------------

    def _flush_services(self) -> None:
        self._timer = None
        if not self._domain.switches.pushes:
            return
        changed, self._services = self._services, {}
        newcomers, self._newcomers = self._newcomers, {}
        for key in changed:
            self._push_service(key, self._domain.registry.subscribers.get(key, {}))
            for tell in self.also_services:
                tell(key)
        for key, client_id in newcomers:
            subscriber = self._domain.registry.subscribers.get(key, {}).get(client_id)
            if subscriber is not None and key not in changed:
                self._push_service(key, {client_id: subscriber})

    def _push_service(self, key: ServiceKey, subscribers: Mapping[str, Subscriber]) -> None:
        """Every subscriber of one flush gets the same `lastRefTime`; each spelling of clusters is rendered once."""
        reference = self._domain.registry.next_ref()
        for clusters, reached in self._by_spelling(subscribers.values()).items():
            fields = self._service_fields(key, clusters, reference)
            self._connections.push_all(reached, NOTIFY_NAMING, "naming", fields, _subject(key))

    def _by_spelling(self, subscribers: Iterable[Subscriber]) -> dict[str, list[Connection]]:
        """The connections among them, by the clusters they asked for."""
        found: dict[str, list[Connection]] = {}
        for subscriber in subscribers:
            connection = self._connections.by_id.get(subscriber.client_id)
            if connection is not None:
                found.setdefault(subscriber.clusters, []).append(connection)
        return found

    def _service_fields(self, key: ServiceKey, clusters: str, reference: int) -> bytes:
        info = self._domain.registry.view(key, clusters).to_json(reference, grouped=False)
        return f',"serviceInfo":{info}}}'.encode("utf-8", "replace")

    def _flush_configs(self) -> None:
        changed, self._configs = self._configs, {}
        for key in changed:
            by_tenant: dict[str, list[Connection]] = {}
            for connection_id, (tenant, _) in self._domain.listeners.of(key).items():
                connection = self._connections.by_id.get(connection_id)
                if connection is not None:
                    by_tenant.setdefault(tenant, []).append(connection)
            for tenant, reached in by_tenant.items():
                fields = _config_fields(key, self._told(tenant))
                self._connections.push_all(reached, NOTIFY_CONFIG, "config", fields, "/".join(key))
            for tell in self.also_configs:
                tell(key)

    def _told(self, tenant: str) -> str:
        """The tenant as the listener spelled it; 2.x knows no other name of `public` than none."""
        return self._domain.version.public_tenant if tenant == PUBLIC else tenant

    # -- retries and dead clients ------------------------------------------------------------------------------------

    def tick(self) -> None:
        """Send again what nobody acknowledged, and ask silent clients whether they live. Called every second."""
        if self._services or self._newcomers:  # what was held back while the switch was off
            self._flush_soon()
        self._retry_naming()
        self._retry_config()
        self._detect_silent()
        self._cut_half_open()

    def _retry_naming(self) -> None:
        overdue = self._connections.overdue(NAMING_ACK_SECONDS, (NOTIFY_NAMING,))
        newest = {(connection.id, push.subject): (connection, push) for connection, push in overdue}
        for connection, push in newest.values():
            namespace, group, name = push.subject.split("/", 2)
            key = ServiceKey(namespace, group, name)
            subscriber = self._domain.registry.subscribers.get(key, {}).get(connection.id)
            if subscriber is not None:
                fields = self._service_fields(key, subscriber.clusters, self._domain.registry.next_ref())
                again = self._connections.push(connection, NOTIFY_NAMING, "naming", fields, push.subject)
                again.tries = push.tries + 1

    def _retry_config(self) -> None:
        for connection, push in self._connections.overdue(CONFIG_ACK_SECONDS, (NOTIFY_CONFIG,)):
            key = ConfigKey(*push.subject.split("/", 2))
            listening = self._domain.listeners.of(key).get(connection.id)
            if push.tries >= CONFIG_TRIES:
                self._hub.unregister(connection)
            elif listening is not None:
                fields = _config_fields(key, self._told(listening[0]))
                again = self._connections.push(connection, NOTIFY_CONFIG, "config", fields, push.subject)
                again.tries = push.tries + 1

    def _detect_silent(self) -> None:
        now = time.monotonic()
        for connection in self._connections.registered():
            if connection.probed is not None and now - connection.probed >= DETECTION_SECONDS:
                self._hub.unregister(connection)
            elif connection.probed is None and now - connection.last_active >= SILENCE_SECONDS:
                connection.probed = now
                self._connections.push(connection, DETECT, "internal", b"}", "alive?")

    def _cut_half_open(self) -> None:
        oldest = time.monotonic() - HANDSHAKE_SECONDS
        for link in self._connections.links():
            if not link.greeted and self._connections.of(link).last_active < oldest:
                link.abort()


def _subject(key: ServiceKey) -> str:
    return "/".join(key)


def _config_fields(key: ConfigKey, tenant: str) -> bytes:
    fields = {"dataId": key.data_id, "group": key.group, **({"tenant": tenant} if tenant else {})}
    return ("," + json.dumps(fields)[1:]).encode()
