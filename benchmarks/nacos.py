"""How fast the embedded Nacos is: start, memory, pushes to many subscribers and listeners, lists over HTTP, resets.

    python benchmarks/nacos.py [--runs 20] [--json]

The server is a process of its own, and so are its many clients (`nacos_clients.py`). "arrived" is the time from just
before the change until the kernel has the whole push in a client's socket: what the server and the kernel take, however
long the reading lasts. "read" is the time until one process has read it, one client after the other. Percentiles come
from the raw samples of all runs; `last_ms` is the time to the last client of each change. `cpu` is the server's own CPU
time by the kernel's account; wall-clock figures depend on the load of the machine, which is printed.
`last_less_wait_ms` is `last_ms` without the time in which the server could have run but other programs had the CPUs.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from nacos_clients import Client

SERVE = [sys.executable, "-m", "harness.emulators.nacos", "--port", "0"]
#: The command that users type; what it costs on top is the command line's own library.
COMMAND = [str(Path(sys.executable).with_name("harness")), "serve", "nacos", "--port", "0"]
CLIENTS = Path(__file__).with_name("nacos_clients.py")
GOALS = {
    "command_ready_ms_p50": 250,
    "command_resident_mib": 60,
    "naming_arrived_ms_p99": 50,
    "config_arrived_ms_p99": 100,
    "list_requests_per_s": 3000,
    "reset_ms_p50": 10,
    "restore_ms_p50": 10,
    "snapshot_ms_p50": 10,
}


class Server:
    """The server process."""

    def __init__(self, command: list[str] = SERVE, env: dict[str, str] | None = None) -> None:
        start = time.perf_counter()
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=env)
        assert self.process.stdout is not None
        addresses = json.loads(self.process.stdout.readline().removeprefix("ready "))
        self.ready_ms = (time.perf_counter() - start) * 1000
        self.port = int(addresses["http"].rpartition(":")[2])
        self.grpc_port = int(addresses["grpc"].rpartition(":")[2])

    def cpu_ms(self) -> float:
        """CPU time of the server's one busy thread so far, user and system."""
        return self._schedule()[0] / 1e6

    def wait_ms(self) -> float:
        """How long that thread could have run so far but had no CPU: what the machine's other work costs it."""
        return self._schedule()[1] / 1e6

    def _schedule(self) -> list[int]:
        return [int(word) for word in Path(f"/proc/{self.process.pid}/schedstat").read_text().split()]

    def resident_mib(self) -> float:
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0]) / 1024

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(10)


