"""A gateway in a thread of this process, for synchronous tests: `with ApisixServer() as gateway: …`."""

from __future__ import annotations

import asyncio
import concurrent.futures
import secrets
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import uvloop

from harness.clock import Clock
from harness.emulators.apisix.config_yaml import load
from harness.emulators.apisix.gateway import Gateway
from harness.emulators.apisix.settings import AdminKey, Settings
from harness.errors import NotReady
from harness.etcd_process import EtcdProcess

T = TypeVar("T")

#: How long a start may take, in seconds.
START = 30.0


class ApisixServer:
    """An embedded APISIX with its own thread and event loop, and its own etcd unless it is given one.

    Addresses are host:port, with port 0 for a free one; None leaves a listener out. `nacos` is Nacos' URL for upstreams
    with `discovery_type: nacos`; `clock` (default: one that `advance` moves) drives rate limits, tokens and health
    checks; `seed` makes balancing repeat; `config` is a config.yaml. Raises HarnessError for what can't be had.
    """

    def __init__(
        self,
        *,
        http: str = "127.0.0.1:0",
        https: str | None = None,
        admin: str | None = "127.0.0.1:0",
        control: str | None = "127.0.0.1:0",
        prometheus: str | None = "127.0.0.1:0",
        admin_key: str | None = None,
        etcd: str | None = None,
        nacos: str | None = None,
        clock: Clock | None = None,
        seed: int | None = None,
        config: Path | None = None,
    ) -> None:
        self.admin_key = admin_key or secrets.token_hex(16)
        settings = Settings(plugin_attr={})
        if config is not None:
            settings = load(config, settings)
        self._settings = replace(
            settings,
            http=(http,),
            https=(https,) if https else (),
            admin=admin if settings.admin is not None else None,
            control=control,
            prometheus=prometheus,
            admin_keys=(AdminKey("admin", self.admin_key),),
            nacos=nacos,
            seed=seed,
        )
        self._clock = clock
        self.etcd_url = etcd or ""
        self._etcd: EtcdProcess | None = None
        self._gateway: Gateway | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._stopping: asyncio.Event | None = None
        self.http_url = self.https_url = self.admin_url = self.control_url = self.prometheus_url = ""

    def __enter__(self) -> ApisixServer:
        self.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start etcd (unless one was given) and the gateway's thread; return when all addresses listen."""
        if not self.etcd_url:
            self._etcd = EtcdProcess().start()
            self.etcd_url = self._etcd.ready().url
        ready: concurrent.futures.Future[Gateway] = concurrent.futures.Future()
        self._thread = threading.Thread(target=self._run, args=(ready,), name="apisix", daemon=True)
        self._thread.start()
        try:
            self._gateway = ready.result(timeout=START)
        except concurrent.futures.TimeoutError:
            raise NotReady("the embedded APISIX to listen", seconds=START) from None
        except BaseException:
            self.stop()
            raise
        for name, url in self._gateway.addresses.items():
            setattr(self, f"{name}_url", url)

    def _run(self, ready: concurrent.futures.Future[Gateway]) -> None:
        loop = self._loop = uvloop.new_event_loop()
        try:
            loop.run_until_complete(self._serve(ready))
        finally:
            loop.close()

    async def _serve(self, ready: concurrent.futures.Future[Gateway]) -> None:
        gateway = Gateway(replace(self._settings, etcd=(self.etcd_url,)), self._clock)
        try:
            await gateway.start()
        except BaseException as error:
            ready.set_exception(error)
            return
        self._stopping = asyncio.Event()
        ready.set_result(gateway)
        await self._stopping.wait()
        await gateway.stop()

    def stop(self) -> None:
        """Let requests end, stop the thread and the etcd that was started here; twice is fine."""
        if self._loop is not None and self._stopping is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._stopping.set)
        if self._thread is not None:
            self._thread.join(timeout=START)
            self._thread = None
        self._stopping = None
        if self._etcd is not None:
            self._etcd.stop()
            self._etcd = None
            self.etcd_url = ""

    @property
    def gateway(self) -> Gateway:
        """The gateway itself, for `call`; raises RuntimeError unless it runs."""
        if self._gateway is None:
            raise RuntimeError("the embedded APISIX is not started")
        return self._gateway

    def call(self, function: Callable[[Gateway], T]) -> T:
        """Run `function(gateway)` on the gateway's own thread and return what it gives; raises what it raises."""
        if self._loop is None:
            raise RuntimeError("the embedded APISIX is not started")

        async def run() -> T:
            return function(self.gateway)

        return asyncio.run_coroutine_threadsafe(run(), self._loop).result(timeout=START)

    def advance(self, seconds: float) -> None:
        """Move the gateway's clock forward; raises TypeError for a clock that can't be moved."""
        clock: Any = self.gateway.clock
        if not hasattr(clock, "advance"):
            raise TypeError(f"{type(clock).__name__} can't be moved")
        self.call(lambda _: clock.advance(seconds))

    def reset(self) -> None:
        """Counters, journal and clock as at the start; the configuration stays."""
        self.call(lambda gateway: gateway.reset())

    def journal(self, last: int = 20) -> list[dict[str, Any]]:
        """The last requests and what was decided about them, oldest first."""
        return self.call(lambda gateway: gateway.plane.journal.last(last))[::-1]
