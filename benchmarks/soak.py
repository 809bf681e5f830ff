"""A million requests through the gateway while its routes change: nothing fails, and the memory stays as it was.

    python benchmarks/soak.py [--requests 1000000] [--pause 0.05]

Needs `nginx` and `wrk` on PATH. Requests are half plain, half with key-auth and limit-count; every `--pause` seconds
the Admin API gets a change: the routes under load are written anew, others come and go, a consumer changes. Exit code 1
when a request failed or the resident memory grew by more than 5 % from a tenth of the way to its end.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
from gateway import KEY, UPSTREAM, Case, Side, configure, free_port, nginx, ours, wrk

CASES = (Case("plain", "", "/plain"), Case("auth", "", "/auth", {"apikey": "auth-key"}))
SLICE = 5
GROWTH = 0.05


class Changes:
    """A thread that changes the configuration all the time."""

    def __init__(self, admin: str, upstream: int, pause: float) -> None:
        self._client = httpx.Client(base_url=admin, headers={"X-API-KEY": KEY}, timeout=30)
        self._nodes = {"type": "roundrobin", "nodes": {f"127.0.0.1:{upstream}": 1}}
        self._pause = pause
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.made = 0

    def _run(self) -> None:
        while not self._end.wait(self._pause):
            self._change(self.made)
            self.made += 1

    def _change(self, number: int) -> None:
        come = f"/apisix/admin/routes/come-{number % 20}"
        limit = {"count": 1_000_000_000, "time_window": 3600 + number, "key": "remote_addr"}
        kind = number % 5
        if kind == 0:
            self._put("routes/plain", {"uri": "/plain", "desc": str(number), "upstream": self._nodes})
        elif kind == 1:
            plugins = {"key-auth": {}, "limit-count": limit}
            self._put("routes/auth", {"uri": "/auth", "plugins": plugins, "upstream": self._nodes})
        elif kind == 2:
            self._put(f"routes/come-{number % 20}", {"uri": f"/come/{number}", "upstream": self._nodes})
        elif kind == 3:
            self._client.delete(come)
        else:
            key = {"key-auth": {"key": f"key-{number}"}}
            self._put("consumers", {"username": "another", "plugins": key})

    def _put(self, path: str, value: dict[str, Any]) -> None:
        self._client.put(f"/apisix/admin/{path}", json=value).raise_for_status()

    def __enter__(self) -> Changes:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()
        self._client.close()


def resident(pid: int) -> float:
    """MiB of memory."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def run(side: Side, wanted: int, directory: Path) -> Iterator[tuple[int, int, float]]:
    """(requests, errors, resident MiB) after each slice, until so many are made."""
    made = errors = place = 0
    while made < wanted:
        one = wrk(side, CASES[place % 2], SLICE, directory, None)
        made += one.count
        errors += one.errors
        place += 1
        yield made, errors, resident(side.pid)


def main() -> int:
    """Start, ask, tell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=1_000_000)
    parser.add_argument("--pause", type=float, default=0.05, help="seconds between two changes")
    options = parser.parse_args()
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        directory, port = Path(name), free_port()
        directory.chmod(0o755)
        served = UPSTREAM.format(port=port, directory=directory)
        stack.enter_context(nginx("upstream", served, directory, port, None))
        side, addresses = stack.enter_context(ours(None))
        configure(addresses["admin"], KEY, port)
        first = peak = 0.0
        with Changes(addresses["admin"], port, options.pause) as changes:
            for made, errors, memory in run(side, options.requests, directory):
                first = first if first or made < options.requests / 10 else memory
                peak = max(peak, memory)
                print(f"{made:>9,} requests, {changes.made:>6,} changes, {errors} errors, {memory:.1f} MiB", flush=True)
    growth = memory / first - 1
    load = " ".join(f"{value:.1f}" for value in os.getloadavg())
    seconds = time.perf_counter() - began
    print(
        f"{made:,} requests and {changes.made:,} changes in {seconds:.0f} s: {errors} errors, resident "
        f"{first:.1f} MiB after a tenth, {memory:.1f} at the end ({growth:+.1%}), at most {peak:.1f}; load {load}"
    )
    return 1 if errors or growth > GROWTH else 0


if __name__ == "__main__":
    sys.exit(main())
