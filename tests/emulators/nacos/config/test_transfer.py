"""Zip export and import, and saving many by policy."""

from __future__ import annotations

import io
import zipfile

import pytest

from harness.clock import ManualClock
from harness.emulators.nacos.config.model import ConfigKey, Draft
from harness.emulators.nacos.config.search import Query, search
from harness.emulators.nacos.config.store import ConfigStore
from harness.emulators.nacos.config.transfer import V1_WORDING, V3_WORDING, TransferError, pack, save_all, unpack


def filled() -> ConfigStore:
    store = ConfigStore(ManualClock())
    store.publish(ConfigKey("", "G", "a.yaml"), Draft("a: 1", type="yaml", app_name="app", desc="first", tags="x,y"))
    store.publish(ConfigKey("", "H", "b"), Draft("中文", type="text"))
    return store


@pytest.mark.parametrize("new_layout", [True, False])
def test_what_is_packed_comes_out_again(new_layout: bool) -> None:
    store = filled()
    parcel = unpack(
        pack(store.state.entries.values(), new_layout=new_layout, with_tags=True), "me", "1.1.1.1", V3_WORDING
    )
    assert {(item.group, item.data_id, item.draft.content) for item in parcel.items} == {
        ("G", "a.yaml", "a: 1"),
        ("H", "b", "中文"),
    }
    [first] = [item.draft for item in parcel.items if item.data_id == "a.yaml"]
    assert first.app_name == "app"
    if new_layout:
        assert (first.type, first.desc, first.tags) == ("yaml", "first", "x,y")


def zipped(**files: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", 100005),
        (b"no zip", 100004),
        (zipped(), 100005),
        (zipped(**{"G/d": "x", ".metadata.yml": "metadata: []"}), 100002),
        (zipped(**{"G/d": "x", ".metadata.yml": "{{{"}), 100002),
        (zipped(**{"G/d": "x", ".meta.yml": "no equals sign"}), 100002),
    ],
)
def test_bad_zips_are_refused_by_code(data: bytes, code: int) -> None:
    with pytest.raises(TransferError) as refused:
        unpack(data, "", "", V3_WORDING)
    assert refused.value.code == code


def test_files_and_metadata_that_do_not_fit_are_told_in_the_words_of_the_api() -> None:
    metadata = "metadata: [{dataId: a, group: G, type: text}, {dataId: b, group: G, type: text}]"
    data = zipped(**{"G/a": "x", "G/c": "y", ".metadata.yml": metadata})
    for wording, told in (
        (V3_WORDING, ["Item not found in file: G/b", "Item not found in metadata: G/c"]),
        (V1_WORDING, ["未在文件中找到: G/b", "未在元数据中找到: G/c"]),
    ):
        assert [one["itemName"] for one in unpack(data, "", "", wording).unrecognized] == told


def test_the_old_layout_leaves_an_entry_without_a_type() -> None:
    [item] = unpack(zipped(**{"G/a.json": "{}"}), "", "", V1_WORDING).items
    assert ConfigStore(ManualClock()).publish(ConfigKey("", "G", "a.json"), item.draft).type is None


def test_policies() -> None:
    store = filled()
    items = unpack(pack(store.state.entries.values(), new_layout=True), "", "", V3_WORDING).items
    assert save_all(store, "", items, "SKIP")["skipCount"] == 2
    aborted = save_all(store, "", items, "ABORT")
    assert (aborted["succCount"], aborted["skipCount"], len(aborted["failData"])) == (0, 1, 1)
    assert save_all(store, "", items, "OVERWRITE")["succCount"] == 2
    assert save_all(store, "other", items, "ABORT")["succCount"] == 2


def found(**query: object) -> list[str]:
    entries = filled().state.entries.values()
    return [entry.key.data_id for entry in search(entries, Query("", **query))]  # type: ignore[arg-type]


def test_searching() -> None:
    assert found() == ["a.yaml", "b"]
    assert found(data_id="a*") == []
    assert found(data_id="a*", blur=True) == ["a.yaml"]
    assert found(tags="y,z") == ["a.yaml"]
    assert found(types="text") == ["b"]
    assert found(content="中", blur=True) == ["b"]
    assert found(app_name="app", group="G") == ["a.yaml"]
