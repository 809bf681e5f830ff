"""A link holds back what the server sends, in order, and lets everything else pass."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from functools import partial

import pytest

from harness.faults.link import UNDER_WAY, Link, serve, tell
from harness.wait import until

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend():
    return "asyncio"


class Clocked(Link):
    """A link whose waits are told instead of waited for."""

    def __init__(self) -> None:
        super().__init__(seed=1)
        self.held: list[float] = []

    def hold(self, size: int) -> float:
        self.held.append(super().hold(size))
        return 0.0


async def upper(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answers in upper case, and ends when the client does."""
    while piece := await reader.read(4096):
        writer.write(piece.upper())
        await writer.drain()
    writer.close()


@contextlib.asynccontextmanager
async def through(link: Link, handler=upper) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    server = await asyncio.start_server(handler, "127.0.0.1", 0)
    front = await asyncio.start_server(partial(link.connect, server.sockets[0].getsockname()), "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*front.sockets[0].getsockname())
    yield reader, writer
    writer.close()
    front.close()
    server.close()


async def test_without_toxics_all_passes_and_both_ends_end():
    async with through(Link()) as (reader, writer):
        writer.write(b"hello")
        assert await reader.readexactly(5) == b"HELLO"
        writer.write_eof()
        assert await reader.read() == b""


async def test_what_the_server_sends_is_held_back_and_requests_are_not():
    link = Clocked()
    link.set({"delay": 0.25})
    async with through(link) as (reader, writer):
        writer.write(b"hello")
        assert await reader.readexactly(5) == b"HELLO"
    assert link.held[0] == 0.25 and set(link.held[1:]) <= {0.25}, "the answer's piece, and then the end"


async def test_what_is_lost_for_ever_comes_when_the_link_is_mended():
    link = Link()
    link.set({"loss": 1.0})
    async with through(link) as (reader, writer):
        writer.write(b"one")
        waiting = asyncio.ensure_future(reader.readexactly(6))
        writer.write(b"two")
        done, _ = await asyncio.wait([waiting], timeout=0.3)
        assert not done
        link.set({})
        assert await asyncio.wait_for(waiting, 5) == b"ONETWO"


async def test_a_closed_port_behind_it_is_a_reset():
    link = Link()
    unused = await asyncio.start_server(upper, "127.0.0.1", 0)
    address = unused.sockets[0].getsockname()
    unused.close()
    await unused.wait_closed()
    front = await asyncio.start_server(partial(link.connect, address), "127.0.0.1", 0)
    reader, _ = await asyncio.open_connection(*front.sockets[0].getsockname())
    with pytest.raises(ConnectionResetError):
        await asyncio.wait_for(reader.read(), 5)
    front.close()


async def test_a_server_that_is_faster_than_the_link_has_to_wait():
    sent = 0

    async def pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        with contextlib.suppress(ConnectionError):
            for _ in range(64):
                writer.write(bytes(UNDER_WAY))
                await writer.drain()
                sent += 1
        writer.close()

    link = Link()
    link.set({"loss": 1.0})
    async with through(link, pour) as (reader, _):
        first = asyncio.ensure_future(reader.read(1))
        await asyncio.wait([first], timeout=0.5)
        assert sent < 64
        link.set({})
        rest = len(await first)
        while piece := await reader.read(1 << 20):
            rest += len(piece)
        assert sent == 64 and rest == 64 * UNDER_WAY


async def test_told_from_outside_while_it_serves(tmp_path):
    server = await asyncio.start_server(upper, "127.0.0.1", 0)
    address = server.sockets[0].getsockname()
    control = tmp_path / "link.sock"
    serving = asyncio.ensure_future(serve(control, [(("127.0.0.1", 0), address)]))
    await asyncio.to_thread(until, control.exists, 5, awaited="the control socket")
    await asyncio.to_thread(tell, control, delay=0.1, jitter=0.05, loss=0.01)
    with pytest.raises(ValueError, match="loss=2 is a share from 0 to 1"):
        await asyncio.to_thread(tell, control, loss=2)
    with pytest.raises(ValueError, match="bandwidth"):
        await asyncio.to_thread(tell, control, bandwidth=2)
    serving.cancel()
    server.close()
