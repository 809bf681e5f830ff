"""etcd v3 over its JSON gateway: range, put, swap, delete, lease, and a watch that streams."""

from __future__ import annotations

import asyncio
import json
import ssl
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from harness.emulators.apisix.etcd_connection import Connection

#: what lua-resty-etcd says when no member can be reached
UNHEALTHY = "has no healthy etcd endpoint available"
#: connections kept for the next request
KEPT = 8


class EtcdError(Exception):
    """etcd refused, or could not be reached; the text is what APISIX shows."""


class Compacted(EtcdError):
    """The revision asked for is gone: read everything anew."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A key with its raw value and revisions; `value` None says that the key was deleted at `modified`."""

    key: str
    value: bytes | None
    created: int
    modified: int


class Etcd:
    """A client of one or more members, tried in turn. `timeout` in seconds is for each request."""

    def __init__(
        self,
        hosts: Sequence[str],
        *,
        user: str = "",
        password: str = "",
        timeout: float = 30.0,
        tls: ssl.SSLContext | None = None,
        sni: str = "",
    ) -> None:
        self._hosts = list(hosts)
        self._login = (user, password)
        self._timeout = timeout
        self._tls = tls
        self._sni = sni
        self._token = b""
        self._idle: list[Connection] = []
        self._watches: set[Connection] = set()

    async def range(self, key: str, *, prefix: bool = False) -> tuple[list[Pair], int]:
        """The pairs, by key, and the revision at which they were read. Raises EtcdError."""
        answer = await self.call("/v3/kv/range", _span(key, prefix))
        return [_pair(item) for item in answer.get("kvs", ())], _revision(answer)

    async def put(self, key: str, value: bytes, lease: str = "") -> tuple[bool, int]:
        """Store; tells whether the key was there, and the new revision. Raises EtcdError."""
        body: dict[str, Any] = {"key": _text(key), "value": b64encode(value).decode(), "prev_kv": True}
        answer = await self.call("/v3/kv/put", {**body, "lease": lease} if lease else body)
        return "prev_kv" in answer, _revision(answer)

    async def swap(self, key: str, value: bytes, expected: int, lease: str = "") -> tuple[int, Pair | None]:
        """Store only if the key's modification revision is `expected` (0: no such key).

        Returns the new revision and None, or 0 and the pair that stands in the way (None when the key is gone).
        """
        compare = {"key": _text(key), "target": "MOD", "result": "EQUAL", "mod_revision": str(expected)}
        put = {"key": _text(key), "value": b64encode(value).decode(), **({"lease": lease} if lease else {})}
        answer = await self.call(
            "/v3/kv/txn",
            {
                "compare": [compare],
                "success": [{"requestPut": put}],
                "failure": [{"requestRange": {"key": _text(key)}}],
            },
        )
        if answer.get("succeeded"):
            return _revision(answer), None
        found = answer["responses"][0]["response_range"].get("kvs")
        return 0, _pair(found[0]) if found else None

    async def delete(self, key: str, *, prefix: bool = False) -> tuple[int, int]:
        """The number of deleted keys and the revision. Raises EtcdError."""
        answer = await self.call("/v3/kv/deleterange", _span(key, prefix))
        return int(answer.get("deleted", 0)), _revision(answer)

    async def grant(self, ttl: float) -> str:
        """A lease of `ttl` seconds: its id. Raises EtcdError."""
        answer = await self.call("/v3/lease/grant", {"TTL": int(ttl)})
        return str(answer["ID"])

    async def call(self, path: str, body: Any) -> dict[str, Any]:
        """One request, on the first member that answers. Raises EtcdError."""
        payload = json.dumps(body).encode()
        status, raw = await self._ask(path, payload)
        answer = _decode(raw)
        if status == 401 or answer.get("error") in ("etcdserver: invalid auth token", "etcdserver: user name is empty"):
            answer = await self._ask_with_new_token(path, payload, answer)
        return _checked(answer)

    async def _ask_with_new_token(self, path: str, payload: bytes, answer: dict[str, Any]) -> dict[str, Any]:
        if not self._login[0]:
            return answer
        await self._authenticate()
        return _decode((await self._ask(path, payload))[1])

    async def _authenticate(self) -> None:
        name, password = self._login
        _, raw = await self._ask("/v3/auth/authenticate", json.dumps({"name": name, "password": password}).encode())
        token = _checked(_decode(raw))["token"]
        self._token = f"Authorization: {token}\r\n".encode()

    async def _ask(self, path: str, payload: bytes) -> tuple[int, bytes]:
        while self._idle:  # a kept connection may have been closed by the other side meanwhile
            connection = self._idle.pop()
            if not connection.closed:
                try:
                    return await self._exchange(connection, path, payload)
                except OSError:
                    continue
        for host in self._hosts:
            try:
                connection = await Connection.open(host, min(self._timeout, 5.0), self._tls, self._sni)
                return await self._exchange(connection, path, payload)
            except (OSError, TimeoutError):
                continue
        raise EtcdError(UNHEALTHY)

    async def _exchange(self, connection: Connection, path: str, payload: bytes) -> tuple[int, bytes]:
        try:
            answer = await connection.ask(path, payload, self._token, self._timeout)
        except BaseException:
            connection.close()
            raise
        if len(self._idle) < KEPT and not connection.closed:
            self._idle.append(connection)
        else:
            connection.close()
        return answer

    async def watch(self, prefix: str, start: int, idle: float = 50.0) -> AsyncIterator[tuple[list[Pair], int]]:
        """Batches of changes from revision `start` on, each with its revision, until the connection ends.

        Ends without an error when nothing came for `idle` seconds (the connection may be dead: watch again). Raises
        Compacted when `start` is too old, EtcdError when etcd refuses or the connection breaks.
        """
        lines: asyncio.Queue[bytes | None] = asyncio.Queue()
        connection, answer = await self._open_watch(prefix, start, lines)
        try:
            while True:
                try:
                    async with asyncio.timeout(idle):  # wait_for of Python 3.11 may lose a cancellation
                        line = await lines.get()
                except TimeoutError:
                    return
                if line is None:
                    raise EtcdError(_end_of_watch(answer))
                batch = _batch(line)
                if batch is not None:
                    yield batch
        finally:
            self._watches.discard(connection)
            connection.close()
            answer.cancel()

    async def _open_watch(
        self, prefix: str, start: int, lines: asyncio.Queue[bytes | None]
    ) -> tuple[Connection, asyncio.Task[tuple[int, bytes]]]:
        connection = await self._open_any()
        connection.on_chunk = _line_splitter(lines.put_nowait)
        request = {"create_request": {**_span(prefix, True), "start_revision": str(start)}}
        endless = 10.0**9
        answer = asyncio.create_task(
            connection.ask("/v3/watch", json.dumps(request).encode(), self._token, endless), name="etcd watch"
        )
        answer.add_done_callback(lambda _: lines.put_nowait(None))
        self._watches.add(connection)
        return connection, answer

    async def _open_any(self) -> Connection:
        if self._login[0] and not self._token:
            await self._authenticate()
        for host in self._hosts:
            try:
                return await Connection.open(host, min(self._timeout, 5.0), self._tls, self._sni)
            except (OSError, TimeoutError):
                continue
        raise EtcdError(UNHEALTHY)

    def close(self) -> None:
        """Drop all connections; running watches end with EtcdError."""
        for connection in (*self._idle, *self._watches):
            connection.close()
        self._idle.clear()


