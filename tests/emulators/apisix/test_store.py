"""The store against a real etcd: what anyone writes arrives, whatever happens to the connection."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from harness.emulators.apisix.etcd import Etcd, EtcdError, Pair
from harness.emulators.apisix.store import Change, Store
from harness.etcd_process import EtcdProcess


@pytest.fixture(scope="module")
def etcd() -> Iterator[EtcdProcess]:
    with EtcdProcess() as process:
        yield process


@asynccontextmanager
async def started(etcd: EtcdProcess, prefix: str) -> AsyncIterator[Store]:
    store = Store(Etcd([etcd.url], timeout=5), prefix)
    await store.start()
    try:
        yield store
    finally:
        await store.stop()


def play(scenario: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        await asyncio.wait_for(scenario(), 30)

    asyncio.run(bounded())


async def changed(store: Store, wanted: Callable[[Change], bool]) -> Change:
    """The next change that fits."""
    found: asyncio.Future[Change] = asyncio.get_running_loop().create_future()

    def look(changes: Any) -> None:
        for change in changes:
            if wanted(change) and not found.done():
                found.set_result(change)

    store.subscribe(look)
    try:
        return await found
    finally:
        store.unsubscribe(look)


def test_the_directories_are_made_and_are_no_entries(etcd: EtcdProcess) -> None:
    async def scenario() -> None:
        async with started(etcd, "/dirs") as store:
            pairs = await store.below("/routes")
            assert [(pair.key, pair.value) for pair in pairs] == [("/dirs/routes/", b"init_dir")]
            assert store.get("routes") == {}

    play(scenario)


def test_a_change_by_somebody_else_arrives(etcd: EtcdProcess) -> None:
    async def scenario() -> None:
        other = Etcd([etcd.url])
        async with started(etcd, "/other") as store:
            waiting = asyncio.create_task(changed(store, lambda change: change[:2] == ("routes", "1")))
            await asyncio.sleep(0)
            _, revision = await other.put("/other/routes/1", b'{"uri":"/a"}')
            entry = (await waiting)[2]
            assert entry is not None
            assert entry.value == {"uri": "/a", "id": "1"}
            assert (entry.created_index, entry.modified_index) == (revision, revision)
            waiting = asyncio.create_task(changed(store, lambda change: change[2] is None))
            await asyncio.sleep(0)
            await other.delete("/other/routes/1")
            await waiting
            assert store.get("routes") == {}
        other.close()

    play(scenario)


def test_own_writes_are_in_place_when_they_return_and_told_once(etcd: EtcdProcess) -> None:
    async def scenario() -> None:
        async with started(etcd, "/own") as store:
            told: list[Change] = []
            store.subscribe(told.extend)
            assert await store.put("routes", "1", {"uri": "/a"}) == (False, store.get("routes")["1"].modified_index)
            existed, revision = await store.put("routes", "1", {"uri": "/b"})
            assert existed
            assert store.get("routes")["1"].value["uri"] == "/b"
            assert await store.delete("/routes/1") == 1
            assert await store.delete("/routes/1") == 0
            await store.reached(revision + 1)
            assert [(change[1], change[2] and change[2].value["uri"]) for change in told] == [
                ("1", "/a"),
                ("1", "/b"),
                ("1", None),
            ]

    play(scenario)


def test_swap_writes_only_over_what_was_known(etcd: EtcdProcess) -> None:
    async def scenario() -> None:
        async with started(etcd, "/swap") as store:
            revision, _ = await store.swap("/routes/1", {"n": 1}, None)
            assert revision
            refused, other = await store.swap("/routes/1", {"n": 2}, None)
            assert refused == 0
            assert isinstance(other, Pair)
            assert (other.modified, other.value) == (revision, b'{"n":1}')
            assert (await store.swap("/routes/1", {"n": 2}, other))[0] > revision
            assert store.get("routes")["1"].created_index == revision

    play(scenario)


def test_a_value_that_cannot_be_used_leaves_the_last_good_one(etcd: EtcdProcess) -> None:
    async def scenario() -> None:
        async with started(etcd, "/bad") as store:
            await store.put("routes", "1", {"uri": "/a"})
            _, revision = await store.etcd.put("/bad/routes/1", b"[]no json")
            await store.reached(revision)
            assert store.get("routes")["1"].value["uri"] == "/a"

    play(scenario)


def test_a_lease_takes_the_key_away_again(etcd: EtcdProcess) -> None:
    async def scenario() -> None:
        async with started(etcd, "/lease") as store:
            await store.put("routes", "1", {"uri": "/a"}, ttl=1)
            assert "1" in store.get("routes")
            await changed(store, lambda change: change[2] is None)
            assert store.get("routes") == {}

    play(scenario)


def test_a_gap_in_the_history_is_closed_by_reading_anew(etcd: EtcdProcess) -> None:
    async def scenario() -> None:
        async with started(etcd, "/gap") as store:
            await store.put("routes", "gone", {"uri": "/a"})
            store.etcd.close()  # the watch breaks; meanwhile the world goes on, and its history is compacted
            other = Etcd([etcd.url])
            await other.delete("/gap/routes/gone")
            _, revision = await other.put("/gap/routes/new", b'{"uri":"/n"}')
            await other.call("/v3/kv/compaction", {"revision": str(revision)})
            await store.reached(revision)
            assert list(store.get("routes")) == ["new"]
            other.close()

    play(scenario)


def test_etcd_lost_and_back(tmp_path: Any) -> None:
    async def scenario() -> None:
        first = EtcdProcess(data_dir=tmp_path).start()
        await asyncio.to_thread(first.ready)
        store = Store(Etcd([first.url], timeout=5), "/lost")
        await store.start()
        await store.put("routes", "1", {"uri": "/a"})
        await asyncio.to_thread(first.stop)
        with pytest.raises(EtcdError, match="has no healthy etcd endpoint available"):
            await store.put("routes", "2", {"uri": "/b"})
        assert list(store.get("routes")) == ["1"]  # traffic goes on with what is known
        again = EtcdProcess(port=first.port, data_dir=tmp_path).start()
        await asyncio.to_thread(again.ready)
        waiting = asyncio.create_task(changed(store, lambda change: change[1] == "3"))
        await Etcd([again.url]).put("/lost/routes/3", json.dumps({"uri": "/c"}).encode())
        await waiting
        assert sorted(store.get("routes")) == ["1", "3"]
        await store.stop()
        await asyncio.to_thread(again.stop)

    play(scenario)
