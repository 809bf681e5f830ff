"""The replicas of the embedded engine: processes forked from a warm parent, or started by their own command."""

from __future__ import annotations

import json
import os
import shlex
import signal
import socket
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness import processes
from harness.engines.lines import LineProcess
from harness.engines.process_link import ProcessLink, behind, refuse_without_a_place
from harness.errors import EngineUnavailable, NotReady
from harness.wait import until

#: Seconds a replica gets to end after SIGTERM: deregister, drain.
DRAIN = 5.0


@dataclass(frozen=True)
class Launch:
    """How to start one replica: its service, index, command, environment (its ports among it) and log."""

    service: str
    index: int
    command: Sequence[str]
    env: Mapping[str, str]
    log: Path

    @property
    def id(self) -> str:
        """As it is named to users: bi-basic/0."""
        return f"{self.service}/{self.index}"

    @property
    def http(self) -> str:
        """host:port of the HTTP server that it was told to open."""
        return f"127.0.0.1:{self.env['HTTP_PORT']}"

    @property
    def grpc(self) -> str:
        """host:port of the gRPC server that it was told to open, "" without one."""
        port = self.env.get("GRPC_PORT", "")
        return f"127.0.0.1:{port}" if port else ""


class _Local:
    """What is the same for both kinds of replica: pausing by signal, and a network that is this machine's."""

    paused = False
    launch: Launch
    _plain: Launch | None = None
    link: ProcessLink | None = None

    @property
    def inside(self) -> str:
        """host:port of its HTTP server as it registers it: the same as from here."""
        return self.launch.http

    @property
    def inside_grpc(self) -> str:
        """host:port of its gRPC server as it registers it."""
        return self.launch.grpc

    def disconnect(self) -> None:
        """Raises EngineUnavailable: it shares this machine's network."""
        raise self._no_network("be cut off")

    def connect(self) -> None:
        """Raises EngineUnavailable: it shares this machine's network."""
        raise self._no_network("be cut off")

    def slow_link(self, delay: float = 0.0, jitter: float = 0.0, loss: float = 0.0) -> None:
        """Its answers take `delay` seconds longer, give or take `jitter`; a share `loss` gets lost; 0 is quick again.

        The first time it is stopped and started again, behind a link that has its address. Raises EngineUnavailable.
        """
        if self.link is None:
            self._put_behind_a_link()
        assert self.link is not None
        self.link.shape(delay, jitter, loss)

    def _put_behind_a_link(self) -> None:
        refuse_without_a_place(self.launch)
        self.stop()
        self._plain = self.launch
        self.link = ProcessLink.start(self.launch)
        self.launch = behind(self.launch)
        try:
            self.restart()
        except NotReady as error:
            self.link.stop()
            self.link, self.launch = None, self._plain
            self.restart()
            raise EngineUnavailable(
                f"it can't be put behind a link: {error.what}",
                where=self.launch.id,
                mend="the service must listen on the address that BIND_HOST names, and register ADVERTISE_IP",
            ) from error

    @property
    def slowed(self) -> bool:
        """Whether it is behind a link."""
        return self.link is not None

    def plain_link(self) -> None:
        """Back in its own place: stopped and started again when it was behind a link."""
        if self.link is None or self._plain is None:
            return
        self.stop()
        self.link.stop()
        self.link, self.launch = None, self._plain
        self.restart()

    def remove(self) -> None:
        """SIGTERM, and no link is left."""
        self.stop()
        if self.link is not None:
            self.link.stop()

    def stop(self) -> None:
        raise NotImplementedError

    def restart(self, timeout: float = 10.0) -> None:
        raise NotImplementedError

    def _no_network(self, what: str) -> EngineUnavailable:
        return EngineUnavailable(
            f"a process shares this machine's network and can't {what}",
            where=self.launch.id,
            mend='`--engine docker` can; mark the scenario with @pytest.mark.requires("network")',
        )

    @property
    def pid(self) -> int | None:
        raise NotImplementedError

    def pause(self) -> None:
        """Freeze it: connections stay open and nothing answers."""
        self._signal(signal.SIGSTOP)
        self.paused = True

    def resume(self) -> None:
        """Let a paused one go on."""
        self._signal(signal.SIGCONT)
        self.paused = False

    def _signal(self, number: signal.Signals) -> None:
        if self.pid is None:
            raise ProcessLookupError(f"{self} is not running; restart() it first")
        os.kill(self.pid, number)


class WarmParent:
    """The process that has imported all that replicas need, and forks one for each line it is told.

    It is told `{"id", "service", "env", "log"}` and says `{"event": "ready", "id", "pid", "http", "grpc"}`,
    `{"event": "exited", "id", "pid", "code"}` and, of an order that it can't obey, `{"event": "error", "message"}`, one
    JSON object a line.
    """

    def __init__(self, command: Sequence[str], log: Path, cwd: Path | None = None) -> None:
        self._events: dict[str, dict[str, object]] = {}
        self._refusals: list[str] = []
        self.lines = LineProcess(command, log=log, heard=self._heard, cwd=cwd)

    def _heard(self, line: str) -> None:
        event = json.loads(line)
        if event["event"] == "error":
            self._refusals.append(event["message"])
        elif "id" in event:
            self._events[event["id"]] = event

    def fork(self, launch: Launch) -> None:
        """Ask for a replica; returns at once."""
        with self.lines.changed:
            self._events[launch.id] = {"event": "asked"}
        order = {"id": launch.id, "service": launch.service, "env": dict(launch.env), "log": str(launch.log)}
        self.lines.tell(json.dumps(order))

    def last(self, id: str) -> dict[str, object]:
        """The last event of a replica."""
        return self._events[id]

    def wait(self, id: str, kind: str, timeout: float, log: Path) -> dict[str, object]:
        """Until a replica's event `kind`; raises NotReady with its log when it ends instead, or in `timeout` s."""
        self.lines.wait_for(
            lambda: bool(self._refusals) or self.last(id)["event"] in (kind, "exited"), timeout, f"{id} to be {kind}"
        )
        if self._refusals:
            raise EngineUnavailable(f"the warm parent refused an order: {self._refusals.pop(0)}", where=id)
        event = self.last(id)
        if event["event"] != kind:
            raise NotReady(
                f"{id} to be {kind}",
                seconds=timeout,
                last=f"it exited with code {event['code']}",
                logs=processes.last_lines(log),
            )
        return event


