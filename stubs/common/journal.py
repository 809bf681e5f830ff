"""The requests a replica received, kept for tests to read; bounded."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from stubs.common.logs import timestamp

RawHeaders = Iterable[tuple[bytes | str, bytes | str]]


@dataclass(slots=True)
class Entry:
    """One request; `status` is None while it is in flight (gRPC: the HTTP status that stands for its outcome)."""

    id: int
    at: float
    protocol: str
    method: str
    path: str
    query: str
    headers: RawHeaders
    request_id: str
    tenant: str
    status: int | None = None
    duration_ms: float | None = None
    notes: dict[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """The entry as GET /_stub/journal shows it; headers as a list of pairs in the order they came."""
        return {
            "id": self.id,
            "time": timestamp(self.at),
            "protocol": self.protocol,
            "method": self.method,
            "path": self.path,
            "query": self.query,
            "headers": [[_text(name), _text(value)] for name, value in self.headers],
            "status": self.status,
            "request_id": self.request_id,
            "tenant": self.tenant,
            "duration_ms": self.duration_ms,
            **self.notes,
        }


class Journal:
    """The last `size` requests, oldest first."""

    def __init__(self, size: int) -> None:
        self._entries: deque[Entry] = deque(maxlen=size)
        self._received = 0

    def add(
        self,
        *,
        at: float,
        protocol: str,
        method: str,
        path: str,
        query: str,
        headers: RawHeaders,
        request_id: str,
        tenant: str,
    ) -> Entry:
        """Note a request as it arrives; the caller fills in status and duration when it ends."""
        self._received += 1
        entry = Entry(self._received, at, protocol, method, path, query, headers, request_id, tenant)
        self._entries.append(entry)
        return entry

    def clear(self) -> None:
        """Forget everything; the numbering starts again at 1."""
        self._entries.clear()
        self._received = 0

    def as_json(self) -> dict[str, Any]:
        """How many were received and dropped, and those still here, oldest first."""
        return {
            "received": self._received,
            "dropped": self._received - len(self._entries),
            "requests": [entry.as_json() for entry in self._entries],
        }


def _text(value: bytes | str) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value
