"""Long polls of v1 configuration listeners: who waits for which keys."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping

from harness.emulators.nacos.config.model import ConfigKey


class LongPolls:
    """Futures by key; the first key that changes ends a poll."""

    def __init__(self) -> None:
        self._pollers: dict[asyncio.Future[ConfigKey | None], tuple[str, Mapping[ConfigKey, str]]] = {}
        self._waiting: dict[ConfigKey, set[asyncio.Future[ConfigKey | None]]] = {}

    async def wait(self, ip: str, listened: Mapping[ConfigKey, str], seconds: float) -> ConfigKey | None:
        """The first of the keys to change within `seconds`; None when time is up, or when `nudge` says: look again."""
        future: asyncio.Future[ConfigKey | None] = asyncio.get_running_loop().create_future()
        self._pollers[future] = (ip, listened)
        for key in listened:
            self._waiting.setdefault(key, set()).add(future)
        try:
            return await asyncio.wait_for(future, seconds)
        except TimeoutError:
            return None
        finally:
            self._forget(listened, future)

    def _forget(self, keys: Iterable[ConfigKey], future: asyncio.Future[ConfigKey | None]) -> None:
        self._pollers.pop(future, None)
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

    def listeners_of(self, key: ConfigKey) -> dict[str, str]:
        """ip → md5 the client has, of everyone who polls for the key."""
        return {ip: listened[key] for ip, listened in self._pollers.values() if key in listened}

    def listened_by(self, ip: str) -> dict[ConfigKey, str]:
        """key → md5 of everything that clients at an address poll for."""
        return {key: md5 for at, listened in self._pollers.values() if at == ip for key, md5 in listened.items()}
