"""How fast the embedded Nacos is: start, memory, pushes to many subscribers and listeners, lists over HTTP.

    python benchmarks/nacos.py [--runs 20] [--json]

The server runs as its own process; the clients are light sockets of this one, which time-stamp what arrives before they
parse it, so that what is measured is the server and the kernel. Percentiles come from the raw samples of all runs.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import h2.config
import h2.connection
import h2.events
import uvloop

from harness.emulators.nacos.grpc import wire

SERVE = "import sys; from harness.emulators.nacos.serve import run; sys.exit(run(port=0))"
HEADERS = [
    (b":method", b"POST"),
    (b":scheme", b"http"),
    (b":authority", b"nacos"),
    (b"te", b"trailers"),
    (b"content-type", b"application/grpc"),
]
GOALS = {
    "ready_ms_p50": 250,
    "resident_mib": 60,
    "naming_push_ms_p99": 50,
    "config_push_ms_p99": 100,
    "list_requests_per_s": 3000,
}


class Client(asyncio.Protocol):
    """A bare Nacos gRPC client: set-up, one unary call at a time, pushes stamped on arrival and acknowledged later."""

    def __init__(self) -> None:
        config = h2.config.H2Configuration(client_side=True, header_encoding=None, validate_outbound_headers=False)
        self.h2 = h2.connection.H2Connection(config)
        self.arrived: list[float] = []
        self._raw: list[bytes] = []
        self._deferred = False
        self.lazy = False
        self._answer: asyncio.Future[bytes] | None = None
        self._buffers: dict[int, bytearray] = {}
        self._next = 1
        self._pushes = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.h2.initiate_connection()
        self.h2.increment_flow_control_window(1 << 28)
        self.flush()

    def connection_lost(self, error: Exception | None) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(ConnectionError("the server closed the connection"))

    def flush(self) -> None:
        self.transport.write(self.h2.data_to_send())  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        if not self.lazy:
            self._feed(data)
            return
        if not self._raw:
            self.arrived.append(time.perf_counter())
        self._raw.append(data)

    def digest(self) -> None:
        """Parse what was put off, acknowledging the pushes in it."""
        raw, self._raw = self._raw, []
        for data in raw:
            self._feed(data)

    def _feed(self, data: bytes) -> None:
        for event in self.h2.receive_data(data):
            if isinstance(event, h2.events.DataReceived):
                self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                self._gather(event.stream_id, event.data)
        self.flush()

    def _gather(self, stream: int, data: bytes) -> None:
        buffer = self._buffers.setdefault(stream, bytearray())
        buffer += data
        while len(buffer) >= 5 and len(buffer) >= 5 + (size := struct.unpack(">I", buffer[1:5])[0]):
            payload = wire.decode(bytes(buffer[5 : 5 + size]))
            del buffer[: 5 + size]
            if stream == self._pushes:
                number = json.loads(payload.body)["requestId"]
                self._message(stream, "NotifySubscriberResponse", {"requestId": number, "resultCode": 200})
            elif self._answer is not None:
                self._answer.set_result(payload.body)
                self._answer = None

    def _message(self, stream: int, kind: str, body: object, *, end: bool = False) -> None:
        data = wire.encode(kind, json.dumps(body).encode())
        self.h2.send_data(stream, b"\0" + struct.pack(">I", len(data)) + data, end_stream=end)

    async def call(self, kind: str, body: object) -> dict[str, object]:
        stream, self._next = self._next, self._next + 2
        self._answer = asyncio.get_running_loop().create_future()
        answer = self._answer
        self.h2.send_headers(stream, [(b":path", b"/Request/request"), *HEADERS])
        self._message(stream, kind, body, end=True)
        self.flush()
        found: dict[str, object] = json.loads(await answer)
        if found["resultCode"] != 200:
            raise RuntimeError(f"{kind}: {found}")
        return found

    async def set_up(self, module: str) -> None:
        await self.call("ServerCheckRequest", {})
        self._pushes, self._next = self._next, self._next + 2
        self.h2.send_headers(self._pushes, [(b":path", b"/BiRequestStream/requestBiStream"), *HEADERS])
        self._message(self._pushes, "ConnectionSetupRequest", {"clientVersion": "bench", "labels": {"module": module}})
        self.flush()
        await self.call("HealthCheckRequest", {})


async def connect(count: int, port: int, module: str) -> list[Client]:
    clients = []
    for _ in range(count):
        _, client = await asyncio.get_running_loop().create_connection(Client, "127.0.0.1", port)
        await client.set_up(module)
        clients.append(client)
    return clients


def percentile(samples: list[float], share: float) -> float:
    ordered = sorted(samples)
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)]


async def fan_out(clients: list[Client], runs: int, change: Callable[[int], Awaitable[object]]) -> list[float]:
    """Milliseconds from just before a change until each client has the push, over all runs."""
    samples: list[float] = []
    for client in clients:
        await client.call("HealthCheckRequest", {})  # whoever waited through a long set-up is no silent client now
    for client in clients:
        client.lazy = True
    for run in range(runs):
        for client in clients:
            client.arrived.clear()
        start = time.perf_counter()
        await change(run)
        for _ in range(3000):
            await asyncio.sleep(0.01)
            if all(client.arrived for client in clients):
                break
        missing = sum(not client.arrived for client in clients)
        if missing:
            raise RuntimeError(f"{missing} of {len(clients)} clients saw no push within 30 s")
        samples += [(client.arrived[0] - start) * 1000 for client in clients]
        for client in clients:
            client.digest()
        await asyncio.sleep(0.2)
    for client in clients:
        client.lazy = False
    return samples


async def naming(port: int, runs: int) -> list[float]:
    """5,000 instances over 200 services, 500 subscribers of one of them."""
    publishers = await connect(25, port, "naming")
    for service in range(200):
        for number, publisher in enumerate(publishers):
            await publisher.call("InstanceRequest", registration(service, number, 8080))
    clients = await connect(500, port, "naming")
    for client in clients:
        subscription = {"namespace": "public", "groupName": "G", "serviceName": "svc-0", "subscribe": True}
        await client.call("SubscribeServiceRequest", subscription)
    samples = await fan_out(
        clients, runs, lambda run: publishers[0].call("InstanceRequest", registration(0, 0, 9000 + run))
    )
    for client in clients:
        client.transport.close()
    return samples


def registration(service: int, number: int, port: int) -> dict[str, object]:
    instance = {"ip": f"10.0.{service}.{number}", "port": port, "metadata": {"version": "1.2.3", "zone": "a"}}
    return {
        "namespace": "public",
        "groupName": "G",
        "serviceName": f"svc-{service}",
        "type": "registerInstance",
        "instance": instance,
    }


async def configuration(port: int, runs: int) -> list[float]:
    """2,000 listeners of one configuration."""
    [publisher] = await connect(1, port, "config")
    clients = await connect(2000, port, "config")
    listened = [{"dataId": "d", "group": "G", "tenant": "", "md5": ""}]
    for client in clients:
        await client.call("ConfigBatchListenRequest", {"listen": True, "configListenContexts": listened})

    async def publish(run: int) -> object:
        return await publisher.call("ConfigPublishRequest", {"dataId": "d", "group": "G", "content": f"v{run}"})

    samples = await fan_out(clients, runs, publish)
    for client in clients:
        client.transport.close()
    return samples


async def lists(port: int, seconds: float) -> float:
    """Requests per second for a list of 100 hosts over 8 keep-alive connections."""
    await request_once(port, 100)
    line = b"GET /nacos/v1/ns/instance/list?serviceName=hundred HTTP/1.1\r\nHost: x\r\n\r\n"
    deadline = time.perf_counter() + seconds

    async def loop() -> int:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 20)
        done = 0
        while time.perf_counter() < deadline:
            writer.write(line)
            head = await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0]))
            done += 1
        writer.close()
        return done

    return sum(await asyncio.gather(*(loop() for _ in range(8)))) / seconds


async def request_once(port: int, hosts: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for number in range(hosts):
        path = f"/nacos/v1/ns/instance?serviceName=hundred&ip=10.1.0.{number}&port=80&ephemeral=false"
        writer.write(f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n".encode())
        await reader.readuntil(b"\r\n\r\nok")
    writer.close()


class Server:
    """The server process."""

    def __init__(self) -> None:
        start = time.perf_counter()
        self.process = subprocess.Popen([sys.executable, "-c", SERVE], stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        addresses = json.loads(self.process.stdout.readline().removeprefix("ready "))
        self.ready_ms = (time.perf_counter() - start) * 1000
        self.cpu_ms = int(Path(f"/proc/{self.process.pid}/schedstat").read_text().split()[0]) / 1e6
        self.port = int(addresses["http"].rpartition(":")[2])
        self.grpc_port = int(addresses["grpc"].rpartition(":")[2])

    def resident_mib(self) -> float:
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0]) / 1024

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(10)


def starts(count: int) -> dict[str, float]:
    """Milliseconds until ready, how many of them on a CPU, and MiB resident when idle."""
    times, spent, resident = [], [], 0.0
    for _ in range(count):
        server = Server()
        times.append(server.ready_ms)
        spent.append(server.cpu_ms)
        resident = max(resident, server.resident_mib())
        server.stop()
    return {
        "ready_ms_p50": percentile(times, 0.5),
        "ready_ms_max": max(times),
        "ready_cpu_ms_p50": percentile(spent, 0.5),
        "resident_mib": resident,
    }


def measure(runs: int) -> dict[str, float]:
    figures = starts(10)
    server = Server()
    try:
        found = uvloop.run(naming(server.grpc_port, runs))
        figures |= {"naming_push_ms_p50": percentile(found, 0.5), "naming_push_ms_p99": percentile(found, 0.99)}
        figures["naming_push_samples"] = len(found)
        found = uvloop.run(configuration(server.grpc_port, runs))
        figures |= {"config_push_ms_p50": percentile(found, 0.5), "config_push_ms_p99": percentile(found, 0.99)}
        figures["config_push_samples"] = len(found)
        figures["list_requests_per_s"] = uvloop.run(lists(server.port, 4.0))
        figures["resident_mib_loaded"] = server.resident_mib()
    finally:
        server.stop()
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=20, help="changes pushed to all clients, for each kind")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    figures = measure(options.runs)
    if options.json:
        print(json.dumps(figures))
        return
    for name, value in figures.items():
        goal = f"   (goal {GOALS[name]})" if name in GOALS else ""
        print(f"{name:24} {value:10.1f}{goal}")


if __name__ == "__main__":
    main()
