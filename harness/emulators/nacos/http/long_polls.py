"""Long polls of v1 configuration listeners: who waits for which keys."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from harness.emulators.nacos.config.model import ConfigKey


class LongPolls:
    """Futures by key; the first key that changes ends a poll."""

    def __init__(self) -> None:
        self._waiting: dict[ConfigKey, set[asyncio.Future[ConfigKey | None]]] = {}

    async def wait(self, keys: Iterable[ConfigKey], seconds: float) -> ConfigKey | None:
        """The first of the keys to change within `seconds`; None when time is up, or when `nudge` says: look again."""
        wanted = list(keys)
        future: asyncio.Future[ConfigKey | None] = asyncio.get_running_loop().create_future()
        for key in wanted:
            self._waiting.setdefault(key, set()).add(future)
        try:
            return await asyncio.wait_for(future, seconds)
        except TimeoutError:
            return None
        finally:
            self._forget(wanted, future)

    def _forget(self, keys: list[ConfigKey], future: asyncio.Future[ConfigKey | None]) -> None:
        for key in keys:
            held = self._waiting.get(key, set())
            held.discard(future)
            if not held:
                self._waiting.pop(key, None)

    def changed(self, key: ConfigKey) -> None:
        """Wake who waits for this key."""
        for future in self._waiting.get(key, ()):
            if not future.done():
                future.set_result(key)

    def nudge(self) -> None:
        """The clock jumped: let every poll look whether its time is up."""
        for held in list(self._waiting.values()):
            for future in held:
                if not future.done():
                    future.set_result(None)