class Others:
    """The process of the clients."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(CLIENTS)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def tell(self, *act: object) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(act) + "\n")
        self.process.stdin.flush()

    def answer(self) -> Any:
        assert self.process.stdout is not None
        return json.loads(self.process.stdout.readline())

    def ask(self, *act: object) -> Any:
        self.tell(*act)
        return self.answer()

    def stop(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(30)


def percentile(samples: list[float], share: float) -> float:
    ordered = sorted(samples)
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)]


def spread(name: str, values: list[float]) -> dict[str, float]:
    return {f"{name}_best": min(values), f"{name}_median": statistics.median(values), f"{name}_worst": max(values)}


def fan_out(name: str, server: Server, others: Others, runs: int, change: Callable[[int], object]) -> dict[str, float]:
    """Figures of changes that each reach every client."""
    arrived: list[float] = []
    read: list[float] = []
    last, alone, pushing, acknowledging = [], [], [], []
    clients = 0
    for run in range(runs):
        others.ask("settle")
        time.sleep(0.05)
        before, waited, start = server.cpu_ms(), server.wait_ms(), time.time()
        change(2 * run)
        time.sleep(0.3)
        pushed, waited = server.cpu_ms(), server.wait_ms() - waited
        stamps = others.ask("stamps")
        clients = len(stamps)
        arrived += [(stamp - start) * 1000 for stamp in stamps]
        last.append((max(stamps) - start) * 1000)
        alone.append(last[-1] - waited)
        middle = server.cpu_ms()
        others.ask("acknowledge")
        time.sleep(0.1)
        pushing.append(pushed - before)
        acknowledging.append(server.cpu_ms() - middle)
        others.tell("read")
        others.answer()
        start = time.time()
        change(2 * run + 1)
        read += [(moment - start) * 1000 for moment in others.answer()]
        others.ask("acknowledge")
    return {
        f"{name}_samples": len(arrived),
        f"{name}_arrived_ms_p50": percentile(arrived, 0.5),
        f"{name}_arrived_ms_p99": percentile(arrived, 0.99),
        **spread(f"{name}_last_ms", last),
        **spread(f"{name}_last_less_wait_ms", alone),
        f"{name}_read_ms_p50": percentile(read, 0.5),
        f"{name}_read_ms_p99": percentile(read, 0.99),
        **spread(f"{name}_push_cpu_us", [spent * 1000 / clients for spent in pushing]),
        f"{name}_ack_cpu_us_median": statistics.median(acknowledging) * 1000 / clients,
    }


def naming(server: Server, runs: int) -> dict[str, float]:
    """5,000 instances over 200 services, 500 subscribers of one of them."""
    publishers = [Client(server.grpc_port, "naming") for _ in range(25)]
    for service in range(200):
        for number, publisher in enumerate(publishers):
            publisher.call("InstanceRequest", registration(service, number, 8080))
    others = Others()
    subscription = {"namespace": "public", "groupName": "G", "serviceName": "svc-0", "subscribe": True}
    others.ask("connect", server.grpc_port, "naming", 500, "SubscribeServiceRequest", subscription)
    figures = fan_out(
        "naming",
        server,
        others,
        runs,
        lambda run: publishers[0].call("InstanceRequest", registration(0, 0, 9000 + run)),
    )
    others.stop()
    return figures


def registration(service: int, number: int, port: int) -> dict[str, object]:
    instance = {"ip": f"10.0.{service}.{number}", "port": port, "metadata": {"version": "1.2.3", "zone": "a"}}
    return {
        "namespace": "public",
        "groupName": "G",
        "serviceName": f"svc-{service}",
        "type": "registerInstance",
        "instance": instance,
    }


def configuration(server: Server, runs: int) -> dict[str, float]:
    """2,000 listeners of one configuration."""
    publisher = Client(server.grpc_port, "config")
    others = Others()
    listened = {"listen": True, "configListenContexts": [{"dataId": "d", "group": "G", "tenant": "", "md5": ""}]}
    others.ask("connect", server.grpc_port, "config", 2000, "ConfigBatchListenRequest", listened)
    figures = fan_out(
        "config",
        server,
        others,
        runs,
        lambda run: publisher.call("ConfigPublishRequest", {"dataId": "d", "group": "G", "content": f"v{run}"}),
    )
    others.stop()
    return figures


class Http:
    """One keep-alive connection."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))

    def ask(self, method: str, path: str, body: bytes = b"", kind: str = "application/x-www-form-urlencoded") -> bytes:
        """The whole answer, head and body."""
        head = f"{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
        self.socket.sendall(head.encode() + body)
        found = b""
        while b"\r\n\r\n" not in found:
            found += self.socket.recv(1 << 20)
        length = int(found.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        size = found.index(b"\r\n\r\n") + 4 + length
        while len(found) < size:
            found += self.socket.recv(1 << 20)
        if not found.startswith(b"HTTP/1.1 200 "):
            raise RuntimeError(f"{method} {path}: {found[:200]!r}")
        return found


def lists(server: Server, seconds: float) -> dict[str, float]:
    """A list of 100 hosts over 8 keep-alive connections, each with one request under way at a time."""
    links = [Http(server.port) for _ in range(8)]
    for number in range(100):
        path = f"/nacos/v1/ns/instance?serviceName=hundred&ip=10.1.0.{number}&port=80&ephemeral=false"
        links[0].ask("POST", path)
    line = b"GET /nacos/v1/ns/instance/list?serviceName=hundred HTTP/1.1\r\nHost: x\r\n\r\n"
    size = len(links[0].ask("GET", "/nacos/v1/ns/instance/list?serviceName=hundred"))
    rates, spent = [], []
    for _ in range(4):
        before, start, done = server.cpu_ms(), time.perf_counter(), 0
        while time.perf_counter() - start < seconds / 4:
            for link in links:
                link.socket.sendall(line)
            for link in links:
                left = size
                while left > 0:
                    left -= len(link.socket.recv(min(left, 1 << 20)))
            done += len(links)
        rates.append(done / (time.perf_counter() - start))
        spent.append((server.cpu_ms() - before) * 1000 / done)
    return {
        "list_requests_per_s": max(rates),
        "list_requests_per_s_median": statistics.median(rates),
        "list_cpu_us": min(spent),
    }


def controls(server: Server, runs: int) -> dict[str, float]:
    """Snapshot, restore and reset with 1,000 services and 1,000 configurations, by the end-points that tests use."""
    link = Http(server.port)
    link.ask("POST", "/_harness/reset")
    for number in range(1000):
        link.ask("POST", f"/nacos/v1/ns/instance?serviceName=s{number}&ip=10.2.0.1&port=80&ephemeral=false")
        link.ask("POST", "/nacos/v1/cs/configs", f"dataId=d{number}&group=G&content=x{number}".encode())
    figures: dict[str, list[float]] = {"snapshot": [], "reset": [], "restore": []}
    spent = server.cpu_ms()
    for _ in range(runs):
        answer, took = timed(lambda: link.ask("POST", "/_harness/snapshot"))
        figures["snapshot"].append(took)
        kept = json.loads(answer.partition(b"\r\n\r\n")[2])["id"]
        figures["reset"].append(timed(lambda: link.ask("POST", "/_harness/reset"))[1])
        body = json.dumps({"id": kept}).encode()
        figures["restore"].append(timed(lambda b=body: link.ask("POST", "/_harness/restore", b, "application/json"))[1])
    return {
        "controls_cpu_ms": (server.cpu_ms() - spent) / runs,
        **{
            f"{name}_ms_{label}": percentile(values, share)
            for name, values in figures.items()
            for label, share in (("best", 0.0), ("p50", 0.5), ("max", 1.0))
        },
    }


def timed(act: Callable[[], bytes]) -> tuple[bytes, float]:
    start = time.perf_counter()
    return act(), (time.perf_counter() - start) * 1000


def starts(name: str, command: list[str], count: int) -> dict[str, float]:
    """Milliseconds until ready, how many of them on a CPU, and MiB resident when idle.

    Byte code is kept between the starts, as Python does everywhere unless it is told not to.
    """
    times, spent, resident = [], [], 0.0
    with tempfile.TemporaryDirectory() as folder:
        env = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
        env["PYTHONPYCACHEPREFIX"] = folder
        Server(command, env).stop()
        for _ in range(count):
            server = Server(command, env)
            times.append(server.ready_ms)
            spent.append(server.cpu_ms())
            resident = max(resident, server.resident_mib())
            server.stop()
    return {
        f"{name}_ready_ms_best": min(times),
        f"{name}_ready_ms_p50": percentile(times, 0.5),
        f"{name}_ready_ms_max": max(times),
        f"{name}_ready_cpu_ms_p50": percentile(spent, 0.5),
        f"{name}_resident_mib": resident,
    }


def measure(runs: int) -> dict[str, float]:
    figures = {"load_before": os.getloadavg()[0], **starts("command", COMMAND, 10), **starts("module", SERVE, 10)}
    server = Server()
    try:
        figures |= naming(server, runs)
        figures |= configuration(server, runs)
        figures |= lists(server, 4.0)
        figures["resident_mib_loaded"] = server.resident_mib()
        figures |= controls(server, runs)
    finally:
        server.stop()
    return {**figures, "load_after": os.getloadavg()[0]}


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
        print(f"{name:28} {value:10.1f}{goal}")


if __name__ == "__main__":
    main()
