"""Many bare Nacos gRPC clients in one process, for `benchmarks/nacos.py`: raw HTTP/2 frames, nothing parsed in haste.

    python benchmarks/nacos_clients.py      (told what to do on stdin, one JSON array a line; answers one JSON a line)

While a change goes out this process sleeps: the kernel stamps what arrives in each socket, and the stamps are read
afterwards. So neither this process's speed nor its share of the CPU is measured. `["read"]` is the other way: it
reads as a real client does and takes the time when each message was read, one client after the other.
"""

from __future__ import annotations

import json
import select
import socket
import struct
import sys
import time
from typing import Any

from harness.emulators.nacos.grpc import wire

DATA, HEADERS, SETTINGS, PING, GOAWAY, WINDOW_UPDATE = 0, 1, 4, 6, 7, 8
END_STREAM, END_HEADERS, ACK = 1, 4, 1
WINDOW = (1 << 31) - 1
#: Linux: have the kernel stamp what is received, in software, with the system clock.
SO_TIMESTAMPING, RX_SOFTWARE, SOFTWARE = 37, 1 << 3, 1 << 4


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def literal(name: bytes, value: bytes) -> bytes:
    """One HPACK header, never indexed, never compressed: it can be sent on any connection at any time."""
    return b"\x00" + bytes([len(name)]) + name + bytes([len(value)]) + value


HELLO = (
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
    + frame(SETTINGS, 0, 0, struct.pack(">HI", 4, WINDOW))
    + frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", WINDOW - 65535))
)


def head(path: bytes) -> bytes:
    pairs = [
        (b":method", b"POST"),
        (b":scheme", b"http"),
        (b":path", path),
        (b":authority", b"nacos"),
        (b"te", b"trailers"),
        (b"content-type", b"application/grpc"),
    ]
    return b"".join(literal(*pair) for pair in pairs)


UNARY, STREAM = head(b"/Request/request"), head(b"/BiRequestStream/requestBiStream")


def message(kind: str, body: object) -> bytes:
    data = wire.encode(kind, json.dumps(body).encode())
    return b"\0" + struct.pack(">I", len(data)) + data


class Client:
    """One connection. The push stream is stream 1, unary calls follow."""

    def __init__(self, port: int, module: str) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPING, RX_SOFTWARE | SOFTWARE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.pushes = bytearray()
        self._buffer = bytearray()
        self._answers: dict[int, bytearray] = {}
        self._ended: set[int] = set()
        self._next = 3
        setup = {"clientVersion": "bench", "labels": {"module": module}}
        self.socket.sendall(
            HELLO + frame(HEADERS, END_HEADERS, 1, STREAM) + self.spoken("ConnectionSetupRequest", setup)
        )
        self.call("HealthCheckRequest", {})

    def spoken(self, kind: str, body: object) -> bytes:
        """A message on the push stream."""
        return frame(DATA, 0, 1, message(kind, body))

    def call(self, kind: str, body: object) -> dict[str, Any]:
        stream, self._next = self._next, self._next + 2
        request = frame(HEADERS, END_HEADERS, stream, UNARY)
        self.socket.sendall(request + frame(DATA, END_STREAM, stream, message(kind, body)))
        while stream not in self._ended:
            self.take(self.socket.recv(1 << 20))
        self._ended.discard(stream)
        answer: dict[str, Any] = json.loads(wire.decode(bytes(self._answers.pop(stream)[5:])).body)
        if answer["resultCode"] != 200:
            raise RuntimeError(f"{kind}: {answer}")
        return answer

    def take(self, data: bytes) -> None:
        """Read frames."""
        if not data:
            raise ConnectionError("the server closed the connection")
        buffer = self._buffer
        buffer += data
        while len(buffer) >= 9 and len(buffer) >= 9 + (size := int.from_bytes(buffer[:3], "big")):
            kind, flags, stream = struct.unpack(">BBI", buffer[3:9])
            payload = bytes(buffer[9 : 9 + size])
            del buffer[: 9 + size]
            self._frame(kind, flags, stream, payload)

    def _frame(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        if kind == DATA:
            target = self.pushes if stream == 1 else self._answers.setdefault(stream, bytearray())
            target += payload
        elif kind in (SETTINGS, PING) and not flags & ACK:
            self.socket.sendall(frame(kind, ACK, 0, payload if kind == PING else b""))
        elif kind == GOAWAY:
            raise ConnectionError(f"the server said goodbye: {payload!r}")
        if flags & END_STREAM and kind in (DATA, HEADERS):
            self._ended.add(stream)

    def whole(self) -> bool:
        """Whether a whole push is there."""
        held = self.pushes
        return len(held) >= 5 and len(held) >= 5 + int.from_bytes(held[1:5], "big")

    def acknowledge(self) -> int:
        """Answer every push that is there; how many there were."""
        done, out = 0, b""
        while self.whole():
            end = 5 + int.from_bytes(self.pushes[1:5], "big")
            start = self.pushes.index(b'"requestId":"') + 13
            number = self.pushes[start : self.pushes.index(b'"', start)].decode()
            out += self.spoken("NotifySubscriberResponse", {"requestId": number, "resultCode": 200})
            del self.pushes[:end]
            done += 1
        if out:
            self.socket.sendall(out)
        return done

    def stamped(self) -> float:
        """Read one push; the time at which the kernel had the last byte of it."""
        stamp = 0.0
        while not self.whole():
            data, extra, _, _ = self.socket.recvmsg(1 << 20, 128)
            for level, kind, content in extra:
                if (level, kind) == (socket.SOL_SOCKET, SO_TIMESTAMPING):
                    seconds, nanoseconds = struct.unpack_from("qq", content)
                    stamp = seconds + nanoseconds / 1e9
            self.take(data)
        return stamp


class Clients:
    """What the benchmark asks for, one method each."""

    def __init__(self) -> None:
        self.held: list[Client] = []

    def connect(self, port: int, module: str, count: int, kind: str, body: object) -> int:
        """Connect, and make one call on each connection."""
        for _ in range(count):
            client = Client(port, module)
            client.call(kind, body)
            self.held.append(client)
        return len(self.held)

    def settle(self) -> int:
        """Read and acknowledge what came by itself, until nothing does, and show that the clients live."""
        count = 0
        for client in self.held:
            client.call("HealthCheckRequest", {})
            count += client.acknowledge()
        return count

    def stamps(self) -> list[float]:
        """When the kernel had the push of each client; call it after the fact."""
        for client in self.held:
            client.socket.settimeout(30)
        return [client.stamped() for client in self.held]

    def read(self) -> list[float]:
        """Read as pushes come; when each client's was read."""
        waiting = {client.socket.fileno(): client for client in self.held}
        poll = select.epoll()
        for number in waiting:
            poll.register(number, select.EPOLLIN)
        times = []
        tell({"reading": len(waiting)})
        deadline = time.monotonic() + 30
        while waiting and time.monotonic() < deadline:
            for number, _ in poll.poll(1):
                client = waiting[number]
                client.take(client.socket.recv(1 << 20))
                if client.whole():
                    times.append(time.time())
                    poll.unregister(number)
                    del waiting[number]
        poll.close()
        if waiting:
            raise RuntimeError(f"{len(waiting)} clients saw no push within 30 s")
        return times

    def acknowledge(self) -> int:
        """Acknowledge what was read."""
        return sum(client.acknowledge() for client in self.held)


def tell(answer: object) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


def main() -> None:
    clients = Clients()
    for line in sys.stdin:
        act, *arguments = json.loads(line)
        tell(getattr(clients, act)(*arguments))


if __name__ == "__main__":
    main()
