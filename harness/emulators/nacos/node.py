"""One server in a running event loop: the file that wires domain, transports and pushes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from harness.clock import Clock, ShiftedClock
from harness.emulators.nacos import http_v1, http_v2, http_v3
from harness.emulators.nacos.controls import Controls
from harness.emulators.nacos.domain import Domain, Identity, split_identity
from harness.emulators.nacos.faults import Faults
from harness.emulators.nacos.grpc.connections import Connections
from harness.emulators.nacos.grpc.fuzzy_pushing import FuzzyPusher
from harness.emulators.nacos.grpc.hub import GrpcHub
from harness.emulators.nacos.grpc.pushing import Pusher
from harness.emulators.nacos.grpc.tls import Tls
from harness.emulators.nacos.grpc.transport import Link
from harness.emulators.nacos.http import control, unsupported
from harness.emulators.nacos.http.long_polls import LongPolls
from harness.emulators.nacos.http.message import Request, Response
from harness.emulators.nacos.http.protocol import HttpProtocol
from harness.emulators.nacos.http.router import Router
from harness.emulators.nacos.ports import listen, listen_pair
from harness.emulators.nacos.prober import LOOPBACK, Permitted, Prober
from harness.emulators.nacos.site import Site
from harness.emulators.nacos.udp import UdpPusher
from harness.emulators.nacos.version import version_of
from harness.errors import SpecError

if TYPE_CHECKING:
    from harness.emulators.nacos.disk import Disk

T = TypeVar("T")
#: Seconds between looks at heart-beats and unanswered pushes.
TICK_SECONDS = 0.5


ROUTES = (*http_v1.ROUTES, *http_v2.ROUTES, *http_v3.ROUTES, *unsupported.routes())


@dataclass(frozen=True, slots=True)
class Settings:
    """How to run a server. `port` 0 takes a free one, `grpc_port` None is port + 1000, `auth` is `user:password`."""

    host: str = "127.0.0.1"
    port: int = 0
    grpc_port: int | None = None
    auth: str | None = None
    token_secret: str = ""
    data_dir: Path | None = None
    console_port: int | None = None
    grpc_tls: Tls | None = None
    #: the networks (CIDR) besides the loopback from which the harness's own end-points may be asked
    control_from: tuple[str, ...] = ()
    #: one of `version.VERSIONS`; None answers the calls of all versions
    version: str | None = None
    #: `header:value` by which servers know each other: who sends it is asked for nothing else
    server_identity: str | None = None
    #: the networks (CIDR) whose persistent instances are probed; others keep the health that they were given
    probe: tuple[str, ...] = LOOPBACK

    def __post_init__(self) -> None:
        if self.auth is None and not control.is_loopback("127.0.0.1" if self.host == "localhost" else self.host):
            raise SpecError(
                "authentication may be off on the loopback only", where=self.host, mend="give --auth USER:PASSWORD"
            )


class Node:
    """Listens, serves, and stops. All methods are called inside its loop."""

    def __init__(self, settings: Settings, clock: Clock | None = None) -> None:
        self._settings = settings
        domain = Domain(
            clock or ShiftedClock(),
            auth=settings.auth,
            token_secret=settings.token_secret,
            identity=split_identity(settings.server_identity),
            version=version_of(settings.version),
        )
        self._disk = _open_disk(settings.data_dir, domain) if settings.data_dir else None
        self._grpc_context = settings.grpc_tls.context() if settings.grpc_tls else None
        self._http_socket, self._grpc_socket = listen_pair(settings.host, settings.port, settings.grpc_port)
        port, grpc_port = self._http_socket.getsockname()[1], self._grpc_socket.getsockname()[1]
        self._console_socket = (
            listen(settings.host, settings.console_port) if settings.console_port is not None else None
        )
        console_port = self._console_socket.getsockname()[1] if self._console_socket else None
        identity = Identity(settings.host, port, grpc_port, console_port)
        self.site = Site(domain, identity, Connections(), Faults(), LongPolls(), UdpPusher(domain))
        self.hub = GrpcHub(domain, self.site.connections, self.site.faults)
        self.pusher = Pusher(domain, self.site.connections, self.hub)
        self.fuzzy = FuzzyPusher(domain, self.site.connections)
        self.hub.acknowledged = self.fuzzy.acknowledged
        self.hub.disconnected = self.fuzzy.disconnected
        self.pusher.also_services.append(self.site.udp.service_changed)
        self.pusher.also_configs.append(self.site.polls.changed)
        domain.probes.permits = Permitted(settings.probe)
        self.prober = Prober(domain.probes.ended, domain.probes.permits)
        self.controls = Controls(self.site)
        self.router = Router(self.site, ROUTES)
        self.console = Router(self.site, http_v3.CONSOLE_ROUTES, context="")
        self._servers: list[asyncio.Server] = []
        self._live: set[HttpProtocol] = set()
        self._ticker: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Serve from now on."""
        loop = asyncio.get_running_loop()
        self._listen_to_changes()
        self._servers = [
            await loop.create_server(lambda: HttpProtocol(self._application, self._live), sock=self._http_socket),
            await loop.create_server(lambda: Link(self.hub), sock=self._grpc_socket, ssl=self._grpc_context),
        ]
        if self._console_socket is not None:
            console = await loop.create_server(
                lambda: HttpProtocol(self.console, self._live), sock=self._console_socket
            )
            self._servers.append(console)
        await loop.create_datagram_endpoint(lambda: self.site.udp, local_addr=(self._settings.host, 0))
        self._ticker = asyncio.create_task(self._tick())

    def _listen_to_changes(self) -> None:
        domain, disk = self.site.domain, self._disk
        domain.probes.make = self.prober.make
        services = [self.pusher.service_changed, self.fuzzy.service_changed]
        if disk is not None:
            self.controls.replacing = disk.rewriting
            services.insert(0, disk.service_changed)
        domain.registry.changed = lambda key: _each(key, services)
        domain.registry.subscribed = self.pusher.subscribed
        domain.config.changed = lambda key: _each(key, (self.pusher.config_changed, self.fuzzy.config_changed))

    def _application(self, request: Request) -> Response | Awaitable[Response]:
        if request.path.startswith(control.PREFIX):
            return control.answer(self.controls, request, self._settings.control_from)
        return self.router(request)

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK_SECONDS)
            self.site.domain.tick()
            self.pusher.tick()
            self.fuzzy.tick()
            self.site.udp.tick()

    async def stop(self) -> None:
        """Close the ports and send every client away."""
        if self._ticker is not None:
            self._ticker.cancel()
        self.site.udp.close()
        self.prober.close()
        for server in self._servers:
            server.close()
        for protocol in list(self._live):
            protocol.close()
        for link in self.site.connections.links():
            link.close()
        for server in self._servers:
            await server.wait_closed()
        if self._disk is not None:
            self._disk.close()


def _each(key: T, told: Iterable[Callable[[T], None]]) -> None:
    for tell in told:
        tell(key)


def _open_disk(folder: Path, domain: Domain) -> Disk:
    from harness.emulators.nacos.disk import Disk  # sqlite3 costs start-up time that most servers need not pay

    disk = Disk(folder)
    user = next(iter(domain.accounts.state.users.items()))
    disk.load(domain)
    if domain.gate.enabled:  # the account that the command line names is there, whatever the directory remembers
        domain.accounts.ensure_admin(*user)
    disk.attach(domain)
    return disk
