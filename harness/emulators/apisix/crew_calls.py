"""What one worker asks of the others over sockets in the crew's directory: their journals, to forget, to seed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Final

#: How long another worker may take to answer, in seconds; one that is being replaced doesn't
PATIENCE: Final = 5.0
#: A journal of 500 requests with long headers fits
_LONGEST: Final = 64 * 1024 * 1024

#: name → what a worker does with the call's members, and gives back (JSON)
Calls = Mapping[str, Callable[[Mapping[str, Any]], Awaitable[Any]]]


class CrewCalls:
    """One worker's end: it answers `calls`, and asks the others."""

    def __init__(self, directory: Path, index: int, workers: int, calls: Calls) -> None:
        self._paths = [directory / f"worker-{place}" for place in range(workers)]
        self._index = index
        self._calls = calls
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen, in the place of a worker that died if there was one."""
        self._server = await asyncio.start_unix_server(self._serve, self._paths[self._index], limit=_LONGEST)

    def stop(self) -> None:
        """Listen no more."""
        if self._server is not None:
            self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked = json.loads(await reader.readline())
        writer.write(json.dumps(await self._calls[asked["call"]](asked)).encode() + b"\n")
        await writer.drain()
        writer.close()

    async def ask(self, call: str, **members: Any) -> list[Any]:
        """What all workers say, this one first; one that doesn't answer is left out."""
        asked = {"call": call, **members}
        others = (self._ask(path, asked) for place, path in enumerate(self._paths) if place != self._index)
        return [await self._calls[call](asked), *(said[0] for said in await asyncio.gather(*others) if said)]

    async def _ask(self, path: Path, asked: Mapping[str, Any]) -> tuple[Any] | None:
        try:
            async with asyncio.timeout(PATIENCE):
                reader, writer = await asyncio.open_unix_connection(path, limit=_LONGEST)
                try:
                    writer.write(json.dumps(asked).encode() + b"\n")
                    return (json.loads(await reader.readline()),)
                finally:
                    writer.close()
        except (OSError, TimeoutError, ValueError):
            return None
