"""Real replicas for the tests of the stand-ins: one warm parent for all, one replica per service kept running."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest

from harness.wait import until

Event = dict[str, Any]


@dataclass(frozen=True)
class Running:
    """A replica that reported ready."""

    id: str
    pid: int
    http: httpx.Client
    grpc_address: str
    log: Path

    def channel(self) -> grpc.Channel:
        return grpc.insecure_channel(self.grpc_address)

    def lines(self, message: str) -> list[Event]:
        """The log's lines with this message."""
        found = [json.loads(line) for line in self.log.read_text().splitlines()]
        return [line for line in found if line["message"] == message]


class Warm:
    """A warm parent and what it said so far."""

    def __init__(self, logs: Path, *options: str) -> None:
        self._logs = logs
        self.process = subprocess.Popen(
            [sys.executable, "-m", "stubs", "--warm", *options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.events: list[Event] = []
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            self.events.append(json.loads(line))

    def say(self, line: str) -> None:
        assert self.process.stdin
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def event(self, name: str, **fields: Any) -> Event:
        """Wait for an event of this name with these fields."""
        wanted = {"event": name, **fields}
        return until(
            lambda: next((event for event in self.events if wanted.items() <= event.items()), None),
            10,
            awaited=f"event {wanted}",
            state=lambda: str(self.events),
        )

    def log(self, replica: str) -> Path:
        return self._logs / f"{replica}.log"

    def order(self, service: str, replica: str, **env: str) -> None:
        """Ask for a replica without waiting for it."""
        env = {"REPLICA_ID": replica, "STATE_DIR": str(self._logs), **env}
        self.say(json.dumps({"service": service, "id": replica, "env": env, "log": str(self.log(replica))}))

    def start(self, service: str, replica: str, **env: str) -> Running:
        """A replica that is ready."""
        self.order(service, replica, **env)
        ready = self.event("ready", id=replica)
        client = httpx.Client(base_url=f"http://{ready['http']}", timeout=10)
        return Running(replica, ready["pid"], client, ready["grpc"], self.log(replica))

    def close(self) -> None:
        """End it as the engine does: by the end of its standard input."""
        assert self.process.stdin
        if not self.process.stdin.closed:
            self.process.stdin.close()
        self.process.wait(10)


@pytest.fixture(scope="session")
def make_warm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Warm]]:
    """Start a warm parent of one's own."""
    made: list[Warm] = []

    def make(*options: str) -> Warm:
        made.append(Warm(tmp_path_factory.mktemp("stubs"), *options))
        return made[-1]

    yield make
    for warm in made:
        warm.close()


@pytest.fixture(scope="session")
def warm(make_warm: Callable[..., Warm]) -> Warm:
    """The warm parent that all tests share."""
    return make_warm()


@pytest.fixture(scope="session")
def running(warm: Warm) -> Callable[[str], Running]:
    """The replica of a service that all tests share; started at the first use."""
    found: dict[str, Running] = {}

    def get(service: str) -> Running:
        if service not in found:
            found[service] = warm.start(service, f"{service}-0", VERSION="1.2.3", ZONE="z1")
        return found[service]

    return get


def _service_fixture(service: str) -> Any:
    @pytest.fixture(name=service.replace("-", "_"))
    def fixture(running: Callable[[str], Running]) -> Running:
        replica = running(service)
        replica.http.post("/_stub/reset").raise_for_status()
        return replica

    return fixture


bi_basic = _service_fixture("bi-basic")
bi_analysis = _service_fixture("bi-analysis")
bi_chat = _service_fixture("bi-chat")
bi_api_jushuitan = _service_fixture("bi-api-jushuitan")
bi_api_leke = _service_fixture("bi-api-leke")
