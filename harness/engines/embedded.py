"""The embedded engine: every component a process of this machine, on loopback ports of its own; needs pip alone."""

from __future__ import annotations

import json
import secrets
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from harness import processes
from harness.engines.base import Endpoints, NacosAccess, Progress, Status
from harness.engines.lines import LineProcess
from harness.engines.replicas import CommandReplica, Launch, WarmParent, WarmReplica
from harness.errors import SpecError
from harness.etcd_process import EtcdProcess
from harness.ports import free_port

if TYPE_CHECKING:
    from harness.model import Platform, Service

LocalReplica = WarmReplica | CommandReplica

#: Component → the module that is started as its process; it prints `ready {addresses}`.
SERVERS = {"nacos": "harness.emulators.nacos", "gateway": "harness.emulators.apisix.serve"}
#: What may be given a fixed port.
PORTS = ("etcd", "nacos", "http", "https", "admin", "control", "prometheus")
#: Nacos' SDKs find its gRPC port this far above the HTTP port.
NACOS_GRPC_OFFSET = 1000


class _Server:
    """One of our emulators as a process: it prints `ready {addresses}` when it listens."""

    def __init__(self, module: str, arguments: Sequence[str], log: Path, env: Mapping[str, str]) -> None:
        self.addresses: dict[str, str] = {}
        self.lines = LineProcess([sys.executable, "-m", module, *arguments], log=log, env=env, heard=self._heard)

    def _heard(self, line: str) -> None:
        word, _, rest = line.partition(" ")
        if word == "ready":
            self.addresses = json.loads(rest)

    @property
    def status(self) -> str:
        if self.lines.process.poll() is not None:
            return "dead"
        return "ready" if self.addresses else "starting"


