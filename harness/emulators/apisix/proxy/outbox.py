"""Whole messages are written together, once the loop has handled all that had come: fewer wake-ups over there."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

Write = Callable[[bytes], None]


class Outbox:
    """The messages of one turn of the loop. uvloop writes at once, and each write would wake a process that sleeps.

    Only what ends a connection's part for the turn may be put in: nothing else may be written behind it before the next
    turn, and whoever closes a connection flushes first.
    """

    __slots__ = ("_held", "_loop")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._held: list[tuple[Write, bytes]] = []

    def put(self, write: Write, data: bytes) -> None:
        """Have `data` written at the end of the turn."""
        held = self._held
        if not held:
            self._loop.call_soon(self.flush)
        held.append((write, data))

    def flush(self) -> None:
        """Write what is held."""
        held = self._held
        if not held:
            return
        self._held = []
        for write, data in held:
            try:
                write(data)
            except RuntimeError:
                # closed meanwhile: the connection tells its user itself
                continue
