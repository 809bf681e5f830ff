"""The process that holds a shared stack: who is connected may ask, one at a time; with the last connection it ends.

Started by `joining`, whose process holds its stdin: it counts as a connection from the first moment on. A process that
is killed closes its connections, so nobody has to say good-bye.
"""

from __future__ import annotations

import json
import os
import secrets
import signal
import sys
import threading
from collections.abc import Sequence
from multiprocessing import AuthenticationError
from multiprocessing.connection import Connection, Listener
from pathlib import Path
from typing import Any

from harness import processes
from harness.errors import HarnessError
from harness.sharing.joining import FAILED, STATE
from harness.stack import Stack


class Keeper:
    """Counts who is there, gives turns, and does what those who have connected ask."""

    def __init__(self) -> None:
        self.stack: Stack | None = None
        self._present = 0
        self._counting = threading.Lock()
        self._turn = threading.Lock()
        self.gone = threading.Event()
        self.torn_down = threading.Event()

    def enter(self) -> bool:
        """One more is there; False when the last had gone already."""
        with self._counting:
            if not self.gone.is_set():
                self._present += 1
            return not self.gone.is_set()

    def leave(self) -> None:
        """One has gone; with the last one it is over."""
        with self._counting:
            self._present -= 1
            if self._present:
                return
            self.gone.set()
        if self.stack is None:
            os.kill(os.getpid(), signal.SIGINT)  # the main thread is still starting it

    def serve(self, connection: Connection) -> None:
        """Answer one process until it has gone; what it leaves half done is put right."""
        if not self.enter():
            connection.close()
            return
        has_turn = False
        try:
            while True:
                what, arguments = connection.recv()
                if what == "leave":
                    break
                if what == "turn":
                    self._turn.acquire()
                    has_turn = True
                connection.send(self._answer(what, arguments))
                if what == "end turn":
                    has_turn = False
                    self._turn.release()
        except (EOFError, OSError):
            pass
        finally:
            if has_turn:
                self._answer("end turn", ())
                self._turn.release()
            self.leave()
        if self.gone.is_set():
            self.torn_down.wait()  # the last one is let go when nothing is left
        connection.close()

    def _answer(self, what: str, arguments: Sequence[Any]) -> tuple[bool, Any]:
        """(True, the result) or (False, the error)."""
        try:
            return True, self._do(what, *arguments)
        except Exception as error:
            return False, error if isinstance(error, (HarnessError, LookupError, OSError)) else RuntimeError(
                repr(error)
            )

    def _do(self, what: str, *arguments: Any) -> Any:
        assert self.stack is not None
        if what in ("turn", "end turn"):
            return self.stack.reset() if what == "end turn" else None
        if what == "stack":
            return _part(self.stack, *arguments)
        if what == "replicas":
            return len(self.stack.engine.replicas(*arguments))
        if what == "replica":
            service, index, *asked = arguments
            return _part(self.stack.engine.replicas(service)[index], *asked)
        return _part(self.stack.engine, *arguments)


def _part(of: Any, name: str, *arguments: Any) -> Any:
    """A property's value, or what a method answers."""
    found = getattr(of, name)
    return found(*arguments) if callable(found) else found


def main(arguments: Sequence[str]) -> None:
    """FOLDER PLATFORM ENVIRONMENT ENGINE: start the stack, say where it is, serve until the last has gone."""
    folder, platform, environment, engine = Path(arguments[0]), Path(arguments[1]), arguments[2], arguments[3]
    processes.adopt(folder)
    keeper = Keeper()
    keeper.enter()
    threading.Thread(target=_until_the_first_has_come_or_gone, args=(keeper,), daemon=True).start()
    try:
        stack = Stack.start(platform, environment, engine)
        _interrupt_no_more()
    except KeyboardInterrupt:
        return
    except HarnessError as error:
        _interrupt_no_more()
        (folder / FAILED).write_text(str(error))
        keeper.gone.wait()  # until all have read it
        return
    with stack:
        keeper.stack = stack
        _serve(keeper, folder)
        keeper.gone.wait()
        (folder / STATE).unlink(missing_ok=True)
    keeper.torn_down.set()


def _interrupt_no_more() -> None:
    """What has begun to end is not disturbed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _until_the_first_has_come_or_gone(keeper: Keeper) -> None:
    sys.stdin.read()
    keeper.leave()


def _serve(keeper: Keeper, folder: Path) -> None:
    key = secrets.token_bytes(32)
    listener = Listener(str(folder / "keeper.sock"), "AF_UNIX", backlog=64, authkey=key)
    threading.Thread(target=_accept, args=(keeper, listener), daemon=True).start()
    pid = os.getpid()
    state = {"address": listener.address, "key": key.hex(), "pid": str(pid), "started": processes.start_time(pid)}
    with os.fdopen(os.open(folder / "state.new", os.O_WRONLY | os.O_CREAT, 0o600), "w") as out:
        json.dump(state, out)
    (folder / "state.new").rename(folder / STATE)


def _accept(keeper: Keeper, listener: Listener) -> None:
    while True:
        try:
            connection = listener.accept()
        except (AuthenticationError, EOFError, OSError):
            continue  # one that was killed while it came
        threading.Thread(target=keeper.serve, args=(connection,), daemon=True).start()


if __name__ == "__main__":
    main(sys.argv[1:])
