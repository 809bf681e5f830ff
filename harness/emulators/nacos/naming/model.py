"""What naming keeps: service keys, instances, service metadata; frozen, with their wire forms."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from harness.emulators.nacos import names
from harness.emulators.nacos.errors import IllegalParameter, Unreadable, invalid

BEAT_INTERVAL = "preserved.heart.beat.interval"
BEAT_TIMEOUT = "preserved.heart.beat.timeout"
DELETE_TIMEOUT = "preserved.ip.delete.timeout"
ID_GENERATOR = "preserved.instance.id.generator"


class ServiceKey(NamedTuple):
    """The identity of a service."""

    namespace: str
    group: str
    name: str

    @property
    def grouped(self) -> str:
        """`group@@name`."""
        return names.grouped(self.group, self.name)


@dataclass(frozen=True, slots=True)
class Instance:
    """One instance as its publisher gave it."""

    ip: str
    port: int
    weight: float = 1.0
    healthy: bool = True
    enabled: bool = True
    ephemeral: bool = True
    cluster: str = names.DEFAULT_CLUSTER
    metadata: Mapping[str, str] = field(default_factory=dict)
    #: "" has the server make one, None leaves it out: what is registered by v2 has none
    instance_id: str | None = ""

    @property
    def place(self) -> tuple[str, int, str]:
        """(ip, port, cluster): what operators address an instance by."""
        return (self.ip, self.port, self.cluster)

    def millis(self, key: str, default: int) -> int:
        """A preserved metadata value in milliseconds; what is not digits counts as the default."""
        text = str(self.metadata.get(key, ""))
        return int(text) if text.isdigit() else default

    @property
    def beat_interval(self) -> int:
        """Milliseconds between heart-beats."""
        return self.millis(BEAT_INTERVAL, 5_000)

    @property
    def beat_timeout(self) -> int:
        """Milliseconds without a heart-beat until unhealthy."""
        return self.millis(BEAT_TIMEOUT, 15_000)

    @property
    def delete_timeout(self) -> int:
        """Milliseconds without a heart-beat until removal."""
        return self.millis(DELETE_TIMEOUT, 30_000)

    def named(self, service: ServiceKey) -> str | None:
        """The instance id: the publisher's own, else `ip#port#cluster#group@@service`; None if it has none."""
        if self.instance_id == "":
            return f"{self.ip}#{self.port}#{self.cluster}#{service.grouped}"
        return self.instance_id

    def wire(self, service: ServiceKey) -> dict[str, Any]:
        """The JSON object of a host in lists and pushes."""
        name = self.named(service)
        return {
            **({} if name is None else {"instanceId": name}),
            "ip": self.ip,
            "port": self.port,
            "weight": self.weight,
            "healthy": self.healthy,
            "enabled": self.enabled,
            "ephemeral": self.ephemeral,
            "clusterName": self.cluster,
            "serviceName": service.grouped,
            "metadata": dict(self.metadata),
            "instanceHeartBeatInterval": self.beat_interval,
            "instanceHeartBeatTimeOut": self.beat_timeout,
            "ipDeleteTimeout": self.delete_timeout,
            **self._id_generator(),
        }

    def _id_generator(self) -> dict[str, str]:
        # `Instance.getMetaDataByKeyWithDefault` falls back only where there is no metadata at all
        if not self.metadata:
            return {"instanceIdGenerator": "simple"}
        return {"instanceIdGenerator": self.metadata[ID_GENERATOR]} if ID_GENERATOR in self.metadata else {}


@dataclass(frozen=True, slots=True)
class Overlay:
    """What an operator changed on an instance: it lies over what the publisher says, over re-registration too."""

    weight: float | None = None
    enabled: bool | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)

    def over(self, instance: Instance) -> Instance:
        """The instance as clients see it."""
        return replace(
            instance,
            weight=instance.weight if self.weight is None else self.weight,
            enabled=instance.enabled if self.enabled is None else self.enabled,
            metadata={**instance.metadata, **self.metadata} if self.metadata else instance.metadata,
        )


@dataclass(frozen=True, slots=True)
class ClusterSettings:
    """Health checking of a cluster, as operators set it."""

    checker: Mapping[str, Any] = field(default_factory=lambda: {"type": "TCP"})
    check_port: int = 80
    use_instance_port: bool = True
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ServiceMetadata:
    """What an explicit service carries; services that registrations make implicitly have none."""

    ephemeral: bool = False
    protect_threshold: float = 0.0
    metadata: Mapping[str, str] = field(default_factory=dict)
    selector: Mapping[str, Any] = field(default_factory=lambda: {"type": "none", "contextType": "NONE"})
    clusters: Mapping[str, ClusterSettings] = field(default_factory=dict)


def check_weight(weight: float) -> float:
    """Refuse a weight as the HTTP calls do, and over gRPC nobody; raises NacosError (400)."""
    if not 0 <= weight <= 10000:
        raise invalid("instance format invalid: The weights range from 0.0 to 10000.0", code=21001)
    return weight


def checked(instance: Instance) -> Instance:
    """The instance if the server takes it; raises NacosError (400)."""
    if instance.beat_timeout < instance.beat_interval or instance.delete_timeout < instance.beat_interval:
        raise invalid(
            "Instance 'heart beat interval' must less than 'heart beat timeout' and 'ip delete timeout'.", code=21004
        )
    names.check_instance_cluster(instance.cluster)
    return instance


#: Characters of all keys and values of an instance's metadata together.
MAX_METADATA = 1024


def read_metadata(text: str) -> dict[str, str]:
    """Metadata of a parameter: a JSON object, else `k1=v1,k2=v2`; raises Filtered (the checker reads it first)."""
    if not text.strip():
        return {}
    try:
        loaded = json.loads(text)
    except ValueError:
        return _read_pairs(text)
    if not isinstance(loaded, dict):
        raise _unreadable(text)
    return text_map(loaded)


def check_metadata(metadata: Mapping[str, str]) -> None:
    """Refuse metadata that is too long in all; raises IllegalParameter."""
    if sum(len(key) + len(value) for key, value in metadata.items()) > MAX_METADATA:
        raise IllegalParameter(f"Param 'Metadata' is illegal, the param length should not exceed {MAX_METADATA}.")


def _unreadable(text: str) -> Unreadable:
    return Unreadable(f"metadata format incorrect:{text}")


def _read_pairs(text: str) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for pair in text.split(","):
        key, separator, value = pair.partition("=")
        if not separator or "=" in value:
            raise _unreadable(text)
        pairs[key] = value
    return pairs


def text_map(loaded: Mapping[str, Any]) -> dict[str, str]:
    """A JSON object as the server's map of strings (Jackson turns scalars to text; nulls stay out)."""
    return {str(key): _text(value) for key, value in loaded.items() if value is not None}


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
