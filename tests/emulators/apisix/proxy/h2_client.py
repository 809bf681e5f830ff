"""A client of HTTP/2 that may say what no library lets it say."""

from __future__ import annotations

import contextlib
import socket
from typing import Any

import h2.config
import h2.connection
import h2.events
import h2.exceptions

from harness.emulators.apisix.proxy.http2_frames import GoAways


class H2Client:
    """One connection; streams are told apart by their ids. Use `connection` for the state machine itself."""

    def __init__(self, address: tuple[str, int]) -> None:
        self.socket = socket.create_connection(address, timeout=10)
        config = h2.config.H2Configuration(
            client_side=True,
            header_encoding="latin-1",
            validate_outbound_headers=False,
            normalize_outbound_headers=False,
            validate_inbound_headers=False,
        )
        self.connection = h2.connection.H2Connection(config)
        self.connection.initiate_connection()
        self.events: list[Any] = []
        self.closed = False
        #: set to go on after a GOAWAY, which h2's state machine doesn't
        self.goaways: GoAways | None = None

    def __enter__(self) -> H2Client:
        self.send()
        return self

    def __exit__(self, *exception: object) -> None:
        self.socket.close()

    def send(self, more: bytes = b"") -> None:
        """What the state machine has ready, and raw bytes behind it."""
        self.socket.sendall(self.connection.data_to_send() + more)

    def begin(self, *fields: tuple[str, str], end: bool = True, path: str = "/", **pseudo: str) -> int:
        """A request's head; tells its stream."""
        stream = self.connection.get_next_available_stream_id()
        named = {"method": "GET", "scheme": "http", "path": path, "authority": "h.test", **pseudo}
        block = [(f":{name}".encode(), value.encode("latin-1")) for name, value in named.items()]
        block += [(name.encode("latin-1"), value.encode("latin-1")) for name, value in fields]
        self.connection.send_headers(stream, block, end_stream=end)
        return stream

    def read(self) -> list[Any]:
        """The events of one reading; none when the connection is closed."""
        try:
            data = self.socket.recv(65536)
        except ConnectionResetError:
            data = b""
        if not data:
            self.closed = True
            return []
        events = self.connection.receive_data(self.goaways.feed(data) if self.goaways else data)
        self.events += events
        with contextlib.suppress(ConnectionError):
            self.send()
        return events

    def until(self, kind: type[Any], stream: int | None = None) -> Any:
        """The first event of a kind (on a stream), among those that came and those that will."""
        while True:
            for event in self.events:
                if isinstance(event, kind) and (stream is None or event.stream_id == stream):
                    return event
            assert not self.closed, f"closed before {kind.__name__}: {self.events}"
            self.read()

    def status(self, stream: int) -> str:
        """The status of a stream's answer."""
        return dict(self.until(h2.events.ResponseReceived, stream).headers)[":status"]

    def body(self, stream: int) -> bytes:
        """A stream's whole answer; the windows are opened as it is read."""
        while not any(isinstance(one, h2.events.StreamEnded) and one.stream_id == stream for one in self.events):
            assert not self.closed, f"closed before the end: {self.events}"
            for event in self.read():
                if isinstance(event, h2.events.DataReceived):
                    self.connection.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            with contextlib.suppress(ConnectionError):
                self.send()
        return b"".join(
            event.data
            for event in self.events
            if isinstance(event, h2.events.DataReceived) and event.stream_id == stream
        )

    def rest(self) -> None:
        """Read until the other side closes."""
        while not self.closed:
            try:
                self.read()
            except h2.exceptions.ProtocolError:
                continue
