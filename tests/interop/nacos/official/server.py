"""The embedded Nacos as a process of its own, on ports that it keeps over restarts."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import httpx

from harness.clients.nacos import NacosClient
from harness.ports import free_port
from harness.processes import last_lines, spawn, stop
from harness.wait import until

ROOT = Path(__file__).resolve().parents[4]


class Server:
    """`python -m harness.emulators.nacos` at `address`; `credentials` is `user:password`, "" for no authentication."""

    def __init__(self, folder: Path, credentials: str = "") -> None:
        self.port = free_port(offset=1000)
        self.address = f"127.0.0.1:{self.port}"
        self.username, _, self.password = credentials.partition(":")
        self._log = folder / "nacos.log"
        self._env = {"HARNESS_NACOS_AUTH": credentials} if credentials else {}
        self._process: subprocess.Popen[str] | None = None

    @property
    def url(self) -> str:
        """Where its HTTP API is, without the context path."""
        return f"http://{self.address}"

    def start(self) -> None:
        """Start and return when it answers."""
        argv = [sys.executable, "-m", "harness.emulators.nacos", "--port", str(self.port)]
        self._process = spawn(argv, log=self._log, env=self._env, cwd=ROOT)
        logs = lambda: last_lines(self._log)  # noqa: E731
        until(self._ready, 30, awaited=f"Nacos at {self.address}", logs=logs)

    def _ready(self) -> bool:
        try:
            return httpx.get(f"{self.url}/nacos/v1/console/health/readiness", trust_env=False).is_success
        except httpx.TransportError:
            return False

    def kill(self) -> None:
        """`kill -9`."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def close(self) -> None:
        """Stop it."""
        if self._process is not None:
            stop(self._process)

    def advance(self, seconds: float) -> None:
        """Move its clock: heart-beats expire without waiting."""
        answer = httpx.post(f"{self.url}/_harness/clock/advance", json={"seconds": seconds}, trust_env=False)
        answer.raise_for_status()

    def peer(self) -> NacosClient:
        """A client of ours that looks at what the official ones did, and does what they should notice."""
        return NacosClient(self.url, username=self.username, password=self.password)


class Attached(Server):
    """A server that runs already, at `http://host:port`."""

    def __init__(self, url: str) -> None:
        self.address = url.removeprefix("http://").rstrip("/")
        self.port = int(self.address.rpartition(":")[2])
        self.username = self.password = ""
        self._process = None
