"""Several workers on the same addresses, as nginx has them: forked by a master that starts another when one dies."""

from __future__ import annotations

import json
import mmap
import os
import select
import signal
import socket
import struct
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NoReturn

from harness.emulators.apisix.proxy.listener import bind
from harness.emulators.apisix.settings import Settings
from harness.emulators.apisix.shared import Stores
from harness.errors import NotReady, SpecError

#: How long the workers may take to listen, in seconds.
START = 30.0
_DOUBLE = struct.Struct("d")

#: Serve as worker `index`: (settings, index, sockets, clock, shared file, told) → when it is told to stop.
Work = Callable[["Crew", int, Callable[[Mapping[str, str]], None]], None]


class CrewClock:
    """A clock that all workers share: `advance` in one moves it for all."""

    def __init__(self) -> None:
        self._shift = mmap.mmap(-1, _DOUBLE.size)

    def time(self) -> float:
        """Seconds since the epoch, moved by what was advanced."""
        shift: float = _DOUBLE.unpack_from(self._shift)[0]
        return time.time() + shift

    def monotonic(self) -> float:
        """Monotonic seconds, moved by what was advanced."""
        shift: float = _DOUBLE.unpack_from(self._shift)[0]
        return time.monotonic() + shift

    def advance(self, seconds: float) -> None:
        """Move the clock forward; raises ValueError for a negative step."""
        if seconds < 0:
            raise ValueError(f"a clock goes forward only, not by {seconds} s")
        _DOUBLE.pack_into(self._shift, 0, _DOUBLE.unpack_from(self._shift)[0] + seconds)

    def reset(self) -> None:
        """Fall back to the machine's time."""
        _DOUBLE.pack_into(self._shift, 0, 0.0)


class Crew:
    """What the workers have in common: settings with the addresses as bound, sockets, clock, the shared file."""

    def __init__(self, settings: Settings, directory: Path) -> None:
        """Bind for all workers. Raises SpecError for an address that can't be had."""
        from harness.emulators.apisix import shared_file  # SQLite costs a start 50 ms that one worker needn't pay

        self.clock = CrewClock()
        self.directory = directory
        self.shared = directory / "shared"
        shared_file.create(self.shared)
        self.sockets: list[dict[str, list[socket.socket]]] = [{} for _ in range(settings.workers)]
        http = tuple(self._bind("http", address) for address in settings.http)
        https = tuple(self._bind("https", address) for address in settings.https)
        self.settings = replace(settings, http=http, https=https)

    def close(self, besides: int | None = None) -> None:
        """Close the listening sockets in this process, `besides` those of one worker.

        As long as anybody has one open the kernel deals connections out to it, whether that one accepts them or not.
        """
        for index, sockets in enumerate(self.sockets):
            if index != besides:
                for made in (one for found in sockets.values() for one in found):
                    made.close()

    def stores(self) -> Stores:
        """The shared stores, opened by one worker after the fork."""
        from harness.emulators.apisix.shared_file import FileStores

        return FileStores(self.shared, self.clock)

    def _bind(self, name: str, address: str) -> str:
        """Bind an address for each worker (SO_REUSEPORT: the kernel deals connections out); the address as bound."""
        for sockets in self.sockets:
            try:
                made = bind(address, shared=True)
            except (OSError, ValueError) as error:
                raise SpecError(f"can't listen on {address}: {error}", where=f"--{name}") from error
            sockets.setdefault(name, []).append(made)
            host = address.rpartition(":")[0]
            address = f"{host}:{made.getsockname()[1]}"
        return address


def run(settings: Settings, work: Work, ready: Callable[[Mapping[str, str]], None]) -> None:
    """Run the master until one of `serve.run`'s signals. Raises NotReady when no worker comes up, and as `Crew`."""
    with TemporaryDirectory(dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None) as directory:
        crew = Crew(settings, Path(directory))
        _Master(crew, work).run(ready)


class _Master:
    """The parent of the workers: it serves nothing itself."""

    def __init__(self, crew: Crew, work: Work) -> None:
        self._crew = crew
        self._work = work
        self._pids: dict[int, int] = {}
        self._stopping = False

    def run(self, ready: Callable[[Mapping[str, str]], None]) -> None:
        for number in (signal.SIGTERM, signal.SIGQUIT, signal.SIGINT):
            signal.signal(number, self._stop)
        addresses: dict[str, str] = {}
        try:
            for index in range(self._crew.settings.workers):
                addresses = {**self._start(index), **addresses}
            ready(addresses)
            self._watch()
        finally:
            if not self._stopping:
                self._stop(signal.SIGTERM)
            self._reap()

    def _start(self, index: int) -> dict[str, str]:
        """Fork a worker and wait until it listens: its addresses."""
        reading, writing = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(reading)
            self._be(index, writing)
        os.close(writing)
        self._pids[pid] = index
        with os.fdopen(reading) as told:
            readable, _, _ = select.select([told], [], [], START)
            line = told.readline() if readable else ""
        if not line:
            raise NotReady(f"worker {index} to listen", seconds=START)
        addresses: dict[str, str] = json.loads(line)
        return addresses

    def _be(self, index: int, writing: int) -> NoReturn:
        """The child's life."""
        code = 0
        try:
            for number in (signal.SIGTERM, signal.SIGQUIT, signal.SIGINT):
                signal.signal(number, signal.SIG_DFL)
            _die_with_parent()
            self._crew.close(besides=index)
            self._work(self._crew, index, lambda addresses: _tell(writing, addresses))
        except BaseException:
            traceback.print_exc()
            code = 1
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)

    def _watch(self) -> None:
        """Start another worker when one dies unasked."""
        while not self._stopping:
            try:
                pid, _ = os.wait()
            except InterruptedError:
                continue
            except ChildProcessError:
                return
            index = self._pids.pop(pid, None)
            if index is not None and not self._stopping:
                self._start(index)

    def _stop(self, number: int, *_: object) -> None:
        self._stopping = True
        self._crew.close()
        for pid in list(self._pids):
            os.kill(pid, signal.SIGQUIT if number == signal.SIGQUIT else signal.SIGTERM)

    def _reap(self) -> None:
        for pid in list(self._pids):
            try:
                os.waitpid(pid, 0)
            except ChildProcessError:
                continue
        self._pids.clear()


def _tell(writing: int, addresses: Mapping[str, str]) -> None:
    os.write(writing, json.dumps(dict(addresses)).encode() + b"\n")
    os.close(writing)


def _die_with_parent() -> None:
    """Linux only: the kernel ends the worker when the master is killed."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(1, signal.SIGTERM)
