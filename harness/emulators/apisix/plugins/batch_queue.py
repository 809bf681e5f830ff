"""Entries on their way to a log server: gathered, sent together in the background, tried again, bounded."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any

from harness.emulators.apisix.context import Context
from harness.emulators.apisix.plugins.base import Conf, Schema, Scope
from harness.emulators.apisix.plugins.metrics import Cell
from harness.emulators.apisix.plugins.prometheus import metrics_of

DEFAULT_MOST_PENDING = 8192


def batch_properties(name: str) -> Schema:
    """The members of a logger's configuration that steer its queue; `name` is the default label."""
    return {
        "name": {"type": "string", "default": name},
        "max_retry_count": {"type": "integer", "minimum": 0, "default": 0},
        "retry_delay": {"type": "integer", "minimum": 0, "default": 1},
        "buffer_duration": {"type": "integer", "minimum": 1, "default": 60},
        "inactive_timeout": {"type": "integer", "minimum": 1, "default": 5},
        "batch_max_size": {"type": "integer", "minimum": 1, "default": 1000},
    }


MAX_PENDING_ENTRIES: Schema = {
    "type": "integer",
    "minimum": 1,
    "default": DEFAULT_MOST_PENDING,
    "description": "maximum number of entries waiting to be processed; new entries are discarded while the backlog "
    "exceeds it",
}


class SendFailed(Exception):
    """The log server didn't take the entries; the text says why."""


#: Sends entries; raises SendFailed, OSError or TimeoutError.
Send = Callable[[list[Any]], Awaitable[None]]


class BatchQueue:
    """One configuration's queue; it outlives the plugin object, so that a reload loses nothing."""

    def __init__(self, conf: Conf, scope: Scope, plugin: str) -> None:
        self._conf = conf
        self._scope = scope
        self._plugin = plugin
        self._entries: list[Any] = []
        self._pending = 0
        self._timer: asyncio.TimerHandle | None = None
        self._first = self._last = 0.0
        self._tasks: set[asyncio.Task[None]] = set()
        self._length: Cell | None = None

    def push(self, entry: Any, send: Send, ctx: Context | None = None) -> None:
        """Add an entry; must be called on the loop. `ctx` tells where the queue's length is counted."""
        if self._length is None and ctx is not None and self._conf["batch_max_size"] > 1:
            self._length = self._gauge(ctx)
        most = (self._scope.metadata(self._plugin) or {}).get("max_pending_entries", DEFAULT_MOST_PENDING)
        if self._pending >= most:
            message = "max pending entries limit exceeded. discarding entry."
            self._scope.log("error", f"{message} max_pending_entries: {most}")
            return
        loop = asyncio.get_running_loop()
        self._pending += 1
        self._last = loop.time()
        if not self._entries:
            self._first = self._last
        self._entries.append(entry)
        self._tell()
        if len(self._entries) >= self._conf["batch_max_size"]:
            self._flush(send)
        elif self._timer is None:
            self._timer = loop.call_later(self._conf["inactive_timeout"], self._look, send)

    def _gauge(self, ctx: Context) -> Cell:
        """The cell of apisix_batch_process_entries for the first request's route and address."""
        value: Mapping[str, Any] = getattr(ctx.route, "value", None) or {}
        labels = ("name", "route_id", "server_addr")
        help = "batch process remaining entries"
        family = metrics_of(self._scope).family("batch_process_entries", help, "gauge", labels)
        return family.cell((self._conf["name"], str(value.get("id", "")), ctx.client.server_addr))

    def _tell(self) -> None:
        if self._length is not None:
            self._length[0] = len(self._entries)

    def _look(self, send: Send) -> None:
        """Flush what nobody added to for a while, or what has waited long enough."""
        loop = asyncio.get_running_loop()
        self._timer = None
        quiet, age = loop.time() - self._last, loop.time() - self._first
        if quiet >= self._conf["inactive_timeout"] or age >= self._conf["buffer_duration"]:
            self._flush(send)
        else:
            self._timer = loop.call_later(self._conf["inactive_timeout"], self._look, send)

    def _flush(self, send: Send) -> None:
        entries, self._entries = self._entries, []
        self._tell()
        if entries:
            self._start(self._deliver(entries, send))

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _deliver(self, entries: list[Any], send: Send) -> None:
        name = self._conf["name"]
        for attempt in range(self._conf["max_retry_count"] + 1):
            if attempt:
                await asyncio.sleep(self._conf["retry_delay"])
            try:
                await send(entries)
                break
            except (SendFailed, OSError, TimeoutError) as error:
                self._scope.log("error", f"Batch Processor[{name}] failed to process entries: {error!s}")
        else:
            tried = self._conf["max_retry_count"] + 1
            self._scope.log(
                "error", f"Batch Processor[{name}] exceeded the max_retry_count[{tried}] dropping the entries"
            )
        self._pending -= len(entries)
