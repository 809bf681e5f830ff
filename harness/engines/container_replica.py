"""A replica of the docker engine: one container that keeps its address, with process control and a network to cut."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Any

from docker.errors import APIError

from harness.engines.containers import HarnessContainer, StubContainer
from harness.engines.containers.link import ContainerLink
from harness.wait import until

#: Seconds a replica gets to end after SIGTERM: deregister, drain.
DRAIN = 5
#: Seconds until a state that was asked for has come.
SOON = 10.0
#: The scheduler's period in microseconds, of which a CPU limit is a share.
PERIOD = 100_000


class LogFile:
    """Writes what a container says to a file, from a thread, until the container ends."""

    def __init__(self, container: HarnessContainer, file: Path) -> None:
        self.file = file
        self._container = container

    def follow(self, since: float | None = None) -> None:
        """Begin; `since` (seconds since the epoch) leaves out what an earlier life of the container said."""
        threading.Thread(target=self._copy, args=(since,), name=f"log-{self.file.stem}", daemon=True).start()

    def _copy(self, since: float | None) -> None:
        with self.file.open("ab", buffering=0) as sink:
            try:
                for chunk in self._container.follow(since):
                    sink.write(chunk)
            except (APIError, OSError):
                return  # the container was removed


class ContainerReplica:
    """One running copy of a service; `started` is done when its container has been made and started by `begin`."""

    def __init__(self, container: StubContainer, *, service: str, index: int, ip: str, cpu: float, log: Path) -> None:
        self.container = container
        self.started: Future[None] = Future()
        self.service = service
        self.index = index
        self.ip = ip
        self.log = LogFile(container, log)
        self._cpu = cpu
        self._cut = False
        self._addresses: dict[int, str] = {}
        self._link: ContainerLink | None = None
        self._slow: dict[str, float] = {}

    @property
    def id(self) -> str:
        """As it is named to users: bi-basic/0."""
        return f"{self.service}/{self.index}"

    def begin(self, pool: Executor) -> None:
        """Have its container made and started on the pool; returns at once."""
        self.started = pool.submit(self._begin)

    def _begin(self) -> None:
        self.container.begin()
        self.log.follow()

    # --- where it is

    @property
    def http(self) -> str:
        """host:port of its HTTP server, from here."""
        return self._address(self.container.http_port)

    @property
    def grpc(self) -> str:
        """host:port of its gRPC server from here, "" without one."""
        return self._address(self.container.grpc_port) if self.container.grpc_port else ""

    def _address(self, port: int) -> str:
        if port not in self._addresses:
            self._addresses[port] = self.container.address(port)
        return self._addresses[port]

    @property
    def inside(self) -> str:
        """host:port of its HTTP server in the stack's network, which it registers and the gateway uses."""
        return f"{self.ip}:{self.container.http_port}"

    @property
    def inside_grpc(self) -> str:
        """host:port of its gRPC server in the stack's network, "" without one."""
        return f"{self.ip}:{self.container.grpc_port}" if self.container.grpc_port else ""

    # --- how it is

    @property
    def pid(self) -> int | None:
        """The process id on the daemon's machine while it runs."""
        return self._inspect()["Pid"] or None if self.started.done() else None

    @property
    def state(self) -> str:
        """starting, ready, paused, cut (off the network) or dead."""
        if not self.started.done():
            return "starting"
        state = self._inspect()
        if state["Paused"]:
            return "paused"
        if not state["Running"]:
            return "dead"
        return "cut" if self._cut else "ready"

    def _inspect(self) -> dict[str, Any]:
        self.container.reload()
        state: dict[str, Any] = self.container.get_wrapped_container().attrs["State"]
        return state

    def wait_ready(self, timeout: float) -> None:
        """Until it has started and serves. Raises NotReady, or why it couldn't be started."""
        self.started.result(timeout)
        self.container.ready(timeout)
        if self._cpu:
            # from now on: a start within the limit of a quiet service would take many times as long
            self._docker.update(cpu_period=PERIOD, cpu_quota=int(self._cpu * PERIOD))

    # --- what can be done to it

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        self._end(lambda: self._docker.kill())

    def stop(self) -> None:
        """SIGTERM, and wait until it is gone; insists after a while."""
        self._end(lambda: self._docker.stop(timeout=DRAIN))

    def _end(self, end: Callable[[], None]) -> None:
        if self.pid is None:
            return
        self._unlink()
        end()
        until(lambda: self.pid is None, SOON, awaited=f"the end of {self.id}")
        self._addresses = {}

    @property
    def _docker(self) -> Any:
        return self.container.get_wrapped_container()

    def pause(self) -> None:
        """Freeze it: connections stay open and nothing answers."""
        self._docker.pause()

    def resume(self) -> None:
        """Let a paused one go on."""
        self._docker.unpause()

    def restart(self, timeout: float = 30.0) -> None:
        """End it if it runs, start the same container again, and wait until it is ready (its ports may change)."""
        self.kill()
        if self._cut:
            self.connect()
        self._docker.update(cpu_period=PERIOD, cpu_quota=-1)
        since = time.time()
        self._docker.start()
        self.log.follow(since)
        self.wait_ready(timeout)
        if self._slow:
            self._shape()

    def remove(self) -> None:
        """End it and leave nothing of it."""
        self._unlink()
        self.container.stop()

    def disconnect(self) -> None:
        """Cut it off the network: nothing arrives, nothing leaves, connections hang."""
        self.container.leave_network()
        self._cut, self._addresses = True, {}

    def connect(self) -> None:
        """Back in the network, at the address that it had."""
        if self._cut:
            self.container.rejoin_network()
        self._cut, self._addresses = False, {}

    def slow_link(self, delay: float = 0.0, jitter: float = 0.0, loss: float = 0.0) -> None:
        """Its answers take `delay` seconds longer, give or take `jitter`, and a share of `loss` gets lost.

        All 0 is a quick link again; it stays slow over restarts. Raises EngineUnavailable where it can't be slowed.
        """
        self._slow = {"delay": delay, "jitter": jitter, "loss": loss}
        self._shape()

    def _shape(self) -> None:
        if self._link is None:
            client = self.container.get_docker_client().client
            ports = [port for port in (self.container.http_port, self.container.grpc_port) if port]
            self._link = ContainerLink(client, self.container.get_container_id(), ports)
        self._link.shape(**self._slow)

    @property
    def slowed(self) -> bool:
        """Whether its link has been touched."""
        return bool(self._slow)

    def plain_link(self) -> None:
        """The link as if it had never been touched."""
        self._slow = {}
        self._unlink()

    def _unlink(self) -> None:
        if self._link is not None:
            self._link.remove()
            self._link = None
