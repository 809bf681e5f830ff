"""A client of etcd's JSON gateway: keys as text, values as bytes, revisions as numbers."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from harness.clients.http import Connection

Json = Any


@dataclass(frozen=True)
class Record:
    """One key's value and the revisions that made and last wrote it."""

    value: bytes
    revision: int
    created: int


class EtcdClient:
    """etcd at `url` (http://host:2379), API v3 as JSON under /v3/kv."""

    def __init__(self, url: str) -> None:
        self._connection = Connection(url)

    def get(self, key: str) -> Record | None:
        """The record of one key, or None."""
        return self._range({"key": _text(key)}).get(key)

    def prefix(self, prefix: str) -> dict[str, Record]:
        """Every key that begins with `prefix`."""
        return self._range({"key": _text(prefix), "range_end": _encoded(_end(prefix))})

    def _range(self, query: Json) -> dict[str, Record]:
        found = self._ask("kv/range", query).get("kvs", [])
        return {base64.b64decode(entry["key"]).decode(): _record(entry) for entry in found}

    def put(self, key: str, value: bytes | str) -> int:
        """Write a key; the revision that did it."""
        data = value.encode() if isinstance(value, str) else value
        return _revision(self._ask("kv/put", {"key": _text(key), "value": _encoded(data)}))

    def delete(self, key: str) -> int:
        """Remove a key, if it is there; the revision."""
        return _revision(self._ask("kv/deleterange", {"key": _text(key)}))

    def delete_prefix(self, prefix: str) -> int:
        """Remove every key that begins with `prefix`; the revision."""
        query = {"key": _text(prefix), "range_end": _encoded(_end(prefix))}
        return _revision(self._ask("kv/deleterange", query))

    def change(self, puts: Iterable[tuple[str, bytes]], deletes: Iterable[str]) -> int:
        """Write and remove several keys at once, all or none; the revision."""
        writes = [{"request_put": {"key": _text(key), "value": _encoded(value)}} for key, value in puts]
        removals = [{"request_delete_range": {"key": _text(key)}} for key in deletes]
        return _revision(self._ask("kv/txn", {"success": [*writes, *removals]}))

    def healthy(self) -> bool:
        """What /health says. Raises OSError when etcd can't be reached."""
        return bool(self._connection.checked("GET", "/health").json()["health"] == "true")

    def _ask(self, call: str, body: Json) -> Json:
        return self._connection.checked("POST", f"/v3/{call}", json.dumps(body)).json()


def _encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _text(key: str) -> str:
    return _encoded(key.encode())


def _end(prefix: str) -> bytes:
    """The first key after all that begin with `prefix`; zero means: to the last key there is."""
    data = prefix.encode().rstrip(b"\xff")
    return data[:-1] + bytes([data[-1] + 1]) if data else b"\0"


def _record(entry: Json) -> Record:
    value = base64.b64decode(entry.get("value", ""))
    return Record(value, int(entry["mod_revision"]), int(entry["create_revision"]))


def _revision(answer: Json) -> int:
    return int(answer["header"]["revision"])
