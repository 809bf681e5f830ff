"""The registry: register, deregister, subscribe, disconnect, and which services changed since the last push."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from harness.clock import Clock
from harness.emulators.nacos.errors import NacosError, invalid
from harness.emulators.nacos.naming.model import Instance, Overlay, ServiceKey, ServiceMetadata, checked
from harness.emulators.nacos.naming.service import Place, Service, View, empty_view

#: How the ids end of clients that publish persistent instances.
PERSISTENT = "#false"
#: Seconds an unchanged service without instances, or an operator's overlay without its instance, is kept.
EMPTY_SERVICE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Subscriber:
    """Who is told of a service's changes: a gRPC connection or a v1 client's UDP socket, told apart by `client_id`."""

    client_id: str
    clusters: str = ""
    ip: str = ""
    port: int = 0
    agent: str = ""
    app: str = "unknown"


class Registry:
    """All of naming. `changed` is told each service key whose instances or settings changed (at once, maybe often)."""

    def __init__(self, clock: Clock, changed: Callable[[ServiceKey], None] = lambda key: None) -> None:
        self.clock = clock
        self.changed = changed
        #: Told the service and the client of each new subscription.
        self.subscribed: Callable[[ServiceKey, str], None] = lambda key, client_id: None
        self.services: dict[ServiceKey, Service] = {}
        self.subscribers: dict[ServiceKey, dict[str, Subscriber]] = {}
        self.published_by: dict[str, set[ServiceKey]] = {}
        #: the clients that publish persistent instances, each with the monotonic second since when it does
        self.persistent: dict[str, float] = {}
        self.subscribed_by: dict[str, set[ServiceKey]] = {}
        self._overlay_gone: dict[tuple[ServiceKey, Place], float] = {}
        self._last_ref = 0
        #: how a service's JSON spells a member that 2.x and 3.x spell differently
        self.all_ips = "allIps"

    # -- time stamps -------------------------------------------------------------------------------------------------

    def next_ref(self) -> int:
        """The next `lastRefTime` in ms: strictly rising, or SDKs take an answer for an old one."""
        self._last_ref = max(self._last_ref + 1, int(self.clock.time() * 1000))
        return self._last_ref

    # -- publishing --------------------------------------------------------------------------------------------------

    def register(
        self, key: ServiceKey, client_id: str, instances: Iterable[Instance], *, ephemeral: bool = True
    ) -> None:
        """Make `instances` the one publication of this client in the service.

        Raises NacosError (400) for a bad instance, or when the service is of the other kind.
        """
        publication = tuple(checked(replace(one, ephemeral=ephemeral)) for one in instances)
        service = self._service_for(key, ephemeral)
        if service.publications.get(client_id) == publication:
            return
        service.publications[client_id] = publication
        self.add_index(client_id, key)
        self.touch(service)

    def _service_for(self, key: ServiceKey, ephemeral: bool) -> Service:
        service = self.services.get(key)
        if service is None:
            service = self.services[key] = Service(key, ephemeral, self.clock.monotonic())
        if service.ephemeral != ephemeral:
            kind, other = ("ephemeral", "persistent") if ephemeral else ("persistent", "ephemeral")
            why = f"Current service {key.grouped} is {other} service, can't register {kind} instance."
            raise NacosError(400, f"errCode: 400, errMsg: {why} ")
        return service

    def deregister(self, key: ServiceKey, client_id: str) -> bool:
        """Remove whatever this client publishes in the service; answers whether there was something."""
        service = self.services.get(key)
        if service is None or service.publications.pop(client_id, None) is None:
            return False
        self.drop_index(client_id, key)
        self.touch(service)
        return True

    def disconnect(self, client_id: str) -> None:
        """A client is gone: its publications and subscriptions go with it."""
        for key in list(self.published_by.get(client_id, ())):
            self.deregister(key, client_id)
        for key in list(self.subscribed_by.get(client_id, ())):
            self.unsubscribe(key, client_id)

    def set_health(self, key: ServiceKey, client_id: str, healthy: bool) -> None:
        """Mark everything this client publishes in the service."""
        service = self.services[key]
        before = service.publications[client_id]
        after = tuple(replace(one, healthy=healthy) for one in before)
        if before != after:
            service.publications[client_id] = after
            self.touch(service)

    def touch(self, service: Service) -> None:
        """Something about the service changed."""
        service.invalidate(self.clock.monotonic())
        self.changed(service.key)

    # -- operators ---------------------------------------------------------------------------------------------------

    def overlay(self, key: ServiceKey, place: Place, overlay: Overlay) -> None:
        """Lay an operator's change over an instance; raises NacosError (400) for an unknown service."""
        service = self.services.get(key)
        if service is None:
            raise invalid(
                f"service not found, namespace: {key.namespace}, service: Service{{namespace='{key.namespace}', "
                f"group='{key.group}', name='{key.name}', ephemeral=true, revision=0}}",
                code=21008,
            )
        service.overlays[place] = overlay
        self.touch(service)

    def create_service(self, key: ServiceKey, metadata: ServiceMetadata) -> None:
        """Create a service explicitly; raises NacosError (400, 21007) if there is one."""
        if key in self.services:
            raise invalid(f"specified service {key.grouped} already exists!", code=21007)
        service = self.services[key] = Service(key, metadata.ephemeral, self.clock.monotonic())
        service.metadata = metadata
        self.touch(service)

    def update_service(self, key: ServiceKey, metadata: ServiceMetadata) -> None:
        """Replace a service's settings; raises NacosError (400, 21008) for an unknown one."""
        service = self.known(key, f"service {key.grouped} not found!")
        service.metadata = replace(metadata, ephemeral=service.ephemeral)
        self.touch(service)

    def delete_service(self, key: ServiceKey) -> None:
        """Delete an empty service; raises NacosError (400) for an unknown or a full one."""
        service = self.known(key, f"service {key.grouped} not found!")
        if service.instances:
            raise invalid(
                f"Service {key.grouped} is not empty, can't be delete. Please unregister instance first", code=21009
            )
        self.forget(service)

    def known(self, key: ServiceKey, otherwise: str, status: int = 400) -> Service:
        """The service; raises NacosError with the text `otherwise` if there is none."""
        service = self.services.get(key)
        if service is None:
            raise NacosError(status, otherwise, 21008)
        return service

    def forget(self, service: Service) -> None:
        """Drop a service with all that is published to it."""
        for client_id in service.publications:
            self.drop_index(client_id, service.key)
        del self.services[service.key]
        self.changed(service.key)

    def add_index(self, client_id: str, key: ServiceKey) -> None:
        """Remember that a client publishes in a service."""
        if client_id.endswith(PERSISTENT):
            self.persistent.setdefault(client_id, self.clock.monotonic())
        self.published_by.setdefault(client_id, set()).add(key)

    def drop_index(self, client_id: str, key: ServiceKey) -> None:
        """Forget that a client publishes in a service."""
        _discard(self.published_by, client_id, key)
        if client_id not in self.published_by:
            self.persistent.pop(client_id, None)

    # -- reading -----------------------------------------------------------------------------------------------------

    def view(self, key: ServiceKey, clusters: str = "", healthy_only: bool = False) -> View:
        """What a client sees of a service; an unknown one is empty."""
        service = self.services.get(key)
        view = service.view(clusters, healthy_only) if service else empty_view(key, clusters)
        return view if self.all_ips == view.all_ips else view._replace(all_ips=self.all_ips)

    def in_namespace(self, namespace: str) -> list[Service]:
        """The services of a namespace."""
        return [service for key, service in self.services.items() if key.namespace == namespace]

    # -- subscriptions -----------------------------------------------------------------------------------------------

    def subscribe(self, key: ServiceKey, subscriber: Subscriber) -> None:
        """Tell this subscriber of the service's changes; a second subscription replaces the first."""
        held = self.subscribers.setdefault(key, {})
        is_new = subscriber.client_id not in held
        held[subscriber.client_id] = subscriber
        self.subscribed_by.setdefault(subscriber.client_id, set()).add(key)
        if is_new:
            self.subscribed(key, subscriber.client_id)

    def unsubscribe(self, key: ServiceKey, client_id: str) -> None:
        """Forget a subscription, known or not."""
        held = self.subscribers.get(key, {})
        held.pop(client_id, None)
        if not held:
            self.subscribers.pop(key, None)
        _discard(self.subscribed_by, client_id, key)

    # -- cleaning ----------------------------------------------------------------------------------------------------

    def clean(self) -> None:
        """Drop services that were empty, and overlays whose instance was away, for a minute."""
        now = self.clock.monotonic()
        for service in list(self.services.values()):
            if service.overlays:
                self._clean_overlays(service, now)
            if not service.publications and now - service.touched >= EMPTY_SERVICE_SECONDS:
                self.forget(service)

    def _clean_overlays(self, service: Service, now: float) -> None:
        present = {one.place for published in service.publications.values() for one in published}
        for place in list(service.overlays):
            gone = (service.key, place)
            if place in present:
                self._overlay_gone.pop(gone, None)
            elif now - self._overlay_gone.setdefault(gone, now) >= EMPTY_SERVICE_SECONDS:
                del service.overlays[place], self._overlay_gone[gone]


def _discard(index: dict[str, set[ServiceKey]], client_id: str, key: ServiceKey) -> None:
    held = index.get(client_id)
    if held is not None:
        held.discard(key)
        if not held:
            del index[client_id]
