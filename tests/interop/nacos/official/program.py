"""A running program around an official client: JSON commands on its stdin, JSON answers and events on its stdout.

    {"id": 1, "op": "publish", "data_id": "d", ...}       -> {"id": 1, "value": true}
    {"id": 2, "op": "register", ...}                      -> {"id": 2, "error": "what the SDK raised"}
    {"event": "config", "data_id": "d", "group": "g", "content": "..."}       what a listener was told
    {"event": "hosts", "service": "s", "group": "g", "ports": [8080, 8081]}   what a subscriber was told

| op | fields | value |
|---|---|---|
| open | server, namespace, username, password, folder | null: the SDK's clients are connected |
| publish | data_id, group, content, type | whether it was published |
| publish_cas | data_id, group, content, md5 | whether it was published |
| get | data_id, group | the content; null when there is none |
| remove | data_id, group | whether it was removed |
| listen | data_id, group | null; events follow |
| register | service, group, ip, port, weight, metadata, ephemeral | whether it was registered |
| deregister | service, group, ip, port, ephemeral | whether it was deregistered |
| batch | service, group, ip, ports | whether they were registered |
| instances | service, group | [{ip, port, weight, healthy, metadata}] |
| services | group | the services' names |
| subscribe | service, group | null; events follow |

End of stdin ends the program.
"""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from harness.processes import last_lines, spawn
from harness.wait import until

Json = Any

#: Seconds for one answer: the SDKs retry for a while before they give up.
ANSWER = 30.0


class Refused(Exception):
    """The SDK raised an error; the message is its own."""


class Ended(Exception):
    """The program has ended by itself; the message has the end of its log."""


class Program:
    """One process with one application's clients in it."""

    def __init__(self, argv: list[str], log: Path, env: dict[str, str]) -> None:
        self._log = log
        self._numbers = itertools.count(1)
        self._answers: dict[int, Json] = {}
        self._events: list[Json] = []
        self._process: subprocess.Popen[str] = spawn(argv, log=log, env=env, pipes=True, cwd=log.parent)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            said = json.loads(line)
            if "event" in said:
                self._events.append(said)
            else:
                self._answers[said["id"]] = said

    def ask(self, op: str, **fields: Json) -> Json:
        """Give a command and return its value; raises Refused with the SDK's error, NotReady without an answer."""
        number = next(self._numbers)
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"id": number, "op": op, **fields}) + "\n")
        self._process.stdin.flush()
        answer = self._until(lambda: self._answers.pop(number, None), ANSWER, f"the answer to {op}")
        if "error" in answer:
            raise Refused(answer["error"])
        return answer.get("value")  # the Java client's JSON leaves null out

    def told_config(self, data_id: str, content: str, within: float) -> None:
        """Wait until a listener was last told this content."""
        awaited = f"a listener's {content[:80]!r}"
        self._until(lambda: self._last("config", "data_id", data_id, "content") == content, within, awaited)

    def told_ports(self, service: str, ports: set[int], within: float) -> None:
        """Wait until a subscriber was last told exactly these ports."""
        awaited = f"a subscriber's ports {ports}"
        self._until(lambda: set(self._last("hosts", "service", service, "ports") or ()) == ports, within, awaited)

    def events(self) -> list[Json]:
        """Everything that listeners, subscribers and watchers were told, oldest first."""
        return list(self._events)

    def _last(self, event: str, key: str, name: str, field: str) -> Json:
        said = (e[field] for e in reversed(self._events) if e["event"] == event and e[key] == name)
        return next(said, None)

    def _until(self, check: Callable[[], Json], within: float, awaited: str) -> Json:
        def check_alive() -> Json:
            alive = self._reader.is_alive()
            found = check()
            if not alive and not found:
                raise Ended(f"exit code {self._process.wait()}\n{last_lines(self._log, 30)}")
            return found

        return until(check_alive, within, awaited=awaited, state=self._state, logs=lambda: last_lines(self._log, 30))

    def _state(self) -> str:
        return f"events {self._events[-5:]}"

    def kill(self) -> None:
        """`kill -9` of the application and of what it started: it dies without a word."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def close(self) -> None:
        """End the process, whatever state it is in, and let go of its pipes."""
        self.kill()
        self._reader.join()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe:
                pipe.close()
