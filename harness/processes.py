"""Child processes that can't outlive their owner: every one carries a mark, and a warden ends what the owner left.

The owner's pipe to the warden closes when the owner ends, whatever ended it (`kill -9` too). The warden then kills
every process whose environment has the owner's mark, grandchildren included, removes the registered directories, and
runs the registered commands: for what lives outside of this machine's processes, such as containers.
"""

from __future__ import annotations

import atexit
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

#: The environment variable that marks a process as somebody's: `<owner's pid>-<owner's start>-<random>`.
MARK = "HARNESS_OWNER"
#: Directories of ours begin so, under the system's temporary directory.
PREFIX = "bi-harness-"
#: Seconds between asking a process to stop and killing it.
GRACE = 5.0


class _Owner:
    """This process as an owner: its mark and its warden, made at the first child."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        self.mark = f"{self.pid}-{start_time(self.pid)}-{secrets.token_hex(4)}"
        self.lock = threading.Lock()
        self._warden = subprocess.Popen(
            [sys.executable, "-I", "-S", str(Path(__file__).with_name("warden.py")), f"{MARK}={self.mark}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )
        atexit.register(self.close)

    def guard(self, directory: Path) -> None:
        """Have `directory` removed when this process ends."""
        self.tell(f"dir {directory}")

    def tell(self, line: str) -> None:
        """One line to the warden, which says in its own file what it understands."""
        pipe = self._warden.stdin
        assert pipe is not None
        with self.lock:
            pipe.write(f"{line}\n".encode())
            pipe.flush()

    def close(self) -> None:
        """Let the warden do its work now, and wait for it."""
        if self.pid != os.getpid() or self._warden.stdin is None or self._warden.stdin.closed:
            return
        self._warden.stdin.close()
        self._warden.wait(GRACE)


_owner: _Owner | None = None
_making = threading.Lock()


def _this_owner() -> _Owner:
    global _owner
    with _making:
        if _owner is None or _owner.pid != os.getpid():
            _owner = _Owner()
        return _owner


def spawn(
    argv: Sequence[str | os.PathLike[str]],
    *,
    log: Path,
    env: Mapping[str, str] | None = None,
    pipes: bool = False,
    cwd: Path | None = None,
) -> subprocess.Popen[str]:
    """Start a guarded child in a session of its own, so that Ctrl-C reaches the owner alone.

    Its stderr goes to `log` (appended), and its stdout too unless `pipes`, which makes stdin and stdout text pipes.
    `env` is added to this process's environment. Raises FileNotFoundError when the program is missing.
    """
    owner = _this_owner()
    environment = {**os.environ, **(env or {}), MARK: owner.mark}
    with log.open("ab") as sink:
        return subprocess.Popen(
            [os.fspath(part) for part in argv],
            stdin=subprocess.PIPE if pipes else subprocess.DEVNULL,
            stdout=subprocess.PIPE if pipes else sink,
            stderr=sink,
            env=environment,
            cwd=cwd,
            text=True,
            bufsize=1,
            start_new_session=True,
        )


def stop(process: subprocess.Popen[str], grace: float = GRACE) -> int:
    """Ask with SIGTERM, insist with SIGKILL after `grace` seconds; the exit code."""
    return stop_all([process], grace)[0]


def stop_all(processes: Sequence[subprocess.Popen[str]], grace: float = GRACE) -> list[int]:
    """Stop several side by side; a paused one is woken so that it can obey. Their exit codes, in order."""
    for process in processes:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            process.send_signal(signal.SIGCONT)
    deadline = time.monotonic() + grace
    return [_reap(process, deadline) for process in processes]


def _reap(process: subprocess.Popen[str], deadline: float) -> int:
    try:
        code = process.wait(max(0.0, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        process.kill()
        code = process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe:
            pipe.close()
    return code


def temporary_directory(name: str) -> Path:
    """A new directory of ours, removed when this process ends (sooner by `remove`)."""
    owner = _this_owner()
    directory = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{name}-"))
    (directory / ".owner").write_text(owner.mark)
    owner.guard(directory)
    return directory


def adopt(directory: Path) -> None:
    """Have a directory that somebody else made removed when this process ends, whatever ends it."""
    _this_owner().guard(directory)


def mark() -> str:
    """This process as an owner: what it leaves outside is labelled so, and `is_gone` tells whose owner has ended."""
    return _this_owner().mark


def at_end(argv: Sequence[str]) -> None:
    """Have a command run when this process has ended, whatever ended it; `not_at_end` takes it back."""
    _this_owner().tell(f"run {json.dumps(list(argv))}")


def not_at_end(argv: Sequence[str]) -> None:
    """Take back a command given to `at_end`: what it would clean up is gone already."""
    _this_owner().tell(f"forget {json.dumps(list(argv))}")


def remove(directory: Path) -> None:
    """Remove a directory of ours and what is in it."""
    shutil.rmtree(directory, ignore_errors=True)


def sweep() -> list[Path]:
    """Remove the directories of owners that are gone (their warden was killed as well); what was removed."""
    stale = [directory for directory in Path(tempfile.gettempdir()).glob(f"{PREFIX}*") if _is_stale(directory)]
    for directory in stale:
        remove(directory)
    return stale


def _is_stale(directory: Path) -> bool:
    try:
        return is_gone((directory / ".owner").read_text())
    except OSError:
        return False


def is_gone(mark: str) -> bool:
    """Whether the owner of that mark has ended; what is no mark has no owner to end."""
    pid, _, rest = mark.partition("-")
    started, _, _ = rest.partition("-")
    return pid.isdigit() and bool(started) and start_time(int(pid)) != started


def start_time(pid: int) -> str:
    """When a process started, in the system's own unit, so that a reused pid is told apart; "" when there is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except FileNotFoundError:
        return _start_time_by_ps(pid) if not Path("/proc/self/stat").exists() else ""


def _start_time_by_ps(pid: int) -> str:
    answer = subprocess.run(["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return answer.stdout.strip().replace(" ", "").replace("-", "")


def last_lines(log: Path, count: int = 20) -> str:
    """The last lines of a log file; empty when there is none."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - 64_000))
            return "\n".join(file.read().decode(errors="replace").splitlines()[-count:])
    except FileNotFoundError:
        return ""
