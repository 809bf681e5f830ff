"""Connections: one per transport connection, registered by its set-up request; what was pushed and acknowledged."""

from __future__ import annotations

import itertools
import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from harness.emulators.nacos.grpc import wire
from harness.emulators.nacos.grpc.stream import Stream
from harness.emulators.nacos.grpc.transport import Link

#: How many pushes the server remembers for tests to look at.
PUSH_LOG = 10_000
#: Bytes that wait for a client that does not read; beyond them pushes are left to the retries.
LAZY_BACKLOG = 1 << 20


@dataclass(slots=True)
class Push:
    """A request the server sent: `subject` names the service or configuration, times are monotonic seconds."""

    connection_id: str
    type: str
    subject: str
    request_id: str
    sent: float
    tries: int = 1
    acknowledged: float | None = None

    def to_json(self) -> dict[str, Any]:
        """For the control endpoints; `ack_ms` is null until the client answered."""
        took = None if self.acknowledged is None else round((self.acknowledged - self.sent) * 1000, 3)
        return {
            "connection": self.connection_id,
            "type": self.type,
            "subject": self.subject,
            "requestId": self.request_id,
            "tries": self.tries,
            "ack_ms": took,
        }


@dataclass(slots=True)
class Connection:
    """One client."""

    id: str
    link: Link
    last_active: float
    streams: list[Stream] = field(default_factory=list)
    registered: bool = False
    version: str = ""
    tenant: str = ""
    labels: dict[str, str] = field(default_factory=dict)
    abilities: dict[str, bool] | None = None
    pending: dict[str, Push] = field(default_factory=dict)
    probed: float | None = None

    @property
    def ip(self) -> str:
        """The client's address as the transport saw it."""
        return self.link.peer[0]

    @property
    def stream(self) -> Stream | None:
        """The newest open stream (clients that share a transport set up one stream each; the last one reads)."""
        for stream in reversed(self.streams):
            if not stream.done:
                return stream
        return None

    @property
    def app(self) -> str:
        """The application's name, as it told."""
        return self.labels.get("AppName", "unknown")

    def to_json(self) -> dict[str, Any]:
        """For the control endpoints."""
        return {
            "id": self.id,
            "ip": self.ip,
            "port": self.link.peer[1],
            "version": self.version,
            "module": self.labels.get("module", ""),
            "app": self.app,
            "labels": self.labels,
            "pending": len(self.pending),
        }


class Connections:
    """All connections, and the way to push to them."""

    def __init__(self) -> None:
        self.by_id: dict[str, Connection] = {}
        self.log: deque[Push] = deque(maxlen=PUSH_LOG)
        self._by_link: dict[Link, Connection] = {}
        self._numbers = itertools.count(1)

    def open(self, link: Link) -> Connection:
        """A transport connection is there; it is registered only by its set-up."""
        connection_id = f"{int(time.time() * 1000)}_{link.peer[0]}_{link.peer[1]}"
        connection = Connection(connection_id, link, time.monotonic())
        self._by_link[link] = connection
        return connection

    def close(self, link: Link) -> Connection | None:
        """It is gone."""
        connection = self._by_link.pop(link, None)
        if connection is not None:
            self.by_id.pop(connection.id, None)
            connection.registered = False
        return connection

    def of(self, link: Link) -> Connection:
        """The connection of a transport."""
        return self._by_link[link]

    def links(self) -> list[Link]:
        """Every transport connection, registered or not."""
        return list(self._by_link)

    def register(self, connection: Connection) -> None:
        """From now on it may call and be pushed to."""
        connection.registered = True
        self.by_id[connection.id] = connection

    def registered(self) -> Iterable[Connection]:
        """Every registered connection."""
        return list(self.by_id.values())

    def push(self, connection: Connection, type_name: str, module: str, fields: bytes, subject: str = "") -> Push:
        """Send a request to the client; `fields` are the JSON members after the common ones, with the closing brace."""
        return self.push_all((connection,), type_name, module, fields, subject)[0]

    def push_all(
        self, connections: Iterable[Connection], type_name: str, module: str, fields: bytes, subject: str = ""
    ) -> list[Push]:
        """Send one request to many clients: all but its number is made once. The books are kept when all is sent."""
        now = time.monotonic()
        numbered = self._send_all(connections, type_name, b'","module":"%b"%b' % (module.encode(), fields))
        made = []
        for connection, number in numbered:
            record = connection.pending[number] = Push(connection.id, type_name, subject, number, now)
            made.append(record)
        self.log.extend(made)
        return made

    def _send_all(self, connections: Iterable[Connection], type_name: str, tail: bytes) -> list[tuple[Connection, str]]:
        heads: dict[int, bytes] = {}
        numbered = []
        for connection, number in zip(connections, self._numbers, strict=False):
            text = b"%d" % number
            head = heads.get(len(text)) or heads.setdefault(len(text), _head(type_name, len(text) + len(tail)))
            stream = connection.stream
            if stream is not None and stream.backlog < LAZY_BACKLOG:
                stream.send_parts(head + text, tail)
            numbered.append((connection, text.decode()))
        return numbered

    def acknowledge(self, connection: Connection, request_id: str) -> Push | None:
        """The client answered; requests are matched by their id alone, the type of the answer varies by SDK."""
        push = connection.pending.pop(request_id, None)
        if push is not None:
            push.acknowledged = time.monotonic()
        return push

    def overdue(self, seconds: float, kinds: tuple[str, ...]) -> list[tuple[Connection, Push]]:
        """Unanswered pushes of these types, older than `seconds`; they are taken out."""
        oldest = time.monotonic() - seconds
        late = [
            (connection, push)
            for connection in self.by_id.values()
            for push in connection.pending.values()
            if push.type in kinds and push.sent < oldest
        ]
        for connection, push in late:
            del connection.pending[push.request_id]
        return late


def _head(type_name: str, rest: int) -> bytes:
    """A pushed request up to its number, framed for gRPC; `rest` bytes of JSON follow."""
    start = b'{"headers":{},"requestId":"'
    payload = wire.encode_head(type_name, len(start) + rest)
    size = len(payload) + len(start) + rest
    return b"\x00" + size.to_bytes(4, "big") + payload + start