class EmbeddedEngine:
    """etcd, the Nacos and APISIX emulators, and the services' replicas, each its own process.

    `ports` may fix some of PORTS; Nacos' gRPC port is 1000 above its own. Raises SpecError for another name.
    """

    name = "embedded"
    emulated = frozenset({"nacos", "gateway"})
    capabilities = frozenset({"admin", "nacos-write", "processes", "slow-link", "stubs", "clock", "journal", "direct"})

    def __init__(self, progress: Progress | None = None, ports: Mapping[str, int] | None = None) -> None:
        self._progress = progress or (lambda status: None)
        self._ports = _checked(ports or {})
        self.directory = processes.temporary_directory("stack")
        self._password = secrets.token_urlsafe(12)
        self._admin_key = secrets.token_hex(16)
        self._replicas: dict[str, list[LocalReplica]] = {}
        self._services: dict[str, Service] = {}
        self._environment = ""
        self._warm: dict[tuple[str, ...], WarmParent] = {}
        self._servers: dict[str, _Server] = {}
        self._etcd: EtcdProcess | None = None

    # --- components

    def start(self) -> None:
        """Start etcd, Nacos and the gateway side by side; returns at once."""
        processes.sweep()
        nacos_port = self._ports.get("nacos") or free_port(NACOS_GRPC_OFFSET)
        self._nacos_http = f"127.0.0.1:{nacos_port}"
        self._etcd = EtcdProcess(self._ports.get("etcd") or free_port(), self._folder("etcd"), self._log("etcd"))
        self._etcd.start()
        self._serve("nacos", ["--port", str(nacos_port)], {"HARNESS_NACOS_AUTH": f"nacos:{self._password}"})
        self._serve("gateway", self._gateway_arguments(), self._gateway_secrets())
        for component in ("etcd", "nacos", "gateway"):
            self._progress(Status(component, "starting"))

    def _serve(self, component: str, arguments: Sequence[str], env: Mapping[str, str]) -> None:
        self._servers[component] = _Server(SERVERS[component], arguments, self._log(component), env)

    def _gateway_arguments(self) -> list[str]:
        assert self._etcd is not None
        listeners = ("http", "https", "admin", "control", "prometheus")
        pairs = [(f"--{name}", f"127.0.0.1:{self._ports.get(name, 0)}") for name in listeners]
        return [*(part for pair in pairs for part in pair), "--etcd", self._etcd.url]

    def _gateway_secrets(self) -> dict[str, str]:
        # by the environment, for a command line is everybody's to read
        nacos = f"http://nacos:{self._password}@{self._nacos_http}"
        return {"HARNESS_APISIX_ADMIN_KEY": self._admin_key, "HARNESS_APISIX_NACOS": nacos}

    def warm_up(self, platform: Platform) -> None:
        """Have the services' warm parents import what they need while the components start."""
        for service in platform.services.values():
            if service.warm and service.warm not in self._warm:
                log = self._log(f"warm-{len(self._warm)}")
                self._warm[service.warm] = WarmParent(_program(service.warm), log, platform.directory)

    def wait(self, component: str, timeout: float) -> None:
        """Until etcd, nacos or gateway is ready. Raises NotReady with its last log lines."""
        if component == "etcd":
            assert self._etcd is not None
            self._etcd.ready(timeout)
        else:
            server = self._servers[component]
            server.lines.wait_for(lambda: bool(server.addresses), timeout, f"{component} to be ready")
        self._progress(next(status for status in self.status() if status.component == component))

    @property
    def nacos(self) -> NacosAccess:
        """Nacos' address and credentials, known before the gateway is ready."""
        return NacosAccess(self._addresses("nacos")["http"], "nacos", self._password)

    @property
    def endpoints(self) -> Endpoints:
        """The addresses; raises RuntimeError before the gateway and Nacos are ready."""
        gateway = self._addresses("gateway")
        nacos = self._addresses("nacos")
        assert self._etcd is not None
        return Endpoints(
            gateway_http=gateway["http"],
            gateway_https=gateway.get("https", ""),
            admin_url=gateway["admin"],
            admin_key=self._admin_key,
            control_url=gateway["control"],
            prometheus_url=gateway["prometheus"],
            nacos_http=nacos["http"],
            nacos_grpc=nacos["grpc"],
            nacos_username="nacos",
            nacos_password=self._password,
            etcd_url=self._etcd.url,
        )

    def _addresses(self, component: str) -> dict[str, str]:
        server = self._servers.get(component)
        if server is None or not server.addresses:
            raise RuntimeError(f"{component} is not ready yet")
        return server.addresses

    @property
    def versions(self) -> Mapping[str, str]:
        """Component → what it is."""
        from importlib.metadata import version

        ours = version("bi-harness")
        return {"etcd": "real", "nacos": f"emulated (bi-harness {ours})", "gateway": f"emulated (bi-harness {ours})"}

    # --- services

    def launch_services(self, platform: Platform) -> None:
        """Start every replica of every service that has a command; returns at once."""
        self._environment = platform.environment
        self.warm_up(platform)
        self._services = {name: service for name, service in platform.services.items() if service.command}
        for name, service in self._services.items():
            self._replicas[name] = [self._launch(service, index) for index in range(service.replicas)]

    def wait_services(self, timeout: float) -> None:
        """Until every replica is ready. Raises NotReady with the last log lines of the one that isn't."""
        for replica in self._all():
            self._await(replica, timeout)

    def _all(self) -> list[LocalReplica]:
        return [replica for replicas in self._replicas.values() for replica in replicas]

    def _await(self, replica: LocalReplica, timeout: float) -> None:
        replica.wait_ready(timeout)
        self._progress(_status(replica))

    def _launch(self, service: Service, index: int) -> LocalReplica:
        launch = Launch(
            service=service.name,
            index=index,
            command=_program(service.command),
            env={**self._service_env(service, index), **service.env},
            log=self._log(f"{service.name}-{index}"),
        )
        if service.warm:
            return WarmReplica(launch, self._warm[service.warm])
        return CommandReplica(launch)

    def _service_env(self, service: Service, index: int) -> dict[str, str]:
        gateway = service.gateway
        return {
            "DEPLOY_ENV": self._environment,
            "NACOS_ADDR": self._nacos_http,
            "NACOS_NAMESPACE": service.nacos_namespace,
            "NACOS_GROUP": service.nacos_group,
            "NACOS_USERNAME": "nacos",
            "NACOS_PASSWORD": self._password,
            "BIND_HOST": "127.0.0.1",
            "ADVERTISE_IP": "127.0.0.1",
            # chosen here and kept over restarts: an upstream that names the address must find it again
            "HTTP_PORT": str(free_port()),
            "GRPC_PORT": str(free_port()) if service.grpc_port else "",
            "REPLICA_ID": f"{service.name}-{index}",
            "STATE_DIR": str(self.directory),
            **({"ROUTE_PREFIX": gateway.route_prefix} if gateway and gateway.route_prefix else {}),
        }

    def addresses(self) -> Mapping[str, Sequence[str]]:
        """Service → host:port of its replicas, whether they are up yet or not."""
        return {name: [replica.http for replica in found] for name, found in self._replicas.items()}

    def replicas(self, service: str) -> Sequence[LocalReplica]:
        """The replicas of a service, by index. Raises LookupError for an unknown service."""
        try:
            return tuple(self._replicas[service])
        except KeyError:
            raise LookupError(f"no service {service!r} runs here; there are {', '.join(self._replicas)}") from None

    def scale(self, service: str, count: int, timeout: float = 10.0) -> None:
        """Start or stop replicas until there are `count`, and wait until they are ready or gone."""
        self.replicas(service)  # an unknown service is told
        running = self._replicas[service]
        for replica in running[count:]:
            replica.remove()
        del running[count:]
        new = [self._launch(self._services[service], index) for index in range(len(running), count)]
        running.extend(new)
        for replica in new:
            self._await(replica, timeout)

    # --- looking at it

    def status(self) -> Sequence[Status]:
        """Every component and replica."""
        found: list[Status] = []
        if self._etcd is not None and self._etcd.process is not None:
            dead = self._etcd.process.poll() is not None
            found.append(Status("etcd", "dead" if dead else "ready", self._etcd.url, self._etcd.pid))
        for component, server in self._servers.items():
            address = server.addresses.get("http", "")
            found.append(Status(component, server.status, address, server.lines.process.pid))
        return [*found, *map(_status, self._all())]

    def logs(self, component: str, lines: int = 20) -> str:
        """The last log lines of a component, of a service's replicas ("bi-basic"), or of one ("bi-basic/0")."""
        return "\n".join(processes.last_lines(log, lines) for log in self.log_files(component))

    def log_files(self, component: str) -> Sequence[Path]:
        """The log files of a component, service or replica. Raises LookupError for an unknown one."""
        if component in ("etcd", "nacos", "gateway"):
            return [self._log(component)]
        service, _, index = component.partition("/")
        replicas = self.replicas(service)
        return [replica.launch.log for replica in replicas if not index or str(replica.index) == index]

    def _log(self, name: str) -> Path:
        return self.directory / f"{name}.log"

    def _folder(self, name: str) -> Path:
        folder = self.directory / name
        folder.mkdir()
        return folder

    # --- the end

    def stop(self) -> None:
        """Replicas first (they deregister), then the components; the logs go last."""
        own = [replica for replica in self._all() if isinstance(replica, CommandReplica)]
        links = [replica.link.process for replica in self._all() if replica.link]
        parents = [parent.lines.process for parent in self._warm.values()]
        processes.stop_all([*parents, *(replica.process for replica in own), *links])
        processes.stop_all([server.lines.process for server in self._servers.values()])
        if self._etcd is not None:
            self._etcd.stop()
        self._warm, self._servers, self._replicas, self._etcd = {}, {}, {}, None
        processes.remove(self.directory)


def _checked(ports: Mapping[str, int]) -> dict[str, int]:
    if unknown := ports.keys() - PORTS:
        raise SpecError(f"no port is called {min(unknown)!r}", where="--port", mend=f"there are {', '.join(PORTS)}")
    return dict(ports)


def _program(command: Sequence[str]) -> list[str]:
    """The command with `python` as the interpreter that runs the harness, whose packages it needs."""
    first, *rest = command
    return [sys.executable if first in ("python", "python3") else first, *rest]


def _status(replica: LocalReplica) -> Status:
    return Status(replica.launch.id, replica.state, replica.http, replica.pid)
