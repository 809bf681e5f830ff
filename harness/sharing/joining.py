"""How a process comes to the stack that it shares: the first starts a keeper, the others find it by a file."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from multiprocessing.connection import Client
from pathlib import Path

from harness import processes
from harness.errors import EngineUnavailable, HarnessError
from harness.running import state_directory
from harness.sharing.shared_stack import SharedStack
from harness.wait import until

#: Seconds that a keeper gets to have its stack ready: images may have to be pulled or built.
START_TIMEOUT = 3600.0
STATE, FAILED, LOCK, LOG = "keeper.json", "failed", "lock", "keeper.log"


def join(name: str, platform: Path, environment: str, engine: str) -> SharedStack:
    """The stack that all who give this name share, started by the first of them.

    Raises HarnessError with what the keeper said when it couldn't start it, for each who asks.
    """
    folder = state_directory() / f"shared-{name}"
    while True:
        # that fails when the last of the others has just left, and the keeper and its folder go
        with contextlib.suppress(FileNotFoundError), _alone(folder):
            state = _state(folder) or _start(folder, platform, environment, engine)
            with contextlib.suppress(OSError, EOFError):
                connection = Client(state["address"], "AF_UNIX", authkey=bytes.fromhex(state["key"]))
                stack = SharedStack(connection, platform, environment)
                _let_go()
                return stack
            (folder / STATE).unlink(missing_ok=True)


def _let_go() -> None:
    """From now on the connection says that this process is there."""
    for keeper in _started:
        assert keeper.stdin is not None
        keeper.stdin.close()
    _started.clear()


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One at a time; one that is killed lets go."""
    folder.mkdir(mode=0o700, exist_ok=True)
    with (folder / LOCK).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _state(folder: Path) -> dict[str, str] | None:
    """What the running keeper wrote, None without one. Raises HarnessError when it couldn't start the stack."""
    if (folder / FAILED).exists():
        raise HarnessError((folder / FAILED).read_text())
    try:
        state: dict[str, str] = json.loads((folder / STATE).read_text())
    except FileNotFoundError:
        return None
    if processes.start_time(int(state["pid"])) != state["started"]:
        (folder / STATE).unlink(missing_ok=True)
        return None
    return state


#: The keepers that this process started: their stdin closes when it ends, which tells them that it has.
_started: list[subprocess.Popen[bytes]] = []


def _start(folder: Path, platform: Path, environment: str, engine: str) -> dict[str, str]:
    log = folder / LOG
    with log.open("ab") as sink:
        keeper = subprocess.Popen(
            [sys.executable, "-m", "harness.sharing.keeper", str(folder), str(platform.resolve()), environment, engine],
            stdin=subprocess.PIPE,
            stdout=sink,
            stderr=sink,
            env={name: value for name, value in os.environ.items() if name != processes.MARK},
            start_new_session=True,
        )
    _started.append(keeper)
    until(
        lambda: (folder / STATE).exists() or (folder / FAILED).exists() or keeper.poll() is not None,
        START_TIMEOUT,
        awaited="the shared stack",
        logs=lambda: processes.last_lines(log),
    )
    state = _state(folder)
    if state is None:
        raise EngineUnavailable(f"the shared stack's keeper ended:\n{processes.last_lines(log)}", where=str(log))
    return state
