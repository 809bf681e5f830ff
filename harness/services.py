"""A service as a scenario handles it: its replicas, what they received, and how they misbehave on request."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from http.client import HTTPConnection
from typing import Any

from harness.engines.base import Engine, Replica
from harness.errors import RemoteError

Json = Any


class ReplicaHandle:
    """One replica: process control as the engine has it, and the stand-in's journal and knobs."""

    def __init__(self, replica: Replica) -> None:
        self._replica = replica
        self._connection: tuple[str, HTTPConnection] | None = None

    def __repr__(self) -> str:
        return f"<{self.service}/{self.index} {self.state} {self.http}>"

    @property
    def service(self) -> str:
        """The service's name."""
        return self._replica.service

    @property
    def index(self) -> int:
        """0, 1, …: stays the same over restarts."""
        return self._replica.index

    @property
    def http(self) -> str:
        """host:port of its HTTP server."""
        return self._replica.http

    @property
    def grpc(self) -> str:
        """host:port of its gRPC server."""
        return self._replica.grpc

    @property
    def inside(self) -> str:
        """host:port of its HTTP server as it registers it and the gateway reaches it."""
        return self._replica.inside

    @property
    def inside_grpc(self) -> str:
        """host:port of its gRPC server as it registers it."""
        return self._replica.inside_grpc

    @property
    def pid(self) -> int | None:
        """Its process id where there is one."""
        return self._replica.pid

    @property
    def state(self) -> str:
        """starting, ready, paused, cut (off the network), stopped or dead."""
        return self._replica.state

    def kill(self) -> None:
        """`kill -9`, and wait until it is gone."""
        self._replica.kill()

    def stop(self) -> None:
        """SIGTERM: it deregisters, drains and ends."""
        self._replica.stop()

    def pause(self) -> None:
        """Freeze it: connections stay open and nothing answers."""
        self._replica.pause()

    def resume(self) -> None:
        """Let a paused one go on."""
        self._replica.resume()

    def restart(self) -> None:
        """End it if it runs, start it anew, wait until it is ready."""
        self._replica.restart()

    def disconnect(self) -> None:
        """Cut it off the network: nothing arrives, nothing leaves, connections hang."""
        self._replica.disconnect()

    def connect(self) -> None:
        """Back in the network, at the address that it had."""
        self._replica.connect()

    def slow_link(self, delay: float = 0.0, jitter: float = 0.0, loss: float = 0.0) -> None:
        """Its answers take `delay` seconds longer, give or take `jitter`; a share `loss` gets lost; 0 is quick again.

        Connections that are open are ended when it is first called. On the embedded engine the replica is restarted
        for it. Raises EngineUnavailable where links can't be slowed.
        """
        self._replica.slow_link(delay, jitter, loss)
        self._connection = None

    @property
    def journal(self) -> list[dict[str, Json]]:
        """The requests that this replica received since the last reset, oldest first."""
        entries: list[dict[str, Json]] = self.ask("GET", "/_stub/journal")["requests"]
        return entries

    def set(
        self,
        *,
        latency: float | None = None,
        jitter: float | None = None,
        error_rate: float | None = None,
        error_status: int | None = None,
        status: int | None = None,
        seed: int | None = None,
    ) -> None:
        """Misbehave from now on: `latency` and `jitter` in seconds, `error_rate` 0..1 answering `error_status`,
        or every answer with `status`. Raises RemoteError when the replica refuses a value."""
        milliseconds = {"latency_ms": latency, "jitter_ms": jitter}
        knobs: dict[str, Json] = {name: value * 1000 for name, value in milliseconds.items() if value is not None}
        given = {"error_rate": error_rate, "error_status": error_status, "status": status, "seed": seed}
        knobs.update({name: value for name, value in given.items() if value is not None})
        self.ask("PUT", "/_stub/knobs", knobs)

    def ask(self, method: str, path: str, body: Json = None) -> Json:
        """Call the replica itself, past the gateway; its JSON. Raises RemoteError for a status of 400 or more."""
        connection = self._connect()
        payload = None if body is None else json.dumps(body)
        connection.request(method, path, payload, {"Content-Type": "application/json"} if payload else {})
        answer = connection.getresponse()
        text = answer.read().decode()
        if answer.status >= 400:
            where = f"{self.service}/{self.index} at {self.http}"
            raise RemoteError(f"{method} {path} was refused", status=answer.status, body=text, where=where)
        return json.loads(text) if text else None

    def _connect(self) -> HTTPConnection:
        """The kept connection, or a new one when the replica is another process than before, or elsewhere."""
        known = f"{self.pid} {self.http}"
        if self._connection is None or self._connection[0] != known:
            self._connection = (known, HTTPConnection(self.http, timeout=5))
        return self._connection[1]

    def revive(self) -> None:
        """A plain link, woken if it is paused, connected if it is cut off, restarted if it is dead."""
        if self._replica.slowed:
            self._replica.plain_link()
            self._connection = None
        state = self.state
        if state == "paused":
            self.resume()
        elif state == "cut":
            self.connect()
        elif state == "dead":
            self._replica.restart()

    def ask_reset(self) -> None:
        """First half of a reset: ask, without waiting for the answer."""
        self._connect().request("POST", "/_stub/reset")

    def finish_reset(self) -> None:
        """Second half: the answer."""
        answer = self._connect().getresponse()
        answer.read()


class ServiceHandle:
    """All replicas of one service."""

    def __init__(self, name: str, engine: Engine) -> None:
        self.name = name
        self._engine = engine
        self._handles: dict[int, tuple[Replica, ReplicaHandle]] = {}

    def __repr__(self) -> str:
        return f"<{self.name}: {list(self.replicas)}>"

    @property
    def replicas(self) -> Sequence[ReplicaHandle]:
        """The replicas, by index."""
        return [self._handle(replica) for replica in self._engine.replicas(self.name)]

    def _handle(self, replica: Replica) -> ReplicaHandle:
        known = self._handles.get(replica.index)
        if known is None or known[0] is not replica:
            known = (replica, ReplicaHandle(replica))
            self._handles[replica.index] = known
        return known[1]

    def __iter__(self) -> Iterator[ReplicaHandle]:
        return iter(self.replicas)

    @property
    def journal(self) -> list[dict[str, Json]]:
        """What all running replicas received, in the order of time."""
        entries = [entry for replica in self.replicas if replica.pid for entry in replica.journal]
        return sorted(entries, key=lambda entry: entry["time"])

    def set(self, **knobs: Any) -> None:
        """`ReplicaHandle.set` on every replica."""
        for replica in self.replicas:
            replica.set(**knobs)

    def scale(self, count: int) -> None:
        """Start or stop replicas until there are `count`."""
        self._engine.scale(self.name, count)

    def revive(self, count: int) -> None:
        """As declared: `count` replicas, all running."""
        if len(self._engine.replicas(self.name)) != count:
            self.scale(count)
        for replica in self.replicas:
            replica.revive()

    def ask_reset(self) -> None:
        """First half of emptying the journals and resting the knobs: all replicas work on it at once."""
        for replica in self.replicas:
            replica.ask_reset()

    def finish_reset(self) -> None:
        """Second half: every answer."""
        for replica in self.replicas:
            replica.finish_reset()
