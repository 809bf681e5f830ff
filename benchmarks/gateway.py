"""The gateway's speed beside nginx's as a plain proxy (and any other gateway's), measured with wrk on the loopback.

    python benchmarks/gateway.py [--case plain,auth] [--seconds 5] [--rounds 5] [--workers 1]
                                 [--other NAME=URL --other-admin URL --other-key KEY --other-pid PID]

Needs `nginx` and `wrk` on PATH. Each side has one worker, and the upstream is another nginx. Each side is warmed up
before a case. Sides take turns within a round, in the other order every second round, so that what grows on a machine
meanwhile falls on all; a ratio is that of two runs beside each other, and the median of the rounds counts. Where there
are two cores the gateways share the first one, which then nobody else of ours uses (`--no-pin` leaves them alone).

The CPU time of a request is the gateway's own, user and system, so that it says something on a busy machine as well;
the system's clock ticks 100 times a second, so rounds of a second or more are needed for it. `core` is the share of a
core that a side had. A gateway that wrk keeps busy takes all it gets: far below 1, others had the core (or wrk's was
full), and throughput and percentiles are theirs as much as the gateway's. p99 is that of the round with the least, as
what others cost a request is never negative; `all` has each round's.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import httpx
import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from harness.etcd_process import EtcdProcess
from harness.ports import free_port
from harness.wait import until

KEY = "benchmark"
RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PUBLIC = (
    RSA.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()
)
TICKS = os.sysconf("SC_CLK_TCK")
#: Seconds of a case that aren't counted: connections are opened, code and routes are warm behind it.
WARM = 1

NGINX = """
worker_processes 1; daemon off; pid {directory}/{name}.pid; error_log {directory}/{name}.log;
events {{ worker_connections 8192; }}
http {{
  access_log off; keepalive_requests 100000000; client_max_body_size 0; client_body_temp_path {directory}/{name}-body;
  proxy_temp_path {directory}/{name}-proxy; client_body_buffer_size 2m; default_type text/plain;
  {body}
}}
"""
UPSTREAM = """
  server {{ listen 127.0.0.1:{port} backlog=4096;
    location / {{ return 200 "hello world, this is the answer\\n"; }}
    location /64k {{ root {directory}; }}
    location /upload {{
      proxy_pass http://127.0.0.1:{port}/; proxy_pass_request_body off; proxy_set_header Content-Length "";
    }}
  }}
"""
PROXY = """
  upstream up {{ server 127.0.0.1:{upstream}; keepalive 320; keepalive_requests 100000000; }}
  server {{ listen 127.0.0.1:{port} backlog=4096;
    location / {{
      proxy_pass http://up; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $http_host;
    }}
  }}
