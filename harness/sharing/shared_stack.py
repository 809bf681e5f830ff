"""A stack that a keeper holds, as this process has it in hand: the same as one of its own, in turns with others."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Mapping, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from harness.engines.base import Endpoints, NacosAccess, Status
from harness.errors import HarnessError
from harness.model import Platform, load_platform
from harness.stack import Stack


class Line:
    """Questions to the keeper, one after the other."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._asking = threading.Lock()

    def ask(self, what: str, *arguments: Any) -> Any:
        """What the keeper answers; raises what it raised, and HarnessError when it is gone."""
        try:
            with self._asking:
                self._connection.send((what, arguments))
                good, found = self._connection.recv()
        except (EOFError, OSError) as error:
            raise HarnessError(
                "the process that holds the shared stack has gone, and the stack with it", mend="run it again"
            ) from error
        if good:
            return found
        raise found

    def leave(self) -> None:
        """Say good-bye; for the last one it returns when the stack has been torn down."""
        with self._asking, contextlib.suppress(EOFError, OSError):
            self._connection.send(("leave", ()))
            self._connection.recv()
        self._connection.close()


class SharedReplica:
    """A replica that lives with the keeper: what is asked of it is done there."""

    def __init__(self, line: Line, service: str, index: int) -> None:
        self._line = line
        self.service = service
        self.index = index

    def _ask(self, name: str, *arguments: Any) -> Any:
        return self._line.ask("replica", self.service, self.index, name, *arguments)

    http = property(lambda self: self._ask("http"))
    grpc = property(lambda self: self._ask("grpc"))
    inside = property(lambda self: self._ask("inside"))
    inside_grpc = property(lambda self: self._ask("inside_grpc"))
    pid = property(lambda self: self._ask("pid"))
    state = property(lambda self: self._ask("state"))
    slowed = property(lambda self: self._ask("slowed"))

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        self._ask("kill")

    def stop(self) -> None:
        """SIGTERM, and wait until it is gone."""
        self._ask("stop")

    def pause(self) -> None:
        """Freeze it."""
        self._ask("pause")

    def resume(self) -> None:
        """Let it go on."""
        self._ask("resume")

    def restart(self) -> None:
        """End it if it runs, start it anew and wait until it is ready."""
        self._ask("restart")

    def disconnect(self) -> None:
        """Cut it off the network."""
        self._ask("disconnect")

    def connect(self) -> None:
        """Back in the network."""
        self._ask("connect")

    def slow_link(self, delay: float = 0.0, jitter: float = 0.0, loss: float = 0.0) -> None:
        """Its answers come later, and some get lost."""
        self._ask("slow_link", delay, jitter, loss)

    def plain_link(self) -> None:
        """The link as if it had never been touched."""
        self._ask("plain_link")


class SharedEngine:
    """The keeper's engine; starting and stopping it is the keeper's alone."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self.name: str = line.ask("engine", "name")
        self.capabilities: frozenset[str] = line.ask("engine", "capabilities")
        self.emulated: frozenset[str] = line.ask("engine", "emulated")
        self.endpoints: Endpoints = line.ask("engine", "endpoints")
        self.nacos: NacosAccess = line.ask("engine", "nacos")
        self.versions: Mapping[str, str] = line.ask("engine", "versions")
        self._replicas: dict[tuple[str, int], SharedReplica] = {}

    def start(self) -> None:
        """Raises HarnessError: it runs."""
        raise HarnessError("a shared stack runs already")

    def wait(self, component: str, timeout: float) -> None:
        """It is ready."""

    def warm_up(self, platform: Platform) -> None:
        """Raises HarnessError: it runs."""
        raise HarnessError("a shared stack runs already")

    launch_services = warm_up

    def wait_services(self, timeout: float) -> None:
        """They are ready."""

    def addresses(self) -> Mapping[str, Sequence[str]]:
        """Service → host:port of its replicas as the gateway reaches them."""
        found: Mapping[str, Sequence[str]] = self._line.ask("engine", "addresses")
        return found

    def replicas(self, service: str) -> Sequence[SharedReplica]:
        """The replicas of a service, by index. Raises LookupError for an unknown service."""
        count: int = self._line.ask("replicas", service)
        return [self._replica(service, index) for index in range(count)]

    def _replica(self, service: str, index: int) -> SharedReplica:
        return self._replicas.setdefault((service, index), SharedReplica(self._line, service, index))

    def scale(self, service: str, count: int) -> None:
        """Start or stop replicas until there are `count`."""
        self._line.ask("engine", "scale", service, count)

    def status(self) -> Sequence[Status]:
        """Every component and replica."""
        found: Sequence[Status] = self._line.ask("engine", "status")
        return found

    def log_files(self, component: str) -> Sequence[Path]:
        """The log files of a component, service or replica. Raises LookupError for an unknown one."""
        found: Sequence[Path] = self._line.ask("engine", "log_files", component)
        return found

    def logs(self, component: str, lines: int = 20) -> str:
        """The last log lines of a component, service or replica."""
        return str(self._line.ask("engine", "logs", component, lines))

    def stop(self) -> None:
        """Leave; the last one waits until the stack has been torn down."""
        self._line.leave()


class SharedStack(Stack):
    """A stack like any other; `turn()` makes this process alone with it."""

    def __init__(self, connection: Connection, platform: Path, environment: str) -> None:
        self._line = Line(connection)
        super().__init__(load_platform(platform, environment), SharedEngine(self._line))
        self.timings: dict[str, float] = self._line.ask("stack", "timings")
        self._left = False

    @contextlib.contextmanager
    def turn(self) -> Iterator[None]:
        """Alone with the stack; in the end it is as declared, for the next."""
        self._line.ask("turn")
        self._services.clear()  # the others' turns may have ended connections that the handles kept
        try:
            yield
        finally:
            self._line.ask("end turn")

    def remember(self) -> None:
        """Take the present state as the declared one, for all."""
        self._line.ask("stack", "remember")

    def reset(self) -> None:
        """Back to the declared state."""
        self._line.ask("stack", "reset")

    def stop(self) -> None:
        """Leave it; stopping twice is fine."""
        if not self._left:
            self._left = True
            self.engine.stop()
