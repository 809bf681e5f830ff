"""Several workers: one address, counters exact over all of them, one clock, nothing left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from pathlib import Path
from random import Random
from typing import Any

import httpx
import pytest

from harness.clock import ManualClock
from harness.emulators.apisix import shared_file
from harness.emulators.apisix.plugins.base import Shared
from harness.emulators.apisix.shared import SharedStore
from harness.emulators.apisix.shared_file import FileStores
from harness.wait import until

KEY = "k"


@pytest.fixture
def serving() -> Iterator[tuple[subprocess.Popen[str], dict[str, str]]]:
    """A gateway with two workers."""
    flags = [part for name in ("http", "admin", "control", "prometheus") for part in (f"--{name}", "127.0.0.1:0")]
    command = [sys.executable, "-m", "harness.emulators.apisix.serve", *flags, "--admin-key", KEY, "--workers", "2"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process, json.loads(process.stdout.readline().removeprefix("ready "))
        process.terminate()
        process.wait(20)


def _limit(addresses: dict[str, str]) -> None:
    limit = {"count": 50, "time_window": 600, "rejected_code": 429}
    route = {
        "uri": "/l",
        "plugins": {"limit-count": limit},
        "upstream": {"type": "roundrobin", "nodes": {"127.0.0.1:9": 1}},
    }
    url = addresses["admin"] + "/apisix/admin/routes/1"
    httpx.put(url, json=route, headers={"X-API-KEY": KEY}).raise_for_status()


def _ask(addresses: dict[str, str]) -> int:
    """One request on a connection of its own: the kernel deals them out to the workers."""
    connection = HTTPConnection(addresses["http"].removeprefix("http://"), timeout=10)
    connection.request("GET", "/l")
    with connection.getresponse() as answer:
        return answer.status


def test_counters_are_exact_over_all_workers(serving: tuple[subprocess.Popen[str], dict[str, str]]) -> None:
    _, addresses = serving
    _limit(addresses)
    until(lambda: {_ask(addresses) for _ in range(10)} == {502}, 5, awaited="both workers to know the route")
    httpx.post(addresses["control"] + "/_harness/reset", json={}).raise_for_status()
    with ThreadPoolExecutor(8) as pool:
        statuses = Counter(pool.map(lambda _: _ask(addresses), range(120)))
    assert statuses == {502: 50, 429: 70}
    httpx.post(addresses["control"] + "/_harness/clock/advance", json={"seconds": 601}).raise_for_status()
    assert {_ask(addresses) for _ in range(10)} == {502}


def _journal(addresses: dict[str, str], last: int) -> list[dict[str, Any]]:
    answer = httpx.get(f"{addresses['control']}/_harness/journal?last={last}").raise_for_status()
    entries: list[dict[str, Any]] = answer.json()["entries"]
    return entries


def test_the_journal_tells_of_all_workers(serving: tuple[subprocess.Popen[str], dict[str, str]]) -> None:
    process, addresses = serving
    for _ in range(40):
        assert _ask(addresses) == 404
    entries = _journal(addresses, 500)
    assert len(entries) == 40
    assert [entry["time"] for entry in entries] == sorted(entry["time"] for entry in entries)
    assert _journal(addresses, 3) == entries[-3:]
    # the kernel deals 40 connections to one worker alone once in 2**39 runs
    second = _workers(process.pid)[1]
    os.kill(second, signal.SIGKILL)
    until(lambda: second not in _workers(process.pid), 10, awaited="the second worker's end")
    assert 0 < len(_journal(addresses, 500)) < 40
    httpx.post(addresses["control"] + "/_harness/reset", json={}).raise_for_status()
    assert _journal(addresses, 500) == []
    assert httpx.get(f"{addresses['control']}/_harness/journal?last=many").status_code == 400


def test_a_worker_that_dies_is_replaced_and_none_is_left(serving: tuple[subprocess.Popen[str], dict[str, str]]) -> None:
    process, addresses = serving
    first = _workers(process.pid)
    assert len(first) == 2
    os.kill(first[1], signal.SIGKILL)
    until(lambda: len(_workers(process.pid)) == 2 and first[1] not in _workers(process.pid), 10, awaited="a new worker")
    assert {_ask(addresses) for _ in range(10)} == {404}
    known = _workers(process.pid)
    process.terminate()
    assert process.wait(20) == 0
    assert not any(Path(f"/proc/{pid}").exists() for pid in known)


def _workers(master: int) -> list[int]:
    """The children of the master that are gateways (and not its etcd)."""
    children = Path(f"/proc/{master}/task/{master}/children").read_text().split()
    return [int(pid) for pid in children if b"apisix.serve" in Path(f"/proc/{pid}/cmdline").read_bytes()]


_OPERATIONS: dict[str, Callable[[Shared, str, float], object]] = {
    "get": lambda store, key, ttl: store.get(key),
    "set": lambda store, key, ttl: store.set(key, 7, ttl),
    "add": lambda store, key, ttl: store.add(key, 3, ttl),
    "count": lambda store, key, ttl: store.count(key, 2, ttl),
    "incr": lambda store, key, ttl: store.incr(key, 1),
    "incr with init": lambda store, key, ttl: store.incr(key, 2, 0, ttl),
    "ttl": lambda store, key, ttl: store.ttl(key),
    "delete": lambda store, key, ttl: store.delete(key),
}


def test_a_file_store_does_what_a_store_of_one_worker_does(tmp_path: Path) -> None:
    """The same operations, drawn at random, on both."""
    clock = ManualClock()
    shared_file.create(tmp_path / "shared")
    ours, model = FileStores(tmp_path / "shared", clock).get("a"), SharedStore(clock)
    random = Random(1)
    for _ in range(2000):
        key, ttl, name = random.choice("xyz"), random.choice([0, 1, 5]), random.choice(list(_OPERATIONS))
        operate = _OPERATIONS[name]
        assert operate(ours, key, ttl) == operate(model, key, ttl), name
        clock.advance(random.choice([0, 0, 0.5, 2]))
