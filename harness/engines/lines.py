"""A child process that speaks in lines: what it printed can be awaited, what it is told is one line each."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from harness import processes
from harness.errors import NotReady


class LineProcess:
    """A guarded child with text pipes; `heard` is called on a thread of its own for each line of its stdout."""

    def __init__(
        self,
        argv: Sequence[str],
        *,
        log: Path,
        heard: Callable[[str], None],
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> None:
        self.log = log
        self.changed = threading.Condition()
        self._heard = heard
        self.process: subprocess.Popen[str] = processes.spawn(argv, log=log, env=env, pipes=True, cwd=cwd)
        threading.Thread(target=self._listen, name=f"listen-{self.process.pid}", daemon=True).start()

    def _listen(self) -> None:
        pipe = self.process.stdout
        assert pipe is not None
        for line in pipe:
            with self.changed:
                self._heard(line.rstrip("\n"))
                self.changed.notify_all()
        with self.changed:
            self.changed.notify_all()

    def tell(self, line: str) -> None:
        """Write one line to its stdin. Raises BrokenPipeError when it is gone."""
        pipe = self.process.stdin
        assert pipe is not None
        pipe.write(line + "\n")
        pipe.flush()

    def wait_for(self, done: Callable[[], bool], timeout: float, awaited: str) -> None:
        """Until `done`, asked after each line; raises NotReady in `timeout` seconds or when the process ended."""
        began = time.monotonic()
        with self.changed:
            came = self.changed.wait_for(lambda: done() or self.process.poll() is not None, timeout)
        if done():
            return
        code = self.process.poll()
        last = f"the process ended with code {code}" if came and code is not None else "nothing said"
        seconds = round(time.monotonic() - began, 1)
        raise NotReady(awaited, seconds=seconds, last=last, logs=processes.last_lines(self.log))

    def stop(self) -> None:
        """Ask, then insist."""
        processes.stop(self.process)
