"""How long until a route stored through the Admin API answers: PUT answered, and effective on the data plane.

    python benchmarks/admin.py [--rounds 300] [--admin URL --key KEY --http URL]

Without addresses it starts an embedded gateway; with them it measures any gateway, a real APISIX as well. Percentiles
are of raw samples, on one connection each to the Admin API and the data plane.
"""

from __future__ import annotations

import argparse
import json
import socket
import threading
import time
from urllib.parse import urlsplit

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Caller:
    """One kept connection: no more overhead than a socket has."""

    def __init__(self, url: str, key: str = "") -> None:
        parts = urlsplit(url)
        self.host = f"{parts.hostname}:{parts.port}"
        self.key = f"X-API-KEY: {key}\r\n" if key else ""
        self.socket = socket.create_connection((parts.hostname or "", parts.port or 80))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def ask(self, method: str, path: str, body: bytes = b"") -> int:
        """The status of the answer, read whole."""
        head = f"{method} {path} HTTP/1.1\r\nHost: {self.host}\r\n{self.key}Content-Length: {len(body)}\r\n\r\n"
        self.socket.sendall(head.encode() + body)
        raw = self.socket.recv(65536)
        while not _complete(raw):
            raw += self.socket.recv(65536)
        return int(raw[9:12])


def _complete(raw: bytes) -> bool:
    head, blank, body = raw.partition(b"\r\n\r\n")
    if not blank:
        return False
    lower = head.lower()
    if b"transfer-encoding: chunked" in lower:
        return body.endswith(b"0\r\n\r\n")
    length = next((line for line in lower.split(b"\r\n") if line.startswith(b"content-length:")), b": 0")
    return len(body) >= int(length.split(b":")[1])


def upstream() -> int:
    """The port of a server that says ok to everything."""
    server = socket.create_server(("127.0.0.1", 0))

    def serve(connection: socket.socket) -> None:
        while connection.recv(65536):
            connection.sendall(OK)

    def accept() -> None:
        while True:
            connection, _ = server.accept()
            threading.Thread(target=serve, args=(connection,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    return int(server.getsockname()[1])


def measure(admin: Caller, http: Caller, rounds: int) -> tuple[list[float], list[float]]:
    """Seconds until the PUT is answered, and until the first request that the route takes is."""
    nodes = {f"127.0.0.1:{upstream()}": 1}
    answered, effective = [], []
    for index in range(rounds):
        route = json.dumps({"uri": f"/bench/{index}", "upstream": {"type": "roundrobin", "nodes": nodes}}).encode()
        start = time.perf_counter()
        status = admin.ask("PUT", f"/apisix/admin/routes/bench{index % 100}", route)
        answered.append(time.perf_counter() - start)
        if status not in (200, 201):
            raise SystemExit(f"the Admin API answered {status}")
        while http.ask("GET", f"/bench/{index}") != 200:
            pass
        effective.append(time.perf_counter() - start)
    for index in range(min(rounds, 100)):
        admin.ask("DELETE", f"/apisix/admin/routes/bench{index}")
    return answered, effective


def percentile(samples: list[float], share: float) -> float:
    """Milliseconds; the sample at that rank."""
    return sorted(samples)[min(int(len(samples) * share), len(samples) - 1)] * 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=300)
    parser.add_argument("--admin")
    parser.add_argument("--key", default="")
    parser.add_argument("--http")
    options = parser.parse_args()
    if options.admin:
        results = measure(Caller(options.admin, options.key), Caller(options.http), options.rounds)
    else:
        from harness.emulators.apisix import ApisixServer

        with ApisixServer() as gateway:
            admin = Caller(gateway.admin_url, gateway.admin_key)
            results = measure(admin, Caller(gateway.http_url), options.rounds)
    for name, samples in zip(("PUT answered", "effective"), results, strict=True):
        shown = ", ".join(f"p{share * 100:g} {percentile(samples, share):.2f} ms" for share in (0.5, 0.9, 0.99))
        print(f"{name}: {shown} ({len(samples)} samples)")


if __name__ == "__main__":
    main()
