"""What only the emulators can do for a test: forget, take snapshots, move the clock, tell why."""

from __future__ import annotations

import http.client
import json
from collections.abc import Collection
from typing import Any
from urllib.parse import urlsplit

from harness.engines.base import Endpoints
from harness.errors import EngineUnavailable, RemoteError

Json = Any


class _Control:
    """One emulator's `/_harness/` end-points over a kept connection."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=5)

    def ask(self, method: str, path: str, body: Json = None) -> Json:
        self.send(method, path, body)
        return self.receive(method, path)

    def send(self, method: str, path: str, body: Json = None) -> None:
        payload = None if body is None else json.dumps(body)
        self._connection.request(method, f"/_harness/{path}", payload, {"Content-Type": "application/json"})

    def receive(self, method: str, path: str) -> Json:
        answer = self._connection.getresponse()
        text = answer.read().decode()
        if answer.status >= 400:
            raise RemoteError(f"{method} /_harness/{path}", status=answer.status, body=text, where=self._url)
        return json.loads(text) if text else None


class Emulated:
    """The test-side powers of the gateway's and Nacos' emulators."""

    def __init__(self, endpoints: Endpoints, emulated: Collection[str] = ("gateway", "nacos")) -> None:
        self._gateway = _Control(endpoints.control_url) if "gateway" in emulated else None
        self._nacos = _Control(endpoints.nacos_http) if "nacos" in emulated else None
        self._snapshot: str | None = None

    def remember(self) -> None:
        """Take an emulated Nacos' state as the one to go back to."""
        if self._nacos:
            self._snapshot = self._nacos.ask("POST", "snapshot")["id"]

    def reset(self, revision: int = 0) -> None:
        """Nacos' configuration as remembered, both clocks to now, the gateway's counters and journal empty.

        The gateway answers when it has seen etcd's `revision`. What isn't emulated is left as it is.
        """
        if self._gateway:
            self._gateway.send("POST", "reset", {"revision": revision})
        if self._nacos:
            self._nacos.ask("POST", "restore", {"id": self._snapshot})
        if self._gateway:
            self._gateway.receive("POST", "reset")

    def advance(self, seconds: float) -> None:
        """Move the gateway's and Nacos' clocks forward."""
        for emulator in (self._needed(self._gateway, "gateway"), self._needed(self._nacos, "nacos")):
            emulator.ask("POST", "clock/advance", {"seconds": seconds})

    def journal(self, last: int = 20, request_id: str = "") -> list[Json]:
        """The gateway's last decisions, oldest first."""
        query = f"journal?last={last}" + (f"&request_id={request_id}" if request_id else "")
        entries: list[Json] = self._needed(self._gateway, "gateway").ask("GET", query)["entries"]
        return entries

    def explain(self, request: Json) -> Json:
        """What the gateway would do with {"method", "uri", "headers"}, and why."""
        return self._needed(self._gateway, "gateway").ask("POST", "explain", request)

    def _needed(self, control: _Control | None, component: str) -> _Control:
        if control is None:
            raise EngineUnavailable(
                "only an emulator has a clock, a journal and reasons to tell; this is the real one",
                where=component,
                mend='mark the scenario with @pytest.mark.requires("clock") or ("journal")',
            )
        return control
