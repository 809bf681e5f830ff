"""The configuration store: publish, variants, CAS, history, snapshots."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.clock import ManualClock
from harness.emulators.nacos.config.model import ConfigKey, Draft, digest
from harness.emulators.nacos.config.store import CasFailed, ConfigStore
from harness.emulators.nacos.errors import NacosError

KEY = ConfigKey("", "G", "d")


@pytest.fixture
def told() -> list[ConfigKey]:
    return []


@pytest.fixture
def store(told: list[ConfigKey]) -> ConfigStore:
    store = ConfigStore(ManualClock())
    store.changed = told.append
    return store


def test_publish_and_get(store: ConfigStore, told: list[ConfigKey]) -> None:
    store.publish(KEY, Draft("a: 1", type="yaml"))
    found = store.get(KEY)
    assert found is not None
    assert (found.entry.content, found.entry.type, found.entry.md5) == ("a: 1", "yaml", digest("a: 1"))
    assert told == [KEY]


def test_the_same_content_is_no_change(store: ConfigStore, told: list[ConfigKey]) -> None:
    store.publish(KEY, Draft("x"))
    store.publish(KEY, Draft("x"))
    assert told == [KEY]


def test_removing_is_a_change_once(store: ConfigStore, told: list[ConfigKey]) -> None:
    store.publish(KEY, Draft("x"))
    assert store.remove(KEY)
    assert not store.remove(KEY)
    assert told == [KEY, KEY]
    assert store.md5(KEY) == ""


def test_cas(store: ConfigStore) -> None:
    store.publish(KEY, Draft("first"), cas="whatever it is, nothing is there yet")
    with pytest.raises(CasFailed):
        store.publish(KEY, Draft("second"), cas=digest("other"))
    store.publish(KEY, Draft("second"), cas=digest("first"))
    assert store.md5(KEY) == digest("second")


def test_beta_is_for_its_addresses(store: ConfigStore) -> None:
    store.publish(KEY, Draft("all"))
    store.publish(KEY, Draft("few"), beta_ips="1.1.1.1, 2.2.2.2")
    assert [store.md5(KEY, ip=ip) for ip in ("1.1.1.1", "2.2.2.2", "3.3.3.3")] == [
        digest("few"),
        digest("few"),
        digest("all"),
    ]
    assert store.stop_beta(KEY)
    assert store.md5(KEY, ip="1.1.1.1") == digest("all")
    assert not store.stop_beta(KEY)


def test_tags(store: ConfigStore) -> None:
    store.publish(KEY, Draft("all"))
    store.publish(KEY, Draft("blue"), tag="blue")
    assert store.get(KEY, tag="red") is None
    assert store.md5(KEY, tag="red") == digest("all"), "a header's tag falls back"
    assert store.md5(KEY, tag="blue") == digest("blue")
    store.remove(KEY, tag="blue")
    assert store.md5(KEY, tag="blue") == digest("all")


def test_history_keeps_the_old_content_of_updates_and_deletes(store: ConfigStore) -> None:
    store.publish(KEY, Draft("one"))
    store.publish(KEY, Draft("two"))
    store.remove(KEY)
    rows = store.history(KEY)
    assert [(row.operation, row.entry.content) for row in rows] == [("D", "two"), ("U", "one"), ("I", "one")]


def test_history_lapses_after_thirty_days(store: ConfigStore) -> None:
    store.publish(KEY, Draft("one"))
    assert isinstance(store.clock, ManualClock)
    store.clock.advance(31 * 24 * 3600)
    store.clean()
    assert store.history(KEY) == []


@pytest.mark.parametrize(
    ("key", "content", "words"),
    [
        (ConfigKey("", "G", "a b"), "x", "invalid dataId : a b"),
        (ConfigKey("", "a/b", "d"), "x", "invalid group : a/b"),
        (ConfigKey("a b", "G", "d"), "x", "invalid tenant"),
        (KEY, "  ", "content is blank"),
        (KEY, "x" * (10 * 1024 * 1024 + 1), "invalid content, over 10485760"),
    ],
)
def test_refusals(store: ConfigStore, key: ConfigKey, content: str, words: str) -> None:
    with pytest.raises(NacosError, match=words) as refused:
        store.publish(key, Draft(content))
    assert refused.value.status == 400


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["", "1", "2"])), max_size=12), st.integers(0, 12))
def test_restore_tells_of_exactly_what_differs(steps: list[tuple[str, str]], at: int) -> None:
    store = ConfigStore(ManualClock())
    saved = store.save()
    for number, (name, content) in enumerate(steps):
        if number == at:
            saved = store.save()
        key = ConfigKey("", "G", name)
        if content:
            store.publish(key, Draft(content))
        else:
            store.remove(key)
    before = dict(store.state.entries)
    told: set[ConfigKey] = set()
    store.changed = told.add
    store.restore(saved)
    assert store.state.entries == saved.entries
    names = before.keys() | saved.entries.keys()
    assert told == {key for key in names if before.get(key) != saved.entries.get(key)}
