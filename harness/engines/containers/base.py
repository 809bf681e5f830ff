"""What all our containers share: loopback ports, an owner, readiness with a reason, logs."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any, Self

from docker.errors import APIError, NotFound
from docker.types import EndpointConfig
from testcontainers.core.config import testcontainers_config
from testcontainers.core.container import DockerContainer

from harness.engines import images
from harness.engines.containers import ownership
from harness.engines.containers.daemon import publish_address, reachable
from harness.engines.containers.readiness import Readiness
from harness.errors import EngineUnavailable, NotReady
from harness.wait import until

#: Seconds until a container has to be ready when nothing else is said.
TIMEOUT = 60.0
#: The states in which a container will not become ready any more.
ENDED = ("exited", "dead")


class HarnessContainer(DockerContainer):
    """A Testcontainers container whose ports are published on the loopback alone, and that can't outlive its owner.

    A subclass names its `component` (whose image is chosen by `harness.engines.images`), its PORTS and its readiness.
    `start` waits until it is ready; `begin` doesn't, so that several can start side by side.
    """

    component = ""
    PORTS: tuple[int, ...] = ()

    def __init__(self, image: str | None = None, **options: Any) -> None:
        chosen = image or self._choose()
        super().__init__(chosen, **options)
        self.about = self._about(chosen)
        # an image's own health check would start a process every few seconds to learn what `readiness` has learned
        self._options: dict[str, Any] = {"labels": ownership.labels(), "healthcheck": {"test": ["NONE"]}}
        self.readiness: Readiness | None = None
        self._guarded = False
        for port in self.PORTS:
            self.with_published(port)

    def _choose(self) -> str:
        from harness.engines.containers.daemon import connect

        return images.ensure(connect(), self.component).reference

    def _about(self, reference: str) -> str:
        """What it is, real or emulated, with its version."""
        labels: Mapping[str, str] = {}
        with contextlib.suppress(NotFound):
            labels = self.get_docker_client().client.images.get(reference).labels or {}
        return labels.get(images.local.ABOUT_LABEL, f"real {reference.rpartition(':')[2].removeprefix('v')}")

    @property
    def emulated(self) -> bool:
        """Whether its image is this project's stand-in."""
        return self.about.startswith("emulated")

    # --- what it is told before it starts

    def with_published(self, port: int, on: int | None = None) -> Self:
        """Publish a port at the loopback, at a free port or at `on`."""
        self.ports[f"{port}/tcp"] = (publish_address(), on)  # type: ignore[assignment]
        return self

    def with_place(self, network: str, *aliases: str, ip: str | None = None) -> Self:
        """In a network, under these names, at an address that it keeps over restarts when one is given."""
        # 1.41 is Docker 20.10's API; nothing later is needed
        place = EndpointConfig("1.41", aliases=list(aliases), ipv4_address=ip)
        self._options.update(network=network, networking_config={network: place})
        return self

    def with_labels(self, **labels: str) -> Self:
        """More labels, below `io.bi-harness.`."""
        self._options["labels"] |= {f"io.bi-harness.{name}": value for name, value in labels.items()}
        return self

    def with_memory(self, limit: int) -> Self:
        """At most so many bytes, 0 for as many as there are."""
        self._options["mem_limit"] = limit
        return self

    def with_entrypoint(self, *command: str) -> Self:
        """Another program than the image's own."""
        self._options["entrypoint"] = list(command)
        return self

    def with_readiness(self, readiness: Readiness) -> Self:
        """Another condition than the one it comes with."""
        self.readiness = readiness
        return self

    # --- its life

    def begin(self) -> Self:
        """Make and start it, without waiting. Raises EngineUnavailable when the daemon refuses."""
        _ryuk_only_where_it_is(self)
        if not self._guarded:
            ownership.guard()
            self._guarded = True
        self.with_kwargs(**self._options)
        try:
            return super().start()
        except APIError as error:
            self.stop()
            raise _refused(self.image, str(error.explanation)) from error

    def start(self) -> Self:
        """Start it and wait until it is ready."""
        self.begin()
        return self.ready()

    def ready(self, timeout: float = TIMEOUT) -> Self:
        """Wait until it is ready. Raises NotReady with its state, its last lines and a hint."""
        if self.readiness is None:
            return self
        until(
            self._is_ready,
            timeout,
            awaited=f"{self.image}: {self.readiness.awaited}",
            state=self._state_text,
            logs=self.log,
            mend=f"`docker logs {self.get_wrapped_container().name}` shows the rest",
        )
        return self

    def _is_ready(self) -> bool:
        assert self.readiness is not None
        try:
            return self.readiness.met(self)
        except OSError:
            self._refuse_ended()
            raise

    def _refuse_ended(self) -> None:
        self.reload()
        if self.status in ENDED:
            mend = f"its last lines say why; if there are none: is {self.image} the image for this part?"
            raise NotReady(f"{self.image} to be ready", seconds=0, last=self._state_text(), logs=self.log(), mend=mend)

    def _state_text(self) -> str:
        self.reload()
        state = self.get_wrapped_container().attrs["State"]
        return f"{state['Status']}, exit code {state['ExitCode']}" if state["Status"] in ENDED else str(state["Status"])

    def stop(self, force: bool = True, delete_volume: bool = True) -> None:
        """Remove it; one that is gone is fine."""
        with contextlib.suppress(NotFound):
            super().stop(force, delete_volume)
        if self._guarded:
            ownership.unguard()
            self._guarded = False

    # --- what it tells

    @property
    def running(self) -> bool:
        """Whether it runs now, paused or not."""
        self.reload()
        return bool(self.get_wrapped_container().attrs["State"]["Running"])

    def address(self, port: int) -> str:
        """host:port at which a port of it is reached from here. Raises OSError while it isn't published."""
        self.reload()
        bindings = self.get_wrapped_container().ports.get(f"{port}/tcp")
        if not bindings:
            raise ConnectionError(f"{self.image} publishes no port {port} now")
        return f"{reachable(self.get_docker_client().host())}:{bindings[0]['HostPort']}"

    def url(self, port: int) -> str:
        """http://host:port of a port."""
        return f"http://{self.address(port)}"

    def log(self, lines: int = 20) -> str:
        """The last lines that it wrote, to stdout or stderr."""
        written: bytes = self.get_wrapped_container().logs(tail=lines)
        return written.decode(errors="replace")

    def follow(self, since: float | None = None) -> Iterator[bytes]:
        """What it writes, from its start (or `since`, in seconds of the epoch) on, until it ends."""
        return iter(self.get_wrapped_container().logs(stream=True, follow=True, since=since))

    # --- its network

    def leave_network(self) -> None:
        """Cut it off the network in which `with_place` put it: its published ports go too."""
        self._network_of_place().disconnect(self.get_wrapped_container())

    def rejoin_network(self) -> None:
        """Back, under the names and at the address that it had."""
        place = self._options["networking_config"][self._options["network"]]
        address = (place.get("IPAMConfig") or {}).get("IPv4Address")
        self._network_of_place().connect(
            self.get_wrapped_container(), aliases=place.get("Aliases"), ipv4_address=address
        )

    def _network_of_place(self) -> Any:
        if "network" not in self._options:
            raise EngineUnavailable("it is in no network of its own", where=self.image, mend="use with_place(…)")
        return self.get_docker_client().client.networks.get(self._options["network"])


def _refused(image: str, why: str) -> EngineUnavailable:
    mend = ""
    if "address already in use" in why or "port is already allocated" in why:
        mend = "another process has that port: end it, or name another port, or none (then a free one is taken)"
    elif "no such file or directory" in why or "executable file not found" in why:
        mend = "this image hasn't the program that its part needs: is it the right one?"
    return EngineUnavailable(f"the container daemon refused it: {why}", where=image, mend=mend)


def _ryuk_only_where_it_is(container: DockerContainer) -> None:
    """Testcontainers' reaper is used where its image is; else our own warden is enough, and nothing is pulled."""
    if testcontainers_config.ryuk_disabled:
        return
    try:
        container.get_docker_client().client.images.get(testcontainers_config.ryuk_image)
    except NotFound:
        testcontainers_config.ryuk_disabled = True
