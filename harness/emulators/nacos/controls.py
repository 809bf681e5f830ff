"""What a test may do to a running server; called inside the server's loop, by the control endpoints and from Python."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from harness.emulators.nacos.domain import Snapshot
from harness.emulators.nacos.errors import invalid, not_found
from harness.emulators.nacos.faults import Failure
from harness.emulators.nacos.grpc.connections import Connection
from harness.emulators.nacos.site import Site

#: How many snapshots are kept; the oldest goes first.
MAX_SNAPSHOTS = 100


class Controls:
    """Reset, snapshots, the clock, connections, faults."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._initial = site.domain.snapshot()
        self._snapshots: dict[str, Snapshot] = {}
        self._numbers = itertools.count(1)
        #: Entered around a replacement of the whole state.
        self.replacing: Callable[[], AbstractContextManager[None]] = nullcontext

    # -- state -------------------------------------------------------------------------------------------------------

    def reset(self) -> None:
        """Back to the state at start; faults end, the clock falls back, connected clients stay connected."""
        self._site.faults.clear()
        self._site.udp.forget_all()
        reset_clock = getattr(self._site.domain.clock, "reset", None)
        if reset_clock is not None:
            reset_clock()
        with self.replacing():
            self._site.domain.restore(self._initial)
        self._site.connections.log.clear()

    def snapshot(self) -> str:
        """Keep the present state; answers its id."""
        name = str(next(self._numbers))
        self._snapshots[name] = self._site.domain.snapshot()
        if len(self._snapshots) > MAX_SNAPSHOTS:
            del self._snapshots[next(iter(self._snapshots))]
        return name

    def restore(self, name: str) -> None:
        """Back to a snapshot; raises NacosError (404) for an unknown id."""
        saved = self._snapshots.get(name)
        if saved is None:
            raise not_found(f"no snapshot {name!r}")
        with self.replacing():
            self._site.domain.restore(saved)

    def advance(self, seconds: float) -> None:
        """Move the clock and let time act; raises NacosError (400) if the clock can't be moved, or not by this."""
        advance_clock = getattr(self._site.domain.clock, "advance", None)
        if advance_clock is None:
            raise invalid(f"{type(self._site.domain.clock).__name__} can't be advanced")
        try:
            advance_clock(seconds)
        except ValueError as error:
            raise invalid(str(error)) from error
        self._site.domain.tick()
        self._site.polls.nudge()

    # -- connections -------------------------------------------------------------------------------------------------

    def connections(self) -> list[dict[str, Any]]:
        """Every registered gRPC connection."""
        return [connection.to_json() for connection in self._site.connections.registered()]

    def drop(self, connection_id: str) -> None:
        """Cut a connection as a dead network would; raises NacosError (404) for an unknown id."""
        self._known(connection_id).link.abort()

    def send_away(self, connection_id: str) -> None:
        """Ask a client to connect anew (`ConnectResetRequest`; Python SDKs do not understand it).

        Raises NacosError (404) for an unknown id.
        """
        fields = b',"serverIp":"","serverPort":"","connectionId":"%b"}' % connection_id.encode()
        self._site.connections.push(
            self._known(connection_id), "ConnectResetRequest", "internal", fields, connection_id
        )

    def _known(self, connection_id: str) -> Connection:
        connection = self._site.connections.by_id.get(connection_id)
        if connection is None:
            raise not_found(f"no connection {connection_id!r}")
        return connection

    def pushes(self) -> list[dict[str, Any]]:
        """What was pushed since the start or the last reset, oldest first."""
        return [push.to_json() for push in self._site.connections.log]

    # -- faults ------------------------------------------------------------------------------------------------------

    def freeze(self) -> None:
        """Take requests but do not answer them."""
        self._site.faults.freeze()

    def thaw(self) -> None:
        """Answer again, what was held back first."""
        self._site.faults.thaw()

    def fail_next(self, kind: str, times: int = 1, status: int = 500, message: str = "failed on demand") -> None:
        """Fail the next `times` calls of a type: a gRPC request type, `METHOD /v1/...` or `*`."""
        try:
            self._site.faults.fail_next(kind, Failure(times, status, message))
        except ValueError as error:
            raise invalid(str(error)) from error