def _end_of_watch(answer: asyncio.Task[tuple[int, bytes]]) -> str:
    error = None if answer.cancelled() else answer.exception()
    return str(error or "etcd ended the watch")


def _line_splitter(emit: Callable[[bytes], None]) -> Callable[[bytes], None]:
    rest = bytearray()

    def feed(chunk: bytes) -> None:
        rest.extend(chunk)
        while (end := rest.find(b"\n")) >= 0:
            line = bytes(rest[:end])
            del rest[: end + 1]
            if line:
                emit(line)

    return feed


def _batch(line: bytes) -> tuple[list[Pair], int] | None:
    answer = _decode(line)
    result = answer.get("result")
    if result is None:
        raise EtcdError(str(answer.get("error", answer)))
    if int(result.get("compact_revision", 0)) > 0:
        raise Compacted("compacted")
    if result.get("canceled"):
        raise EtcdError(str(result.get("cancel_reason") or "watch cancelled"))
    events = result.get("events")
    if not events:
        return None
    return [_event(event) for event in events], int(result["header"]["revision"])


def _event(event: dict[str, Any]) -> Pair:
    pair = _pair(event["kv"])
    return Pair(pair.key, None, 0, pair.modified) if event.get("type") == "DELETE" else pair


def _pair(item: dict[str, Any]) -> Pair:
    return Pair(
        b64decode(item["key"]).decode("utf-8", "surrogateescape"),
        b64decode(item.get("value", "")),
        int(item.get("create_revision", 0)),
        int(item.get("mod_revision", 0)),
    )


def _span(key: str, prefix: bool) -> dict[str, Any]:
    return {"key": _text(key), "range_end": b64encode(_after(key)).decode()} if prefix else {"key": _text(key)}


def _after(prefix: str) -> bytes:
    """The first key that does not start with `prefix`."""
    raw = prefix.encode("utf-8", "surrogateescape")
    return raw[:-1] + bytes([raw[-1] + 1])


def _text(key: str) -> str:
    return b64encode(key.encode("utf-8", "surrogateescape")).decode()


def _decode(raw: bytes) -> dict[str, Any]:
    try:
        answer = json.loads(raw)
    except ValueError as error:
        raise EtcdError(f"etcd answered no JSON: {raw[:200]!r}") from error
    return answer if isinstance(answer, dict) else {}


def _checked(answer: dict[str, Any]) -> dict[str, Any]:
    error = answer.get("error")
    if error is None:
        return answer
    known = {
        "etcdserver: user name is empty": "insufficient credentials code: 401",
        "etcdserver: permission denied": "etcd forbidden code: 403",
    }
    text = error if isinstance(error, str) else str(error.get("message", error))
    raise EtcdError(known.get(text, text))


def _revision(answer: dict[str, Any]) -> int:
    return int(answer["header"]["revision"])
