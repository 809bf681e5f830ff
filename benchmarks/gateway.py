"""The gateway's speed beside nginx's as a plain proxy (and any other gateway's), measured with wrk on the loopback.

    python benchmarks/gateway.py [--case plain,auth] [--seconds 5] [--rounds 3]
                                 [--other NAME=URL --other-admin URL --other-key KEY]

Needs `nginx` and `wrk` on PATH. Each side has one worker; sides take turns within a round, and the median of the rounds
counts, since machines are noisy. The upstream is another nginx.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from harness.ports import free_port
from harness.wait import until

KEY = "benchmark"
RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PUBLIC = (
    RSA.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()
)

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


@dataclass(frozen=True)
class Case:
    """One measurement: what wrk asks for, and with how many connections."""

    name: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    script: str = ""
    idle: int = 0


@dataclass(frozen=True)
class Measured:
    """What wrk said: requests per second, the 99th percentile in milliseconds, and how many answers weren't 2xx."""

    rate: float
    p99: float
    errors: int


def cases() -> list[Case]:
    """All cases in the order of the table."""
    token = jwt.encode({"key": "rs-key", "exp": int(time.time()) + 86400}, RSA, algorithm="RS256")
    upload = 'wrk.method = "POST"\nwrk.body = string.rep("x", 1048576)\n'
    return [
        Case("plain", "/plain"),
        Case("auth", "/auth", {"apikey": "auth-key"}),
        Case("jwt", "/jwt", {"Authorization": token}),
        Case("64k", "/64k"),
        Case("upload", "/upload", script=upload),
        Case("idle", "/plain", idle=1000),
        Case("routes", "/many/500/x"),
    ]


TITLES = {
    "plain": "plain route",
    "auth": "key-auth + limit-count",
    "jwt": "jwt-auth RS256",
    "64k": "64 KiB response",
    "upload": "1 MiB upload",
    "idle": "1,000 idle connections",
    "routes": "1,000 routes",
}


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


@contextlib.contextmanager
def process(arguments: list[str], **options: Any) -> Iterator[subprocess.Popen[str]]:
    """A child that ends with the block."""
    child = subprocess.Popen(arguments, text=True, **options)
    try:
        yield child
    finally:
        child.terminate()
        child.wait(timeout=20)


@contextlib.contextmanager
def nginx(name: str, body: str, directory: Path, port: int) -> Iterator[None]:
    """An nginx with one worker."""
    path = directory / f"{name}.conf"
    path.write_text(NGINX.format(directory=directory, name=name, body=body))
    with process([shutil.which("nginx") or "/usr/sbin/nginx", "-c", str(path)], stderr=subprocess.DEVNULL):
        until(lambda: _listens(port), 5, awaited=f"nginx {name} on port {port}")
        yield


def _listens(port: int) -> bool:
    with socket.create_connection(("127.0.0.1", port), timeout=1):
        return True


@contextlib.contextmanager
def ours() -> Iterator[dict[str, str]]:
    """Our gateway with one worker and an etcd of its own: its addresses."""
    listeners = ["http", "admin", "control", "prometheus"]
    flags = [part for name in listeners for part in (f"--{name}", "127.0.0.1:0")]
    command = [sys.executable, "-m", "harness.emulators.apisix.serve", *flags, "--admin-key", KEY]
    with process(command, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        line = child.stdout.readline()
        yield json.loads(line.removeprefix("ready "))


def wrk(url: str, case: Case, seconds: float, directory: Path) -> Measured:
    """One run of wrk -t1 -c32."""
    command = ["wrk", "-t1", "-c32", f"-d{seconds:g}s", "--latency", url + case.path]
    command += [part for name, value in case.headers.items() for part in ("-H", f"{name}: {value}")]
    if case.script:
        script = directory / f"{case.name}.lua"
        script.write_text(case.script)
        command += ["-s", str(script)]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", said)[1])  # type: ignore[index]
    found = re.search(r"99%\s+([\d.]+)(us|ms|s)", said)
    scale = {"us": 0.001, "ms": 1.0, "s": 1000.0}
    errors = re.search(r"Non-2xx or 3xx responses: (\d+)", said)
    return Measured(rate, float(found[1]) * scale[found[2]] if found else 0.0, int(errors[1]) if errors else 0)


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


def measure(case: Case, sides: Mapping[str, str], options: argparse.Namespace, directory: Path) -> dict[str, Measured]:
    """The median run of each side."""
    runs: dict[str, list[Measured]] = {name: [] for name in sides}
    for _ in range(options.rounds):
        for name, url in sides.items():
            with idle(url, case.idle):
                runs[name].append(wrk(url, case, options.seconds, directory))
    return {name: _median(found) for name, found in runs.items()}


def _median(runs: list[Measured]) -> Measured:
    return Measured(
        statistics.median(run.rate for run in runs),
        statistics.median(run.p99 for run in runs),
        sum(run.errors for run in runs),
    )


def _cell(one: Measured) -> str:
    return f"{one.rate:,.0f} ({one.p99:.1f})" + (f" {one.errors} errors" if one.errors else "")


def report(results: Mapping[str, dict[str, Measured]]) -> str:
    """The table, in Markdown."""
    sides = list(next(iter(results.values())))
    lines = ["| case | " + " | ".join(f"{side} req/s (p99 ms)" for side in sides) + " | ours / nginx |"]
    lines.append("|---" * (len(sides) + 2) + "|")
    for case, found in results.items():
        cells = [
            f"{one.rate:,.0f} ({one.p99:.1f})" + (f" {one.errors} errors" if one.errors else "")
            for one in found.values()
        ]
        ratio = found["ours"].rate / found["nginx"].rate
        lines.append(f"| {TITLES[case]} | " + " | ".join(cells) + f" | {ratio:.2f} |")
    return "\n".join(lines)


def main() -> None:
    """Parse, start, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--case", default=",".join(TITLES), help="which ones, by comma")
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--other", metavar="NAME=URL", help="another gateway to put beside")
    parser.add_argument("--other-admin", metavar="URL", help="its Admin API, to give it the same routes")
    parser.add_argument("--other-key", default="", metavar="KEY")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    wanted = options.case.split(",")
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        directory = Path(name)
        directory.chmod(0o755)
        (directory / "64k").write_bytes(b"x" * 65536)
        upstream, proxy = free_port(), free_port()
        stack.enter_context(nginx("upstream", UPSTREAM.format(port=upstream, directory=directory), directory, upstream))
        stack.enter_context(nginx("proxy", PROXY.format(port=proxy, upstream=upstream), directory, proxy))
        addresses = stack.enter_context(ours())
        configure(addresses["admin"], KEY, upstream)
        sides = {"nginx": f"http://127.0.0.1:{proxy}", "ours": addresses["http"]}
        if options.other:
            other, _, url = options.other.partition("=")
            sides[other] = url
            if options.other_admin:
                configure(options.other_admin, options.other_key, upstream)
        results = {case.name: measure(case, sides, options, directory) for case in cases() if case.name in wanted}
    if options.json:
        print(json.dumps({case: {side: vars(one) for side, one in found.items()} for case, found in results.items()}))
    else:
        print(report(results))


if __name__ == "__main__":
    main()
