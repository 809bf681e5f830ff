"""A TCP link: what a server sends through it is held back as its toxics say, in order; requests pass at once.

    python -m harness.faults.link --control /run/link.sock --forward 127.0.0.1:8080=127.0.0.2:8080

`tell(path, delay=0.2)` changes the toxics; connections that are open keep to the new ones too.
"""

from __future__ import annotations

import argparse
import asyncio
import collections
import contextlib
import json
import random
import socket
import struct
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from harness.faults.toxics import Toxic, toxics

#: How much of a stream may be under way in a link before the sender has to wait.
UNDER_WAY = 1 << 20
PIECE = 1 << 16
Address = tuple[str, int]


class Link:
    """The toxics that all its connections keep to, which may change at any time."""

    def __init__(self, seed: int | None = None) -> None:
        self.toxics: Sequence[Toxic] = ()
        self.changed = asyncio.Event()
        self.chance = random.Random(seed)

    def set(self, settings: dict[str, float]) -> None:
        """Raises ValueError or TypeError for what is no setting."""
        self.toxics = toxics(**settings)
        self.changed.set()
        self.changed = asyncio.Event()

    def hold(self, size: int) -> float:
        """Seconds for which a piece is held back now."""
        return sum(toxic.hold(size, self.chance) for toxic in self.toxics)

    async def connect(self, server: Address, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection until one side has ended it."""
        try:
            above, onward = await asyncio.open_connection(*server)
        except OSError:
            _reset(writer)  # as a closed port would: nothing was taken
            return
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(_plain(reader, onward))
                both.create_task(self._held(above, writer))
        except* OSError:
            _reset(writer)
            _reset(onward)
        finally:
            writer.close()
            onward.close()

    async def _held(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        pieces: collections.deque[tuple[float, bytes]] = collections.deque()
        came, room = asyncio.Event(), asyncio.Event()
        delivering = asyncio.ensure_future(self._deliver(pieces, came, room, writer))
        try:
            while piece := await reader.read(PIECE):
                pieces.append((asyncio.get_running_loop().time(), piece))
                came.set()
                while sum(len(part) for _, part in pieces) > UNDER_WAY and not delivering.done():
                    room.clear()
                    await room.wait()
                if delivering.done():
                    break  # the client is gone
            pieces.append((asyncio.get_running_loop().time(), b""))
            came.set()
            await delivering
        finally:
            delivering.cancel()

    async def _deliver(
        self,
        pieces: collections.deque[tuple[float, bytes]],
        came: asyncio.Event,
        room: asyncio.Event,
        writer: asyncio.StreamWriter,
    ) -> None:
        try:
            while True:
                while not pieces:
                    came.clear()
                    await came.wait()
                arrived, piece = pieces[0]
                await self._wait(arrived, len(piece))
                pieces.popleft()
                room.set()
                if not piece:
                    _half_close(writer)
                    return
                writer.write(piece)
                await writer.drain()
        finally:
            room.set()

    async def _wait(self, arrived: float, size: int) -> None:
        """Until a piece that arrived then may go on; with other toxics in between it is judged anew."""
        loop = asyncio.get_running_loop()
        while True:
            changed = self.changed
            left = arrived + self.hold(size) - loop.time()
            if left <= 0:
                return
            try:
                await asyncio.wait_for(changed.wait(), None if left == float("inf") else left)
            except TimeoutError:
                return


async def _plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while piece := await reader.read(PIECE):
        writer.write(piece)
        await writer.drain()
    _half_close(writer)


def _half_close(writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        if writer.can_write_eof():
            writer.write_eof()


def _reset(writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


# --- as a program


async def serve(control: Path, forwards: Sequence[tuple[Address, Address]]) -> None:
    """Listen until cancelled."""
    link = Link()

    async def told(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            link.set(json.loads(await reader.readline()))
            writer.write(b"ok\n")
        except (ValueError, TypeError) as error:
            writer.write(f"{error}\n".encode())
        writer.close()

    for at, server in forwards:
        await asyncio.start_server(partial(link.connect, server), *at)
    # last: who can reach it knows that all else listens
    commands = await asyncio.start_unix_server(told, control)
    print("ready", flush=True)
    await commands.serve_forever()


def tell(control: Path, **settings: float) -> None:
    """Have a running link keep to other toxics. Raises ValueError when it refuses them, OSError when it is gone."""
    with socket.socket(socket.AF_UNIX) as speaking:
        speaking.settimeout(5)
        speaking.connect(str(control))
        speaking.sendall(json.dumps(settings).encode() + b"\n")
        with speaking.makefile() as answers:
            answer = answers.readline().strip()
    if answer != "ok":
        raise ValueError(answer)


def _address(text: str) -> Address:
    host, _, port = text.rpartition(":")
    return host, int(port)


def main(arguments: Sequence[str]) -> None:
    """Serve, or with --tell '{"delay": 0.2}' change a running one."""
    parser = argparse.ArgumentParser(prog="harness.faults.link")
    parser.add_argument("--control", type=Path, required=True)
    parser.add_argument("--forward", action="append", default=[], metavar="AT=SERVER")
    parser.add_argument("--tell", type=json.loads)
    options = parser.parse_args(arguments)
    if options.tell is not None:
        tell(options.control, **options.tell)
        return
    pairs = [forward.partition("=") for forward in options.forward]
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(options.control, [(_address(at), _address(server)) for at, _, server in pairs]))


if __name__ == "__main__":
    main(sys.argv[1:])
