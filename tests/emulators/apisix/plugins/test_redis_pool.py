"""Connections to redis: who they are for, how long they are kept, what is said when there is none."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from functools import partial

import pytest

from harness.emulators.apisix.plugins.redis_pool import Access, NoScript, Pool, RedisFailed, Unreachable
from harness.ports import free_port

from .real_redis import ask, eventually, running  # type: ignore[import-not-found]


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with running("--user", "alice", "on", "+@all", "~*", ">secret") as port:
        yield port


#: a busy machine is no failure
patient = partial(Access, connect_timeout=10.0, timeout=10.0)


def still_open(port: int, ids: set[int]) -> int:
    """How many of these connections the server still has."""
    lines = ask(port, "CLIENT", "LIST", "TYPE", "normal").splitlines()
    return len(ids & {int(line.split()[0].removeprefix("id=")) for line in lines})


def test_a_connection_is_used_again_and_closed_when_idle_for_long(port):
    async def play() -> tuple[list[int], int]:
        pool = Pool("127.0.0.1", port, patient(idle=0.05))
        ids = [await pool.call("CLIENT", "ID") for _ in range(3)]
        await eventually(lambda: not still_open(port, set(ids)))
        return ids, await pool.call("CLIENT", "ID")

    ids, later = asyncio.run(asyncio.wait_for(play(), 10))
    assert len(set(ids)) == 1
    assert later not in ids


def test_no_more_idle_connections_are_kept_than_allowed(port):
    async def play() -> bool:
        pool = Pool("127.0.0.1", port, patient(most_idle=1))
        ids = set(await asyncio.gather(*(pool.call("CLIENT", "ID") for _ in range(5))))
        assert len(ids) == 5
        await eventually(lambda: still_open(port, ids) == 1)
        return await pool.call("CLIENT", "ID") in ids

    assert asyncio.run(asyncio.wait_for(play(), 10))


def test_a_connection_that_the_server_closed_is_not_used_again(port):
    async def play() -> int:
        pool = Pool("127.0.0.1", port, patient())
        first = await pool.call("CLIENT", "ID")
        ask(port, "CLIENT", "KILL", "ID", str(first))
        # the loop sees meanwhile that it was closed
        await eventually(lambda: not still_open(port, {first}))
        return await pool.call("CLIENT", "ID") - first

    assert asyncio.run(play()) > 0


@pytest.mark.parametrize(
    ("access", "said"),
    [
        (patient(username="alice", password="secret"), "alice"),
        (patient(), "default"),
        # a name without a password is not told
        (patient(username="alice"), "default"),
    ],
)
def test_who_is_told(port, access, said):
    assert asyncio.run(Pool("127.0.0.1", port, access).call("ACL", "WHOAMI")) == said.encode()


def test_the_database(port):
    async def play() -> None:
        await Pool("127.0.0.1", port, patient(database=3)).call("SET", "a", "1")

    asyncio.run(play())
    assert ask(port, "-n", "3", "GET", "a") == "1"
    assert ask(port, "GET", "a") == ""


@pytest.mark.parametrize(
    ("access", "kind", "message"),
    [
        (patient(username="alice", password="wrong"), RedisFailed, "invalid username-password pair"),
        (patient(database=99), RedisFailed, "DB index is out of range"),
        (Access(tls=True, connect_timeout=0.2), Unreachable, "."),
    ],
)
def test_what_is_said_when_the_server_will_not(port, access, kind, message):
    with pytest.raises(kind, match=message):
        asyncio.run(Pool("127.0.0.1", port, access).call("PING"))


def test_errors_of_commands_leave_the_connection_usable(port):
    async def play() -> tuple[int, int]:
        pool = Pool("127.0.0.1", port, patient())
        before = await pool.call("CLIENT", "ID")
        with pytest.raises(NoScript, match=r"^NOSCRIPT "):
            await pool.call("EVALSHA", "0" * 40, 0)
        return before, await pool.call("CLIENT", "ID")

    before, after = asyncio.run(play())
    assert before == after


def test_nobody_there_and_nobody_who_answers():
    async def silent() -> str:
        async with await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0) as server:
            there = server.sockets[0].getsockname()[1]
            with pytest.raises(Unreachable) as caught:
                await Pool("127.0.0.1", there, Access(timeout=0.05)).call("PING")
            return str(caught.value)

    with pytest.raises(Unreachable, match=r"^connection refused$"):
        asyncio.run(Pool("127.0.0.1", free_port(), patient()).call("PING"))
    assert asyncio.run(silent()) == "timeout"
