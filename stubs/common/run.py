"""One replica from start to end: ports, configuration, registration, readiness, and the orderly way out."""

from __future__ import annotations

import asyncio
import contextlib
import encodings.idna  # noqa: F401  # loaded here once, not by each forked replica at its first look-up
import signal
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import grpc.aio
import uvicorn
import uvicorn.lifespan.off
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from stubs.common import http, rpc
from stubs.common.config import ConfigStore
from stubs.common.control import Controls
from stubs.common.journal import Journal
from stubs.common.logs import Log, bridge_libraries
from stubs.common.metrics import Metrics
from stubs.common.nacos import NacosLink
from stubs.common.replica import Replica
from stubs.common.service import Service
from stubs.common.settings import Settings
from stubs.common.whole import WholeAnswers

#: Called once, when the replica takes traffic, with its HTTP and gRPC addresses (host:port).
OnReady = Callable[[str, str], None]


async def run(service: Service, settings: Settings, on_ready: OnReady | None = None) -> None:
    """Run one replica until SIGTERM or SIGINT; raises OSError when a port can't be had."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    replica = _replica(service, settings)
    started = await _Started.open(service, replica)
    starting = asyncio.create_task(started.become_ready(on_ready))
    await stop.wait()
    starting.cancel()
    await started.leave()


def _replica(service: Service, settings: Settings) -> Replica:
    log = Log(settings.service, settings.replica_id, settings.log_level)
    bridge_libraries(log)
    metrics = Metrics(settings.service, settings.replica_id, settings.version, settings.zone)
    config = ConfigStore(service.config, log, metrics, settings.log_level)
    replica = Replica(settings, log, metrics, Journal(settings.journal_size), config)
    if settings.config_file:
        config.apply(Path(settings.config_file).read_text(encoding="utf-8"), "file", time.time())
    return replica


class _Started:
    """A replica whose ports are open."""

    def __init__(self, replica: Replica, server: HttpServer, rpcs: grpc.aio.Server, http_port: int, port: int) -> None:
        self._replica = replica
        self._http = server
        self._http_task = asyncio.create_task(server.serve([server.socket]))
        self._rpcs = rpcs
        self._ports = (http_port, port)
        self._link: NacosLink | None = None

    @classmethod
    async def open(cls, service: Service, replica: Replica) -> _Started:
        """Open both ports."""
        settings = replica.settings
        faces = service.build(replica)
        rpcs, grpc_port = rpc.server(replica, faces.add_rpcs)
        app = http.build(replica, [*faces.routes, *Controls(replica).routes()])  # the busy ones first
        server = HttpServer(app, settings.bind_host, settings.http_port, settings.grace_seconds)
        started = cls(replica, server, rpcs, server.socket.getsockname()[1], grpc_port)
        await asyncio.gather(rpcs.start(), server.listening.wait())
        return started

    async def become_ready(self, on_ready: OnReady | None) -> None:
        """Take the configuration, register, then report readiness."""
        replica, settings = self._replica, self._replica.settings
        if settings.nacos_addr:
            replica.waiting_for = "Nacos"
            self._link = NacosLink(settings, replica.log, self._config_came)
            await self._link.open()
            await self._link.fetch_config()
            await self._link.register(*self._ports)
        replica.waiting_for = ""
        replica.metrics.ready.set(1)
        http_address, grpc_address = (f"{settings.bind_host}:{port}" for port in self._ports)
        replica.log.info("ready", http=http_address, grpc=grpc_address, nacos=settings.nacos_addr or None)
        if on_ready:
            on_ready(http_address, grpc_address)

    def _config_came(self, content: str) -> None:
        if content:
            self._replica.config.apply(content, "nacos", time.time())
        else:
            self._replica.config.removed("nacos")

    async def leave(self) -> None:
        """Leave Nacos, wait the drain pause, finish what is in flight, close."""
        replica, settings = self._replica, self._replica.settings
        replica.waiting_for = "the end"
        replica.metrics.ready.set(0)
        replica.log.info("stopping")
        if self._link:
            await self._link.deregister()
        await asyncio.sleep(settings.drain_seconds)
        self._http.should_exit = True
        await asyncio.gather(self._http_task, self._rpcs.stop(settings.grace_seconds))
        if self._link:
            await self._link.close()
        replica.log.info("stopped")


class HttpServer(uvicorn.Server):
    """uvicorn on a socket of ours, leaving the signals to the replica (it has Nacos to leave first)."""

    def __init__(self, app: object, host: str, port: int, grace_seconds: float) -> None:
        self.socket = _listening_socket(host, port)
        self.listening = asyncio.Event()
        super().__init__(
            uvicorn.Config(
                app,  # type: ignore[arg-type]
                http=WholeAnswers,
                ws=WebSocketsSansIOProtocol,
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,  # what the gateway says about the client is shown, not believed
                timeout_graceful_shutdown=grace_seconds,  # type: ignore[arg-type]
                timeout_keep_alive=75,
            )
        )

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Note the moment from which connections are taken."""
        await super().startup(sockets)
        self.listening.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield


def _listening_socket(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    found = socket.socket(family, socket.SOCK_STREAM)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a restarted replica may take its port back
    try:
        found.bind((host, port))
    except OSError as error:
        found.close()
        raise OSError(error.errno, f"HTTP port {host}:{port}: {error.strerror}") from error
    found.setblocking(False)
    return found
