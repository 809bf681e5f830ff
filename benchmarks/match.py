"""How long matching takes with 10, 1,000 and 100,000 routes: `python benchmarks/match.py [--json]`.

Each figure is the best of several rounds over a fixed mix of requests, in microseconds a request (match) or a route
(put). "known" requests repeat 200 paths; "new" ones never come twice, so that nothing remembered helps.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from harness.emulators.apisix.context import Context
from harness.emulators.apisix.headers import Headers
from harness.emulators.apisix.match.router import Router

SIZES = (10, 1_000, 100_000)
REQUESTS = 20_000
ROUNDS = 5


def route(index: int, with_host: bool) -> Any:
    """Three of four routes are prefixes, the rest exact; one in ten has a condition."""
    uri = f"/api/v{index % 7}/service-{index}" + ("" if index % 4 == 0 else "/*")
    return SimpleNamespace(
        id=str(index),
        uris=[uri],
        hosts=[f"tenant-{index % 1000}.test"] if with_host else None,
        methods=["GET", "POST"] if index % 10 == 0 else None,
        remote_addrs=None,
        vars=None,
        filter_func=None,
        priority=0,
        status=1,
    )


def request(index: int, tail: str, with_host: bool) -> Context:
    """A request for the route of that index."""
    ends = {"remote_addr": "127.0.0.1", "remote_port": 1, "server_addr": "127.0.0.1", "server_port": 80}
    client = SimpleNamespace(**ends, scheme="http", sni=None, tls=None)
    uri = f"/api/v{index % 7}/service-{index}" + ("" if index % 4 == 0 else tail)
    host = f"tenant-{index % 1000}.test" if with_host else "_"
    return Context(client, "GET", uri, uri, "", (1, 1), Headers(), "127.0.0.1", 0.0, host=host)


def best(run: Callable[[], int]) -> float:
    """Microseconds for one of the things that `run` does and counts."""
    found = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        count = run()
        found.append((time.perf_counter() - start) / count * 1e6)
    return min(found)


def matching(router: Router, requests: list[Context]) -> float:
    """Microseconds a match, of which all must find a route."""
    match = router.match

    def run() -> int:
        for ctx in requests:
            if match(ctx) is None:
                raise AssertionError(f"no route for {ctx.uri}")
        return len(requests)

    return best(run)


def measure(size: int, with_host: bool) -> dict[str, float]:
    """The figures for one number of routes."""
    routes = [route(index, with_host) for index in range(size)]
    router = Router()
    start = time.perf_counter()
    for each in routes:
        router.put(each)
    put = (time.perf_counter() - start) / size * 1e6
    step = max(size // 200, 1)
    known = [request(index * step % size, "/a/b", with_host) for index in range(200)] * (REQUESTS // 200)
    new = [request(index * 7 % size, f"/a/{index}", with_host) for index in range(REQUESTS)]
    figures = {"put": put, "known": matching(router, known), "new": matching(router, new)}
    figures["change"] = best(lambda: [router.put(each) for each in routes[:1000]].__len__())
    return figures


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a table")
    as_json = parser.parse_args().json
    found = {
        f"{size} routes{', by host' if with_host else ''}": measure(size, with_host)
        for with_host in (False, True)
        for size in SIZES
    }
    if as_json:
        print(json.dumps(found))
        return
    print(f"{'µs':24}{'put':>9}{'change':>9}{'match known':>13}{'match new':>11}")
    for name, row in found.items():
        print(f"{name:24}{row['put']:9.2f}{row['change']:9.2f}{row['known']:13.2f}{row['new']:11.2f}")


if __name__ == "__main__":
    main()
