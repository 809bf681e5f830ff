"""One worker, wired: the store, the data plane, the APIs and the addresses they listen on."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

from harness.clock import Clock, ShiftedClock
from harness.emulators.apisix.admin import make_admin
from harness.emulators.apisix.control import make_control
from harness.emulators.apisix.crew_calls import Calls, CrewCalls
from harness.emulators.apisix.data_plane import DataPlane
from harness.emulators.apisix.etcd import Etcd, EtcdError
from harness.emulators.apisix.etcd_tls import client_tls
from harness.emulators.apisix.exchange import App
from harness.emulators.apisix.facts import facts_of
from harness.emulators.apisix.harness_api import HarnessApi
from harness.emulators.apisix.pages import SERVER
from harness.emulators.apisix.plane_reports import PlaneReports
from harness.emulators.apisix.plugins.prometheus import Prometheus, export_app, metrics_of
from harness.emulators.apisix.proxy.apps import AppHandler
from harness.emulators.apisix.proxy.http1 import ServerConnection
from harness.emulators.apisix.proxy.http2 import Http2Connection
from harness.emulators.apisix.proxy.listener import Handler, Listener, bind
from harness.emulators.apisix.proxy.tls_gate import TlsGate
from harness.emulators.apisix.resources.prepare import make_prepare
from harness.emulators.apisix.settings import Settings
from harness.emulators.apisix.shared import SharedStores, Stores
from harness.emulators.apisix.standalone import StandaloneTable
from harness.emulators.apisix.standalone_admin import make_standalone_admin
from harness.emulators.apisix.status_api import make_status
from harness.emulators.apisix.store import Store
from harness.emulators.apisix.workers import Crew, CrewClock
from harness.errors import NotReady, SpecError

log = logging.getLogger("harness.emulators.apisix")

#: How long the gateway waits for an etcd that is starting at the same time, in seconds.
ETCD_PATIENCE = 10.0


def _open_store(settings: Settings) -> Store | StandaloneTable:
    """What the data plane follows: etcd, a file, or what the Admin API is given."""
    prepare = make_prepare(settings)
    if settings.standalone:
        return StandaloneTable(prepare, settings.standalone_file)
    etcd = Etcd(
        settings.etcd,
        user=settings.etcd_user,
        password=settings.etcd_password,
        timeout=settings.etcd_timeout,
        tls=client_tls(settings),
        sni=settings.etcd_sni,
    )
    return Store(etcd, settings.etcd_prefix, prepare, idle=settings.etcd_watch_timeout)


class Gateway:
    """A gateway on the running loop: `start`, use its `addresses`, `stop`."""

    def __init__(
        self, settings: Settings, clock: Clock | None = None, crew: Crew | None = None, index: int = 0
    ) -> None:
        """`crew` is what several workers share, `index` which of them this is: the APIs are the first one's."""
        self.settings = crew.settings if crew is not None else settings
        self.clock = clock or (crew.clock if crew is not None else ShiftedClock())
        self.crew = crew
        self.index = index
        self.listeners: dict[str, list[Listener]] = {}
        self.crew_calls: CrewCalls | None = None

    @property
    def addresses(self) -> Mapping[str, str]:
        """http, https, admin, control and prometheus → URL, of those that listen (the first of several)."""
        return {name: f"{found[0].scheme}://{found[0].address}" for name, found in self.listeners.items() if found}

    async def start(self) -> None:
        """Connect to etcd, load, listen. Raises NotReady without etcd, SpecError for an address that can't be had."""
        self.store = _open_store(self.settings)
        await self._connect()
        crew = self.crew
        self.shared: Stores = crew.stores() if crew is not None else SharedStores(self.clock)
        self.plane = DataPlane(self.settings, self.store, self.clock, self.shared)
        await self.plane.start()
        if crew is not None:
            self.crew_calls = CrewCalls(crew.directory, self.index, self.settings.workers, self._calls())
            await self.crew_calls.start()
        await self._listen()

    def _calls(self) -> Calls:
        """What other workers may ask of this one."""

        async def journal(asked: Mapping[str, Any]) -> list[dict[str, Any]]:
            return self.plane.journal.last(asked["last"], asked["request_id"])

        async def reset(asked: Mapping[str, Any]) -> None:
            if asked["revision"]:
                await self.store.reached(asked["revision"])
            self.reset()

        async def seed(asked: Mapping[str, Any]) -> None:
            self.plane.random.seed(asked["seed"])

        return {"journal": journal, "reset": reset, "seed": seed}

    async def _connect(self) -> None:
        loop = asyncio.get_running_loop()
        end = loop.time() + ETCD_PATIENCE
        while True:
            try:
                await self.store.start()
                return
            except EtcdError as error:
                if loop.time() > end:
                    raise NotReady(
                        f"etcd at {', '.join(self.settings.etcd)}",
                        seconds=ETCD_PATIENCE,
                        last=str(error),
                        mend="start etcd first, or leave --etcd out so that one is started",
                    ) from error
            await asyncio.sleep(0.005)

    async def _listen(self) -> None:
        settings = self.settings
        for place, address in enumerate(settings.http):
            await self._open("http", address, self.plane, place=place)
        for place, address in enumerate(settings.https):
            await self._open("https", address, self.plane, scheme="https", place=place)
            self.plane.https_port = self.listeners["https"][0].port
        if self.index == 0:
            await self._open_apis(settings)

    async def _open_apis(self, settings: Settings) -> None:
        if settings.admin is not None and settings.standalone != "file":
            await self._open("admin", settings.admin, self._serve(self._admin(), settings.server))
        if settings.control is not None:
            api = HarnessApi(self, make_control(self.store, settings, self.clock, PlaneReports(self.plane)))
            await self._open("control", settings.control, self._serve(api.app, SERVER))
        metrics = metrics_of(self.plane.scope(Prometheus, ("", "", 0)))
        metrics.facts = lambda: facts_of(self)
        if settings.status is not None:
            await self._open("status", settings.status, self._serve(make_status(self.store), SERVER))
        if settings.prometheus is not None:
            await self._open("prometheus", settings.prometheus, self._serve(export_app(metrics), SERVER))

    def _admin(self) -> App:
        if isinstance(self.store, StandaloneTable):
            return make_standalone_admin(self.store, self.settings, self.clock)
        return make_admin(self.store, self.settings, self.clock)

    def _serve(self, app: App, server: str) -> Handler:
        return AppHandler(app, server, self.clock, self.plane.wait)

    async def _open(self, name: str, address: str, handler: Handler, *, scheme: str = "http", place: int = 0) -> None:
        patience = self.settings.wire.patience if handler is self.plane else None
        listener = Listener(handler, scheme=scheme, patience=patience)
        try:
            bound = self.crew.sockets[self.index].get(name) if self.crew is not None else None
            sock = bound[place] if bound else bind(address)
        except (OSError, ValueError) as error:
            raise SpecError(
                f"can't listen on {address}: {error}",
                where=f"--{name}",
                mend="choose another port, or 0 for a free one",
            ) from error
        if handler is self.plane and self.settings.enable_http2:
            listener.http2 = lambda client: Http2Connection(listener, client)
        if scheme == "https":
            certificates, refused = self.plane.certificates, self.plane.refused_handshake
            await listener.start(sock, lambda: TlsGate(listener, certificates, refused))
        else:
            await listener.start(sock, lambda: ServerConnection(listener))
        self.listeners.setdefault(name, []).append(listener)

    def reset(self) -> None:
        """Back to the start between tests: counters, journal, clock."""
        self.plane.reset()
        if isinstance(self.clock, ShiftedClock | CrewClock):
            self.clock.reset()

    def cut(self) -> None:
        """End all connections as they are."""
        for listener in self._all:
            listener.cut()

    @property
    def _all(self) -> list[Listener]:
        return [listener for found in self.listeners.values() for listener in found]

    async def stop(self, within: float | None = None) -> None:
        """Take no more requests, let those under way end `within` seconds (default: settings.drain), and go."""
        seconds = self.settings.drain if within is None else within
        await asyncio.gather(*(listener.drain(seconds) for listener in self._all))
        if self.crew_calls is not None:
            self.crew_calls.stop()
        await self.plane.stop()
        await self.store.stop()
