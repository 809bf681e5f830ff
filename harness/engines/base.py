"""What an engine is: it says where a declared platform runs, and hands out addresses and replicas."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from harness.model import Platform

#: What a scenario may ask for with `requires=…`; an engine names those it has.
CAPABILITIES: Mapping[str, str] = {
    "admin": "the gateway's configuration can be changed",
    "nacos-write": "Nacos configuration and registrations can be changed",
    "processes": "replicas can be killed, paused, stopped, restarted and scaled",
    "stubs": "the services are the harness's stand-ins: journals, latency and error knobs",
    "clock": "the gateway's and Nacos' clocks can be advanced",
    "journal": "the gateway tells why it decided as it did",
    "network": "replicas can be cut off the network",
    "slow-link": "replicas' links can be made slow and lossy",
    "direct": "services can be reached past the gateway",
}


@dataclass(frozen=True)
class Endpoints:
    """Where the components of a running stack listen; "" or None for what this engine hasn't.

    URLs have no trailing slash; `nacos_grpc` is host:port.
    """

    gateway_http: str
    admin_url: str = ""
    admin_key: str = field(default="", repr=False)
    gateway_https: str = ""
    control_url: str = ""
    prometheus_url: str = ""
    nacos_http: str = ""
    nacos_grpc: str = ""
    nacos_username: str = ""
    nacos_password: str = field(default="", repr=False)
    etcd_url: str = ""
    #: the address from which the gateway sees this process's requests come
    seen_as: str = "127.0.0.1"


@dataclass(frozen=True)
class NacosAccess:
    """Where Nacos' HTTP API is, and who may use it."""

    http: str
    username: str
    password: str = field(repr=False)


@dataclass(frozen=True)
class Status:
    """One line of `harness status`: state is starting, ready, paused, stopped or dead."""

    component: str
    state: str
    address: str = ""
    pid: int | None = None
    detail: str = ""


class Replica(Protocol):
    """One running copy of a service."""

    @property
    def service(self) -> str:
        """The service's name."""
        ...

    @property
    def index(self) -> int:
        """0, 1, …: stays the same over restarts."""
        ...

    @property
    def http(self) -> str:
        """host:port of its HTTP server."""
        ...

    @property
    def grpc(self) -> str:
        """host:port of its gRPC server, "" without one."""
        ...

    @property
    def inside(self) -> str:
        """host:port of its HTTP server as it registers it and the gateway reaches it."""
        ...

    @property
    def inside_grpc(self) -> str:
        """host:port of its gRPC server as it registers it, "" without one."""
        ...

    @property
    def pid(self) -> int | None:
        """Its process id where there is one."""
        ...

    @property
    def state(self) -> str:
        """starting, ready, paused, cut (off the network), stopped or dead."""
        ...

    def kill(self) -> None:
        """End it at once (SIGKILL) and wait until it is gone."""
        ...

    def stop(self) -> None:
        """Ask it to end (SIGTERM: deregister, drain) and wait until it is gone."""
        ...

    def pause(self) -> None:
        """Freeze it: connections stay open and nothing answers."""
        ...

    def resume(self) -> None:
        """Let a paused one go on."""
        ...

    def restart(self) -> None:
        """End it if it runs, start it anew and wait until it is ready (its ports may change)."""
        ...

    def disconnect(self) -> None:
        """Cut it off the network: connections hang. Raises EngineUnavailable where it has no network of its own."""
        ...

    def connect(self) -> None:
        """Back in the network, at the address that it had."""
        ...

    def slow_link(self, delay: float = 0.0, jitter: float = 0.0, loss: float = 0.0) -> None:
        """Its answers take `delay` seconds longer, give or take `jitter`; a share `loss` gets lost; 0 is quick again.

        Raises EngineUnavailable where links can't be slowed, SpecError for what makes no sense.
        """
        ...

    @property
    def slowed(self) -> bool:
        """Whether its link has been touched."""
        ...

    def plain_link(self) -> None:
        """The link as if it had never been touched."""
        ...


#: Told of each step while a stack starts.
Progress = Callable[[Status], None]


class Engine(Protocol):
    """Runs one platform in one environment. Built, then `start`, `launch_services`, at last `stop`."""

    @property
    def name(self) -> str:
        """embedded, docker or remote."""
        ...

    @property
    def capabilities(self) -> frozenset[str]:
        """The keys of CAPABILITIES that it has."""
        ...

    @property
    def emulated(self) -> frozenset[str]:
        """Which of nacos and gateway are this project's emulators."""
        ...

    @property
    def endpoints(self) -> Endpoints:
        """The addresses; raises RuntimeError before `start`."""
        ...

    @property
    def nacos(self) -> NacosAccess:
        """Nacos' address and credentials, known before the gateway is ready."""
        ...

    @property
    def versions(self) -> Mapping[str, str]:
        """Component → what it is, real or emulated, with its version: for the header of a run."""
        ...

    def start(self) -> None:
        """Begin to start all components, side by side; returns at once."""
        ...

    def wait(self, component: str, timeout: float) -> None:
        """Until etcd, nacos or gateway is ready. Raises NotReady with its last log lines."""
        ...

    def warm_up(self, platform: Platform) -> None:
        """Prepare what the services need while the components start; returns at once."""
        ...

    def launch_services(self, platform: Platform) -> None:
        """Start every replica of every service that the platform runs; returns at once."""
        ...

    def wait_services(self, timeout: float) -> None:
        """Until every replica is ready. Raises NotReady with the last log lines of the one that isn't."""
        ...

    def addresses(self) -> Mapping[str, Sequence[str]]:
        """Service → host:port of its replicas as the gateway reaches them, known once they are launched."""
        ...

    def replicas(self, service: str) -> Sequence[Replica]:
        """The replicas of a service, by index. Raises LookupError for an unknown service."""
        ...

    def scale(self, service: str, count: int) -> None:
        """Start or stop replicas until there are `count`, and wait until they are ready or gone."""
        ...

    def status(self) -> Sequence[Status]:
        """Every component and replica."""
        ...

    def log_files(self, component: str) -> Sequence[Path]:
        """The log files of a component, service or replica. Raises LookupError for an unknown one."""
        ...

    def logs(self, component: str, lines: int = 20) -> str:
        """The last log lines of etcd, nacos, gateway, a service ("bi-basic") or one replica ("bi-basic/0")."""
        ...

    def stop(self) -> None:
        """End everything that this engine started; stopping twice is fine."""
        ...
