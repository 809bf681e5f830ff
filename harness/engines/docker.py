"""The docker engine: every component and replica a container in one network, made from real images."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from harness import processes
from harness.engines import building, images
from harness.engines.base import Endpoints, NacosAccess, Progress, Status
from harness.engines.container_replica import ContainerReplica, LogFile
from harness.engines.containers import (
    ApisixContainer,
    EtcdContainer,
    HarnessContainer,
    NacosContainer,
    StubContainer,
    ownership,
)
from harness.engines.containers.daemon import connect
from harness.engines.containers.network import StackNetwork
from harness.engines.limits import cores, in_bytes
from harness.errors import SpecError
from harness.model import Platform, Service

#: Component → the image that plays it, by the name under which images are pinned.
COMPONENTS = {"etcd": "etcd", "nacos": "nacos", "gateway": "apisix"}
#: What may be given a fixed port, and the component that has it.
PORTS = {
    "etcd": ("etcd", EtcdContainer.PORT),
    "nacos": ("nacos", NacosContainer.HTTP),
    "http": ("gateway", ApisixContainer.HTTP),
    "https": ("gateway", ApisixContainer.HTTPS),
    "admin": ("gateway", ApisixContainer.ADMIN),
    "control": ("gateway", ApisixContainer.CONTROL),
    "prometheus": ("gateway", ApisixContainer.METRICS),
}
#: How many containers are started at once: more only wait for the same daemon.
AT_ONCE = 8
#: How those lines of a pull or a build begin that are told: the daemon's own steps, BuildKit's, ours.
_TOLD = ("Step ", "#", "pulling ", "building ")
#: A container takes longer than a process: the time-outs that the stack gives are stretched by this.
PATIENCE = 6


class DockerEngine:
    """etcd, Nacos, APISIX and the services' replicas as containers of one network, published on the loopback alone.

    `ports` may fix some of PORTS; Nacos' gRPC port is 1000 above its own. Raises SpecError for another name.
    """

    name = "docker"

    def __init__(self, progress: Progress | None = None, ports: Mapping[str, int] | None = None) -> None:
        self._progress = progress or (lambda status: None)
        self._ports = _checked(ports or {})
        self._pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="container")
        self._containers: dict[str, Any] = {}
        self._starting: dict[str, Future[Any]] = {}
        self._images: Future[dict[str, str]] | None = None
        self._services: dict[str, Service] = {}
        self._replicas: dict[str, list[ContainerReplica]] = {}
        self._environment = ""
        self._versions: dict[str, str] = {}
        self._network: StackNetwork | None = None
        self.directory = processes.temporary_directory("stack")

    # --- components

    def start(self) -> None:
        """Start etcd and Nacos side by side, the gateway after etcd; returns at once.

        Raises EngineUnavailable when there is no daemon, or when an image is neither here nor can be pulled.
        """
        self._client = connect()
        ownership.sweep(self._client)
        chosen = {name: self._image(name, component) for name, component in COMPONENTS.items()}
        self._network = StackNetwork(self._client).create()
        self._containers = self._made(chosen)
        self._versions = {name: container.about for name, container in self._containers.items()}
        for component in COMPONENTS:
            self._place(self._containers[component], component)
            self._progress(Status(component, "starting", detail=self._containers[component].about))
        for component in ("etcd", "nacos"):
            self._starting[component] = self._pool.submit(self._begin, component)
        self._starting["gateway"] = self._pool.submit(self._begin_gateway)

    def _image(self, name: str, component: str) -> str:
        say = self._telling(name)
        found = images.ensure(self._client, component, say=say)
        if found.origin == "emulated":
            building.make_current(self._client, [f"{component}-emulator"], say)
        return found.reference

    def _telling(self, component: str) -> Callable[[str], None]:
        """Tells what is pulled and built: of a build its steps, not each line that they print."""

        def tell(line: str) -> None:
            if line.startswith(_TOLD):
                self._progress(Status(component, "starting", detail=line[:100]))

        return tell

    def _made(self, chosen: Mapping[str, str]) -> dict[str, Any]:
        nacos = NacosContainer(chosen["nacos"])
        gateway = ApisixContainer(chosen["gateway"]).with_etcd(f"http://etcd:{EtcdContainer.PORT}")
        gateway.with_nacos(f"http://{nacos.username}:{nacos.password}@nacos:{NacosContainer.HTTP}")
        made: dict[str, Any] = {"etcd": EtcdContainer(chosen["etcd"]), "nacos": nacos, "gateway": gateway}
        for name, number in self._ports.items():
            component, inside = PORTS[name]
            made[component].with_published(inside, number)
        if "nacos" in self._ports:
            nacos.with_port(self._ports["nacos"])
        return made

    def _place(self, container: HarnessContainer, name: str, *aliases: str) -> str:
        """Into the network, under its name; the address that it keeps."""
        assert self._network is not None
        ip = self._network.address(name)
        container.with_place(self._network.name, name, *aliases, ip=ip)
        container.with_name(f"{self._network.name}-{name}").with_labels(stack=self._network.name, component=name)
        return ip

    def _begin(self, component: str) -> None:
        container = self._containers[component]
        container.begin()
        LogFile(container, self._log(component)).follow()

    def _begin_gateway(self) -> None:
        assert self._network is not None
        # what comes through a published port comes from there: its X-Real-IP is the test's own word
        self._containers["gateway"].with_trusted(self._network.gateway)
        self._starting["etcd"].result()
        self._containers["etcd"].ready()
        self._begin("gateway")

    def wait(self, component: str, timeout: float) -> None:
        """Until etcd, nacos or gateway is ready. Raises NotReady with its last log lines."""
        self._starting[component].result()
        self._containers[component].ready(timeout * PATIENCE)
        self._progress(self._component_status(component))

    @property
    def nacos(self) -> NacosAccess:
        """Nacos' address and credentials, known before the gateway is ready."""
        nacos = self._containers["nacos"]
        return NacosAccess(nacos.url(nacos.HTTP), nacos.username, nacos.password)

    @property
    def endpoints(self) -> Endpoints:
        """The addresses; raises RuntimeError before `start`."""
        if not self._containers or self._network is None:
            raise RuntimeError("the containers are not started")
        etcd, nacos, gateway = (self._containers[name] for name in COMPONENTS)
        return Endpoints(
            gateway_http=gateway.url(gateway.HTTP),
            gateway_https=gateway.url(gateway.HTTPS).replace("http:", "https:"),
            admin_url=gateway.url(gateway.ADMIN),
            admin_key=gateway.admin_key,
            control_url=gateway.url(gateway.CONTROL),
            prometheus_url=gateway.url(gateway.METRICS),
            nacos_http=nacos.url(nacos.HTTP),
            nacos_grpc=nacos.address(nacos.GRPC),
            nacos_username=nacos.username,
            nacos_password=nacos.password,
            etcd_url=etcd.url(etcd.PORT),
            seen_as=self._network.gateway,
        )

    @property
    def versions(self) -> Mapping[str, str]:
        """Component → what it is, real or emulated, with its version."""
        return self._versions

    @property
    def emulated(self) -> frozenset[str]:
        """Which of nacos and gateway are our stand-ins."""
        return frozenset(name for name in ("nacos", "gateway") if self._containers[name].emulated)

    @property
    def capabilities(self) -> frozenset[str]:
        """What scenarios may ask for: clock and journal only where the components are emulated."""
        found = {"admin", "nacos-write", "processes", "network", "slow-link", "stubs", "direct"}
        if "gateway" in self.emulated:
            found.add("journal")
        if self.emulated == {"nacos", "gateway"}:
            found.add("clock")
        return frozenset(found)

    # --- services

    def warm_up(self, platform: Platform) -> None:
        """Have the services' images found, pulled or built while the components start."""
        say = self._telling("images")
        self._images = self._pool.submit(building.images_of, self._client, platform, say)

    def launch_services(self, platform: Platform) -> None:
        """Start every replica of every service that runs here; returns when their images are there."""
        assert self._images is not None
        self._environment = platform.environment
        references = self._images.result()
        self._services = {name: platform.services[name] for name in references}
        for name, reference in references.items():
            count = self._services[name].replicas
            self._replicas[name] = [self._launch(name, index, reference) for index in range(count)]

    def _launch(self, name: str, index: int, reference: str) -> ContainerReplica:
        service = self._services[name]
        container = StubContainer(reference, http_port=service.http_port, grpc_port=service.grpc_port)
        ip = self._place(container, f"{name}-{index}", name)
        self._tell(container, service, index, ip)
        container.with_memory(in_bytes(service.resources.memory))
        log = self._log(f"{name}-{index}")
        replica = ContainerReplica(
            container, service=name, index=index, ip=ip, cpu=cores(service.resources.cpu), log=log
        )
        replica.begin(self._pool)
        return replica

    def _tell(self, container: StubContainer, service: Service, index: int, ip: str) -> None:
        nacos = self._containers["nacos"]
        container.with_nacos(
            f"nacos:{nacos.HTTP}",
            namespace=service.nacos_namespace,
            group=service.nacos_group,
            user=nacos.username,
            password=nacos.password,
        )
        own = {"DEPLOY_ENV": self._environment, "ADVERTISE_IP": ip, "REPLICA_ID": f"{service.name}-{index}"}
        gateway = service.gateway
        prefix = {"ROUTE_PREFIX": gateway.route_prefix} if gateway and gateway.route_prefix else {}
        container.with_environment({**own, **prefix, **service.env})

    def wait_services(self, timeout: float) -> None:
        """Until every replica is ready. Raises NotReady with the last log lines of the one that isn't."""
        for replica in self._all():
            self._await(replica, timeout * PATIENCE)

    def _await(self, replica: ContainerReplica, timeout: float) -> None:
        replica.wait_ready(timeout)
        self._progress(_status(replica))

    def _all(self) -> list[ContainerReplica]:
        return [replica for replicas in self._replicas.values() for replica in replicas]

    def addresses(self) -> Mapping[str, Sequence[str]]:
        """Service → host:port of its replicas as the gateway reaches them."""
        return {name: [replica.inside for replica in found] for name, found in self._replicas.items()}

    def replicas(self, service: str) -> Sequence[ContainerReplica]:
        """The replicas of a service, by index. Raises LookupError for an unknown service."""
        try:
            return tuple(self._replicas[service])
        except KeyError:
            raise LookupError(f"no service {service!r} runs here; there are {', '.join(self._replicas)}") from None

    def scale(self, service: str, count: int, timeout: float = 60.0) -> None:
        """Start or stop replicas until there are `count`, and wait until they are ready or gone."""
        self.replicas(service)  # an unknown service is told
        assert self._images is not None
        running = self._replicas[service]
        for replica in running[count:]:
            replica.stop()
            replica.remove()
        del running[count:]
        reference = self._images.result()[service]
        new = [self._launch(service, index, reference) for index in range(len(running), count)]
        running.extend(new)
        for replica in new:
            self._await(replica, timeout)

    # --- looking at it

    def status(self) -> Sequence[Status]:
        """Every component and replica."""
        return [*map(self._component_status, self._containers), *map(_status, self._all())]

    def _component_status(self, component: str) -> Status:
        container = self._containers[component]
        starting = self._starting.get(component)
        if starting is None or not starting.done():
            return Status(component, "starting", detail=container.about)
        if error := starting.exception():
            return Status(component, "dead", detail=str(error))
        first = {"etcd": EtcdContainer.PORT, "nacos": NacosContainer.HTTP, "gateway": ApisixContainer.HTTP}[component]
        state = "ready" if container.running else "dead"
        return Status(component, state, container.url(first) if container.running else "", detail=container.about)

    def logs(self, component: str, lines: int = 20) -> str:
        """The last log lines of a component, of a service's replicas ("bi-basic"), or of one ("bi-basic/0")."""
        return "\n".join(container.log(lines) for container, _ in self._named(component))

    def log_files(self, component: str) -> Sequence[Path]:
        """The log files of a component, service or replica. Raises LookupError for an unknown one."""
        return [file for _, file in self._named(component)]

    def _named(self, component: str) -> list[tuple[HarnessContainer, Path]]:
        if component in COMPONENTS:
            return [(self._containers[component], self._log(component))]
        service, _, index = component.partition("/")
        found = [replica for replica in self.replicas(service) if not index or str(replica.index) == index]
        return [(replica.container, replica.log.file) for replica in found]

    def _log(self, name: str) -> Path:
        return self.directory / f"{name}.log"

    # --- the end

    def stop(self) -> None:
        """Remove every container side by side, then the network; the logs go last."""
        removals = [*(replica.remove for replica in self._all()), *(one.stop for one in self._containers.values())]
        for starting in (*self._starting.values(), *(replica.started for replica in self._all())):
            starting.cancel()
        self._pool.shutdown(wait=True)
        with ThreadPoolExecutor(AT_ONCE) as pool:
            for _ in pool.map(lambda remove: remove(), removals):
                pass
        if self._network is not None:
            self._network.remove()
        self._containers, self._replicas, self._starting, self._network = {}, {}, {}, None
        processes.remove(self.directory)


def _checked(ports: Mapping[str, int]) -> dict[str, int]:
    if unknown := ports.keys() - PORTS.keys():
        raise SpecError(f"no port is called {min(unknown)!r}", where="--port", mend=f"there are {', '.join(PORTS)}")
    return dict(ports)


def _status(replica: ContainerReplica) -> Status:
    state = replica.state
    return Status(replica.id, state, replica.http if state in ("ready", "paused") else "")