class WarmReplica(_Local):
    """A replica forked from the warm parent."""

    def __init__(self, launch: Launch, parent: WarmParent) -> None:
        self.launch = launch
        self.parent = parent
        parent.fork(launch)

    @property
    def service(self) -> str:
        """The service's name."""
        return self.launch.service

    @property
    def index(self) -> int:
        """Its number."""
        return self.launch.index

    @property
    def _event(self) -> dict[str, object]:
        return self.parent.last(self.launch.id)

    @property
    def http(self) -> str:
        """host:port of its HTTP server."""
        return self.launch.http

    @property
    def grpc(self) -> str:
        """host:port of its gRPC server, "" without one."""
        return self.launch.grpc

    @property
    def pid(self) -> int | None:
        """Its process id while it runs."""
        event = self._event
        return int(str(event["pid"])) if event["event"] in ("started", "ready") else None

    @property
    def state(self) -> str:
        """starting, ready, paused or dead."""
        if self.paused:
            return "paused"
        return {"ready": "ready", "exited": "dead"}.get(str(self._event["event"]), "starting")

    def wait_ready(self, timeout: float) -> None:
        """Until it serves and is registered."""
        self.parent.wait(self.launch.id, "ready", timeout, self.launch.log)

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """SIGTERM, and wait until it is gone; insists after a while."""
        self._end(signal.SIGTERM)

    def _end(self, number: signal.Signals) -> None:
        if self.pid is None:
            return
        self._signal(number)
        if self.paused:
            self.resume()
        try:
            self.parent.wait(self.launch.id, "exited", DRAIN, self.launch.log)
        except NotReady:
            self._signal(signal.SIGKILL)
            self.parent.wait(self.launch.id, "exited", DRAIN, self.launch.log)

    def restart(self, timeout: float = 10.0) -> None:
        """End it if it runs, fork a new one and wait until it is ready."""
        self.kill()
        self.paused = False
        self.parent.fork(self.launch)
        self.wait_ready(timeout)


class CommandReplica(_Local):
    """A replica started by its service's own command; its ports are told by HTTP_PORT and GRPC_PORT."""

    def __init__(self, launch: Launch) -> None:
        self.launch = launch
        self._start()

    def _start(self) -> None:
        try:
            self.process: subprocess.Popen[str] = processes.spawn(
                self.launch.command, log=self.launch.log, env=self.launch.env
            )
        except FileNotFoundError as error:
            raise EngineUnavailable(
                f"no program {shlex.join(self.launch.command)}",
                where=self.launch.id,
                mend="check the service's `command` in the platform file",
            ) from error

    @property
    def service(self) -> str:
        """The service's name."""
        return self.launch.service

    @property
    def index(self) -> int:
        """Its number."""
        return self.launch.index

    @property
    def http(self) -> str:
        """host:port of its HTTP server."""
        return self.launch.http

    @property
    def grpc(self) -> str:
        """host:port of its gRPC server, "" without one."""
        return self.launch.grpc

    @property
    def pid(self) -> int | None:
        """Its process id while it runs."""
        return self.process.pid if self.process.poll() is None else None

    @property
    def state(self) -> str:
        """ready (it accepts connections), starting, paused or dead."""
        if self.pid is None:
            return "dead"
        if self.paused:
            return "paused"
        return "ready" if self._accepts() else "starting"

    def _accepts(self) -> bool:
        try:
            here = self.launch.env.get("BIND_HOST", "127.0.0.1"), int(self.launch.env["HTTP_PORT"])
            socket.create_connection(here, timeout=1).close()
            return True
        except OSError:
            return False

    def wait_ready(self, timeout: float) -> None:
        """Until its HTTP port accepts connections."""
        until(
            lambda: self.pid is None or self._accepts(),
            timeout,
            awaited=f"{self.launch.id} to accept connections on {self.http}",
            logs=lambda: processes.last_lines(self.launch.log),
            mend="the command must listen on the port that the environment variable HTTP_PORT names",
        )
        if self.pid is None:
            raise NotReady(
                f"{self.launch.id} to be ready",
                seconds=timeout,
                last=f"it exited with code {self.process.returncode}",
                logs=processes.last_lines(self.launch.log),
            )

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        """SIGTERM, and wait until it is gone; insists after a while."""
        processes.stop(self.process, DRAIN)

    def restart(self, timeout: float = 10.0) -> None:
        """End it if it runs, start a new one and wait until it is ready."""
        self.kill()
        self.paused = False
        self._start()
        self.wait_ready(timeout)
