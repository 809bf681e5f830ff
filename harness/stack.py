"""The composition root: one declared platform on one engine, from start to tear-down."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from harness.engines import make_engine
from harness.engines.base import CAPABILITIES, Endpoints, Engine, Progress, Status
from harness.errors import SpecError

# The rest is imported where it is first used: by then the components are starting, and their start takes longer than
# our imports.
if TYPE_CHECKING:
    import httpx

    from harness.clients import ApisixClient, EtcdClient, NacosClient
    from harness.declared import Declared, DeclaredConfigurations
    from harness.emulated import Emulated
    from harness.gateway import Gateway
    from harness.model import Compiled, Platform
    from harness.services import ServiceHandle

#: Seconds that a component, and that the services get to become ready.
COMPONENT_TIMEOUT = 20.0
PLATFORM_TIMEOUT = 30.0
#: How many exchanges with the gateway are remembered for a failure's report.
REMEMBERED = 50
#: Where APISIX keeps its configuration in etcd.
ETCD_PREFIX = "/apisix"
#: The kinds whose plugins may count: limits of routes, services and consumers.
COUNTED = ("/apisix/routes/", "/apisix/services/", "/apisix/consumers/", "/apisix/plugin_configs/")


class Stack:
    """A running platform. `Stack.start(...)` gives one that is ready; it is a context manager that stops it.

    `endpoints` has the addresses; `apisix`, `nacos` and `etcd` are clients; `service(name)` is a handle on replicas;
    `timings` tells the seconds from the start until each step was done.
    """

    def __init__(self, platform: Platform, engine: Engine, *, began: float | None = None) -> None:
        self.platform = platform
        self.engine = engine
        self.timings: dict[str, float] = {}
        self.exchanges: deque[httpx.Response] = deque(maxlen=REMEMBERED)
        self._services: dict[str, ServiceHandle] = {}
        self._began = time.monotonic() if began is None else began

    @classmethod
    def start(
        cls,
        platform: Path,
        environment: str = "dev",
        engine: str = "embedded",
        *,
        progress: Progress | None = None,
        ports: Mapping[str, int] | None = None,
    ) -> Stack:
        """Start a platform file on an engine and wait until every declared service answers through the gateway.

        Raises SpecError for a wrong declaration, EngineUnavailable, or NotReady saying what didn't come and why.
        Nothing of a failed start is left.
        """
        began = time.monotonic()
        running = make_engine(engine, progress, ports)
        try:
            running.start()  # before the platform is read: the components need nothing of it
            from harness.model import load_platform

            stack = cls(load_platform(platform, environment), running, began=began)
            stack.bring_up()
        except BaseException:
            running.stop()
            raise
        if progress:
            progress(Status("platform", "ready", stack.endpoints.gateway_http))
        return stack

    def bring_up(self) -> None:
        """Configuration first, then services, then routes; ready when every service answers through the gateway."""
        engine = self.engine
        engine.warm_up(self.platform)
        self._step("nacos", lambda: engine.wait("nacos", COMPONENT_TIMEOUT))
        self._step("configured", self._publish)
        engine.launch_services(self.platform)
        self._step("etcd", lambda: engine.wait("etcd", COMPONENT_TIMEOUT))
        self._step("gateway", lambda: engine.wait("gateway", COMPONENT_TIMEOUT))
        self._step("routes", lambda: self.apisix.apply(self.compiled.resources))
        self._step("services", lambda: engine.wait_services(PLATFORM_TIMEOUT))
        self._step("ready", self._wait_routed)
        self.remember()

    def _wait_routed(self) -> None:
        from harness.probe import RoutedProbe

        probe = RoutedProbe(self.platform, self.endpoints.gateway_http, lambda: self.engine.logs("gateway"))
        probe.wait(PLATFORM_TIMEOUT)

    def _step(self, name: str, do: Callable[[], object]) -> None:
        do()
        self.timings[name] = round(time.monotonic() - self._began, 3)

    def _publish(self) -> None:
        """What Nacos must hold before the services read it; needs no address of theirs."""
        from harness.model import compile_platform

        declared = compile_platform(self.platform)
        self.nacos.apply(declared.namespaces, declared.configs)

    # --- what it has

    @property
    def endpoints(self) -> Endpoints:
        """The addresses of its components."""
        return self.engine.endpoints

    @cached_property
    def compiled(self) -> Compiled:
        """What the platform compiles to, with the addresses that its services have here."""
        from harness.model import compile_platform

        return compile_platform(self.platform, self.engine.addresses())

    @cached_property
    def apisix(self) -> ApisixClient:
        """The Admin API's client."""
        from harness.clients import ApisixClient

        return ApisixClient(self.endpoints.admin_url, self.endpoints.admin_key)

    @cached_property
    def nacos(self) -> NacosClient:
        """The client of Nacos' HTTP API."""
        from harness.clients import NacosClient

        at = self.engine.nacos
        return NacosClient(at.http, username=at.username, password=at.password)

    @cached_property
    def etcd(self) -> EtcdClient:
        """The client of etcd."""
        from harness.clients import EtcdClient

        return EtcdClient(self.endpoints.etcd_url)

    @cached_property
    def emulated(self) -> Emulated:
        """What only emulators can do: reset, clock, journal, explain."""
        from harness.emulated import Emulated

        return Emulated(self.endpoints, self.engine.emulated)

    def gateway(self) -> Gateway:
        """A new httpx client on the gateway."""
        from harness.gateway import Gateway

        return Gateway(self.endpoints.gateway_http, self.platform, self.exchanges)

    def service(self, name: str) -> ServiceHandle:
        """A handle on a service's replicas. Raises SpecError for one that is not declared."""
        from harness.services import ServiceHandle

        if name not in self.platform.services:
            declared = ", ".join(self.platform.services)
            raise SpecError(f"no service {name!r}", mend=f"the platform declares {declared}")
        return self._services.setdefault(name, ServiceHandle(name, self.engine))

    def advance(self, seconds: float) -> None:
        """Move the gateway's and Nacos' clocks forward: windows, expiry and time-outs move without waiting."""
        self.emulated.advance(seconds)

    def lacks(self, capabilities: Iterable[str]) -> str:
        """Which of the capabilities the engine hasn't, as text with what each means; "" when it has all.

        Raises SpecError for a name that is no capability.
        """
        wanted = list(capabilities)
        if unknown := [name for name in wanted if name not in CAPABILITIES]:
            raise SpecError(f"no capability {unknown[0]!r}", mend=f"there are {', '.join(CAPABILITIES)}")
        missing = [name for name in wanted if name not in self.engine.capabilities]
        return "; ".join(f"{name} ({CAPABILITIES[name]})" for name in missing)

    def involved(self) -> set[str]:
        """The services that this test's requests were for."""
        paths = {response.request.url.path for response in self.exchanges}
        prefixes = {name: gw.route_prefix for name, s in self.platform.services.items() if (gw := s.gateway)}
        return {name for name, prefix in prefixes.items() if prefix and any(p.startswith(prefix) for p in paths)}

    # --- between tests

    @cached_property
    def _declared(self) -> Declared:
        from harness.declared import Declared

        # a real gateway forgets its counters with the version of what they belong to
        return Declared(self.etcd, ETCD_PREFIX, rewrite=() if "gateway" in self.engine.emulated else COUNTED)

    @cached_property
    def _configurations(self) -> DeclaredConfigurations | None:
        """Nacos' configuration as declared, for a real Nacos: an emulator takes snapshots itself."""
        if "nacos" in self.engine.emulated:
            return None
        from harness.declared import DeclaredConfigurations

        return DeclaredConfigurations(self.nacos, {config.namespace for config in self.compiled.configs})

    def remember(self) -> None:
        """Take the present state as the declared one, which `reset` goes back to."""
        self._declared.remember()
        if self._configurations:
            self._configurations.remember()
        self.emulated.remember()

    def begin_test(self) -> None:
        """Forget the exchanges of the test before."""
        self.exchanges.clear()

    def reset(self) -> None:
        """Back to the declared state: routes, Nacos' configuration, counters, clocks, journals, knobs, replicas."""
        running = self.engine.addresses()
        handles = [
            (self.service(name), spec.replicas) for name, spec in self.platform.services.items() if name in running
        ]
        for handle, count in handles:
            handle.revive(count)
        for handle, _ in handles:
            handle.ask_reset()
        # while the replicas see to it
        if self._configurations:
            self._configurations.restore()
        self.emulated.reset(self._declared.restore())
        for handle, _ in handles:
            handle.finish_reset()

    # --- the end

    def stop(self) -> None:
        """End everything that this stack started; stopping twice is fine."""
        self.engine.stop()

    def __enter__(self) -> Stack:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
