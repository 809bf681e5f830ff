"""Saving and bringing back naming's state; what connected gRPC clients publish stays as it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from harness.emulators.nacos.naming.beats import Beats, is_http_client
from harness.emulators.nacos.naming.model import Instance, Overlay, ServiceKey, ServiceMetadata
from harness.emulators.nacos.naming.registry import Registry
from harness.emulators.nacos.naming.service import Place, Service


@dataclass(frozen=True, slots=True)
class SavedService:
    """One service without its connection-bound publications."""

    ephemeral: bool
    metadata: ServiceMetadata | None
    publications: Mapping[str, tuple[Instance, ...]]
    overlays: Mapping[Place, Overlay]


@dataclass(frozen=True, slots=True)
class SavedNaming:
    """All services worth keeping; the default is an empty registry."""

    services: Mapping[ServiceKey, SavedService] = field(default_factory=dict)


def save(registry: Registry) -> SavedNaming:
    """What `restore` brings back."""
    saved = {key: _saved(service) for key, service in registry.services.items()}
    return SavedNaming({key: one for key, one in saved.items() if one.publications or one.metadata or one.overlays})


def _saved(service: Service) -> SavedService:
    publications = {client: held for client, held in service.publications.items() if is_http_client(client)}
    return SavedService(service.ephemeral, service.metadata, publications, dict(service.overlays))


def durable(registry: Registry, key: ServiceKey) -> SavedService | None:
    """The part of a service that outlives a restart: persistent instances and explicit settings."""
    service = registry.services.get(key)
    if service is None or (service.ephemeral and service.metadata is None):
        return None
    saved = _saved(service)
    kept = {client: many for client, many in saved.publications.items() if many and not many[0].ephemeral}
    return replace(saved, publications=kept)


def restore(beats: Beats, saved: SavedNaming) -> None:
    """Bring the saved state back; only services that differ count as changed, and every beat counts as fresh."""
    registry = beats.registry
    now = registry.clock.monotonic()
    registry.persistent = dict.fromkeys(registry.persistent, now)
    for key in list(registry.services.keys() - saved.services.keys()):
        _apply(registry, key, None, now)
    for key, one in saved.services.items():
        _apply(registry, key, one, now)
    beats.last = {
        (key, client): now
        for key, one in saved.services.items()
        for client, published in one.publications.items()
        if published and published[0].ephemeral
    }


def _apply(registry: Registry, key: ServiceKey, saved: SavedService | None, now: float) -> None:
    service = registry.services.get(key)
    if service is not None and _saved(service) == (saved or SavedService(service.ephemeral, None, {}, {})):
        if saved is None and not service.publications:
            registry.forget(service)
        return
    if service is None:
        assert saved is not None
        service = registry.services[key] = Service(key, saved.ephemeral, now)
    _replace(registry, service, saved)
    if saved is None and not service.publications:
        registry.forget(service)
    else:
        registry.touch(service)


def _replace(registry: Registry, service: Service, saved: SavedService | None) -> None:
    for client in [client for client in service.publications if is_http_client(client)]:
        del service.publications[client]
        registry.drop_index(client, service.key)
    live = bool(service.publications)
    service.metadata = saved.metadata if saved else None
    service.overlays = dict(saved.overlays) if saved else {}
    if saved and not live:
        service.ephemeral = saved.ephemeral
    for client, published in (saved.publications if saved else {}).items():
        service.publications[client] = published
        registry.add_index(client, service.key)