"""


@dataclass(frozen=True, eq=False)
class Case:
    """One measurement: what wrk asks for, and beside how many idle connections."""

    name: str
    title: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    script: str = ""
    idle: int = 0


@dataclass(frozen=True)
class Side:
    """One gateway: where it listens, and whose CPU time is its own (0: unknown)."""

    name: str
    url: str
    pid: int = 0


@dataclass(frozen=True)
class Run:
    """One run of wrk: requests per second and in all, percentiles in ms, CPU microseconds a request, errors.

    `core` is the share of a core that the gateway had meanwhile.
    """

    rate: float
    p50: float
    p99: float
    cpu: float
    core: float
    errors: int
    count: int


def cases() -> list[Case]:
    """All cases in the order of the table."""
    token = jwt.encode({"key": "rs-key", "exp": int(time.time()) + 86400}, RSA, algorithm="RS256")
    upload = 'wrk.method = "POST"\nwrk.body = string.rep("x", 1048576)\n'
    return [
        Case("plain", "plain route", "/plain"),
        Case("auth", "key-auth + limit-count", "/auth", {"apikey": "auth-key"}),
        Case("jwt", "jwt-auth RS256", "/jwt", {"Authorization": token}),
        Case("64k", "64 KiB response", "/64k"),
        Case("upload", "1 MiB upload", "/upload", script=upload),
        Case("idle", "1,000 idle connections", "/plain", idle=1000),
        Case("routes", "1,000 routes", "/many/500/x"),
    ]


def configure(admin: str, key: str, upstream: int) -> None:
    """The routes and consumers of all cases."""
    nodes = {"type": "roundrobin", "nodes": {f"127.0.0.1:{upstream}": 1}}
    limit = {"count": 1_000_000_000, "time_window": 3600, "key": "remote_addr"}
    routes: dict[str, dict[str, Any]] = {
        "plain": {"uri": "/plain"},
        "64k": {"uri": "/64k"},
        "upload": {"uri": "/upload"},
        "auth": {"uri": "/auth", "plugins": {"key-auth": {}, "limit-count": limit}},
        "jwt": {"uri": "/jwt", "plugins": {"jwt-auth": {}}},
    }
    routes |= {f"many-{number}": {"uri": f"/many/{number}/*"} for number in range(1000)}
    consumers = [
        {"username": "bench", "plugins": {"key-auth": {"key": "auth-key"}}},
        {"username": "rs", "plugins": {"jwt-auth": {"key": "rs-key", "algorithm": "RS256", "public_key": PUBLIC}}},
    ]
    with httpx.Client(base_url=admin, headers={"X-API-KEY": key}, timeout=10) as client:
        for consumer in consumers:
            client.put("/apisix/admin/consumers", json=consumer).raise_for_status()
        for name, route in routes.items():
            client.put(f"/apisix/admin/routes/{name}", json=route | {"upstream": nodes}).raise_for_status()


# -- what is measured


@contextlib.contextmanager
def process(arguments: Sequence[str], core: int | None = None, **options: Any) -> Iterator[subprocess.Popen[str]]:
    """A child that ends with the block, on a core of its own if one is named."""
    child = subprocess.Popen([*_on(core), *arguments], text=True, **options)
    try:
        yield child
    finally:
        child.terminate()
        child.wait(timeout=20)


def _on(core: int | None) -> list[str]:
    return [] if core is None else ["taskset", "-c", str(core)]


@contextlib.contextmanager
def nginx(name: str, body: str, directory: Path, port: int, core: int | None) -> Iterator[Side]:
    """An nginx with one worker."""
    path = directory / f"{name}.conf"
    path.write_text(NGINX.format(directory=directory, name=name, body=body))
    command = [shutil.which("nginx") or "/usr/sbin/nginx", "-c", str(path)]
    with process(command, core, stderr=subprocess.DEVNULL) as child:
        until(lambda: _listens(port), 5, awaited=f"nginx {name} on port {port}")
        yield Side(name, f"http://127.0.0.1:{port}", child.pid)


def _listens(port: int) -> bool:
    with socket.create_connection(("127.0.0.1", port), timeout=1):
        return True


@contextlib.contextmanager
def ours(core: int | None, workers: int = 1) -> Iterator[tuple[Side, dict[str, str]]]:
    """Our gateway with an etcd of its own, and its addresses."""
    listeners = ["http", "admin", "control", "prometheus"]
    flags = [part for name in listeners for part in (f"--{name}", "127.0.0.1:0")]
    with contextlib.ExitStack() as stack:
        etcd = stack.enter_context(EtcdProcess())
        flags += ["--etcd", etcd.url, "--admin-key", KEY, "--workers", str(workers)]
        command = [sys.executable, "-m", "harness.emulators.apisix.serve", *flags]
        child = stack.enter_context(process(command, core, stdout=subprocess.PIPE))
        assert child.stdout is not None
        addresses = json.loads(child.stdout.readline().removeprefix("ready "))
        yield Side("ours", addresses["http"], child.pid), addresses


def cpu_seconds(pid: int) -> float:
    """User and system time of a process and its children that live, 0 for pid 0."""
    if not pid:
        return 0.0
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return (int(fields[11]) + int(fields[12])) / TICKS + sum(cpu_seconds(int(child)) for child in children)


def wrk(side: Side, case: Case, seconds: int, directory: Path, core: int | None) -> Run:
    """One run of wrk -t1 -c32."""
    command = [*_on(core), "wrk", "-t1", "-c32", f"-d{seconds}s", "--latency", side.url + case.path]
    command += [part for name, value in case.headers.items() for part in ("-H", f"{name}: {value}")]
    if case.script:
        script = directory / f"{case.name}.lua"
        script.write_text(case.script)
        command += ["-s", str(script)]
    before = cpu_seconds(side.pid)
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    spent = cpu_seconds(side.pid) - before
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", said)[1])  # type: ignore[index]
    count = int(re.search(r"(\d+) requests in", said)[1])  # type: ignore[index]
    errors = re.search(r"Non-2xx or 3xx responses: (\d+)", said)
    failed = re.search(r"Socket errors: (.*)", said)
    broken = sum(int(number) for number in re.findall(r"\d+", failed[1])) if failed else 0
    percentile = {name: _milliseconds(said, name) for name in ("50", "99")}
    cpu = spent / count * 1e6 if side.pid else 0.0
    failures = broken + (int(errors[1]) if errors else 0)
    return Run(rate, percentile["50"], percentile["99"], cpu, cpu * rate / 1e6, failures, count)


def _milliseconds(said: str, percent: str) -> float:
    found = re.search(rf"{percent}%\s+([\d.]+)(us|ms|s)", said)
    return float(found[1]) * {"us": 0.001, "ms": 1.0, "s": 1000.0}[found[2]] if found else 0.0


@contextlib.contextmanager
def idle(url: str, count: int) -> Iterator[None]:
    """So many connections that have made one request and then wait."""
    host, _, port = url.removeprefix("http://").partition(":")
    held = [socket.create_connection((host, int(port))) for _ in range(count)]
    try:
        for connection in held:
            connection.sendall(b"GET /plain HTTP/1.1\r\nHost: bench\r\n\r\n")
            connection.recv(4096)
        yield
    finally:
        for connection in held:
            connection.close()


def measure(
    case: Case, sides: Sequence[Side], options: argparse.Namespace, directory: Path, core: int | None
) -> dict[str, list[Run]]:
    """The runs of each side, taken in turns."""
    runs: dict[str, list[Run]] = {side.name: [] for side in sides}
    for side in sides:
        wrk(side, case, WARM, directory, core)
    for number in range(options.rounds):
        for side in sides if number % 2 == 0 else reversed(sides):
            with idle(side.url, case.idle):
                runs[side.name].append(wrk(side, case, options.seconds, directory, core))
    return runs


# -- what is told


def _median(runs: Sequence[Run]) -> Run:
    middle = {name: statistics.median(getattr(run, name) for run in runs) for name in ("rate", "p50", "cpu", "core")}
    least = min(run.p99 for run in runs)
    return Run(**middle, p99=least, errors=sum(run.errors for run in runs), count=sum(run.count for run in runs))


def ratios(runs: Mapping[str, Sequence[Run]], name: str) -> tuple[float, float]:
    """A side's throughput beside nginx's, and nginx's CPU time a request beside the side's; 1 is as good as nginx."""
    pairs = list(zip(runs[name], runs["nginx"], strict=True))
    by_cpu = [base.cpu / run.cpu for run, base in pairs if run.cpu]
    return statistics.median(run.rate / base.rate for run, base in pairs), statistics.median(by_cpu or [0])


def _cells(runs: Mapping[str, Sequence[Run]], name: str) -> list[str]:
    one = _median(runs[name])
    cpu = f"{one.cpu:.1f}" if one.cpu else "-"
    core = f"{one.core:.2f}" if one.cpu else "-"
    every = " ".join(f"{run.p99:.1f}" for run in runs[name])
    cells = [name, f"{one.rate:,.0f}", f"{one.p50:.2f}", f"{one.p99:.2f}", every, cpu, core, str(one.errors or "")]
    if name == "nginx":
        return [*cells, "1", "1"]
    rate, by_cpu = ratios(runs, name)
    return [*cells, f"{rate:.2f}", f"{by_cpu:.2f}" if by_cpu else "-"]


def report(results: Mapping[Case, Mapping[str, Sequence[Run]]]) -> Iterator[str]:
    """The table, in Markdown."""
    yield "| case | side | req/s | p50 ms | p99 ms | all | CPU µs | core | errors | × nginx | × nginx by CPU |"
    yield "|---" * 11 + "|"
    for case, runs in results.items():
        for place, name in enumerate(runs):
            yield "| " + " | ".join(["" if place else case.title, *_cells(runs, name)]) + " |"


def _load() -> str:
    return " ".join(f"{value:.1f}" for value in os.getloadavg())


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--case", default="", help="which ones, by comma")
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--workers", type=int, default=1, help="of ours")
    parser.add_argument("--no-pin", action="store_true", help="leave the processes to the scheduler")
    parser.add_argument("--other", metavar="NAME=URL", help="another gateway to put beside")
    parser.add_argument("--other-admin", metavar="URL", help="its Admin API, to give it the same routes")
    parser.add_argument("--other-key", default="", metavar="KEY")
    parser.add_argument("--other-pid", type=int, default=0, metavar="PID", help="its process, to count its CPU time")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def main() -> None:
    """Start, measure, print."""
    options = parse()
    wanted = options.case.split(",") if options.case else [case.name for case in cases()]
    pinned = not options.no_pin and (os.cpu_count() or 1) > 1 and shutil.which("taskset") and options.workers == 1
    gateway, rest = (0, 1) if pinned else (None, None)
    before = _load()
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        directory = Path(name)
        directory.chmod(0o755)
        (directory / "64k").write_bytes(b"x" * 65536)
        upstream, port = free_port(), free_port()
        served = UPSTREAM.format(port=upstream, directory=directory)
        stack.enter_context(nginx("upstream", served, directory, upstream, rest))
        proxy = PROXY.format(port=port, upstream=upstream)
        beside = stack.enter_context(nginx("nginx", proxy, directory, port, gateway))
        own, addresses = stack.enter_context(ours(gateway, options.workers))
        configure(addresses["admin"], KEY, upstream)
        sides = [beside, own]
        if options.other:
            other, _, url = options.other.partition("=")
            sides.append(Side(other, url, options.other_pid))
            if options.other_admin:
                configure(options.other_admin, options.other_key, upstream)
        chosen = [case for case in cases() if case.name in wanted]
        results = {case: measure(case, sides, options, directory, rest) for case in chosen}
    if options.json:
        told = {
            case.name: {side: [asdict(run) for run in found] for side, found in results[case].items()}
            for case in results
        }
        print(json.dumps(told))
        return
    print("\n".join(report(results)))
    print(f"\n{options.rounds} rounds of {options.seconds} s, wrk -t1 -c32; load before {before}, after {_load()}")


if __name__ == "__main__":
    main()
