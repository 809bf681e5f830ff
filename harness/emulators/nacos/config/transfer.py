"""Moving configurations: zip export and import in the old and the new layout, and saving many at once by policy."""

from __future__ import annotations

import io
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, NamedTuple

from harness.emulators.nacos.config.model import UNTYPED, ConfigKey, Draft, Entry
from harness.emulators.nacos.config.store import ConfigStore
from harness.emulators.nacos.errors import NacosError

OLD_METADATA, NEW_METADATA = ".meta.yml", ".metadata.yml"
POLICIES = ("ABORT", "SKIP", "OVERWRITE")


class Refusal(Enum):
    """Why an import or a clone can't start: the result code and words of v1 (`ResultCodeEnum`), v3's (`ErrorCode`)."""

    NO_NAMESPACE = (100001, "目标 namespace 不存在", 22001)
    BAD_METADATA = (100002, "导入的元数据非法", 100002)
    BAD_ZIP = (100004, "解析数据失败", 100004)
    EMPTY = (100005, "导入的文件数据为空", 100005)
    NOTHING_SELECTED = (100006, "没有选择任何配置", 100006)


class Wording(NamedTuple):
    """How an API tells which files it makes nothing of."""

    no_metadata: str
    no_file: str


V1_WORDING = Wording("未在元数据中找到: ", "未在文件中找到: ")
V3_WORDING = Wording("Item not found in metadata: ", "Item not found in file: ")


class TransferError(NacosError):
    """An import or clone that can't start; the HTTP status is 200 on every version, the code says what.

    `data` is what the answer tells of what was done.
    """

    def __init__(self, refusal: Refusal, *, counted: bool = True) -> None:
        self.code_v1, self.text_v1, code = refusal.value
        self.data = {"succCount": 0} if counted else {}
        super().__init__(200, self.text_v1, code)


@dataclass(frozen=True, slots=True)
class Item:
    """One configuration on its way; its tenant is the target's."""

    group: str
    data_id: str
    draft: Draft


@dataclass(slots=True)
class Parcel:
    """What a zip holds, and the entries nobody could make sense of."""

    items: list[Item] = field(default_factory=list)
    unrecognized: list[dict[str, str]] = field(default_factory=list)


# -- out ---------------------------------------------------------------------------------------------------------------


def pack(entries: Iterable[Entry], *, new_layout: bool, with_tags: bool = False) -> bytes:
    """A zip of `GROUP/dataId` files with a metadata file; v1 of 3.x tells the tags there, in the new layout."""
    import zipfile  # only moving needs it, and importing it takes 5 ms of the start

    held = list(entries)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for entry in held:
            archive.writestr(f"{entry.key.group}/{entry.key.data_id}", entry.content)
        metadata = _new_metadata(held, with_tags) if new_layout else _old_metadata(held)
        if metadata:
            archive.writestr(NEW_METADATA if new_layout else OLD_METADATA, metadata)
    return buffer.getvalue()


def _new_metadata(entries: list[Entry], with_tags: bool) -> str:
    import yaml  # only exports need it, and importing it takes 15 ms of the start

    items = [
        {
            "appName": entry.app_name,
            "configTags": entry.tags or None if with_tags else None,
            "dataId": entry.key.data_id,
            "desc": entry.desc,
            "group": entry.key.group,
            "type": entry.type,
        }
        for entry in entries
    ]
    told = [{name: value for name, value in item.items() if value is not None} for item in items]
    return str(yaml.safe_dump({"metadata": told}, allow_unicode=True, sort_keys=False))


def _old_metadata(entries: list[Entry]) -> str:
    lines = [
        f"{_old_name(entry.key.group, entry.key.data_id)}={entry.app_name}\r\n" for entry in entries if entry.app_name
    ]
    return "".join(lines)


def _old_name(group: str, data_id: str) -> str:
    head, dot, extension = data_id.rpartition(".")
    return f"{group}.{head}~{extension}.app" if dot else f"{group}.{data_id}.app"


# -- in ----------------------------------------------------------------------------------------------------------------


def unpack(data: bytes, user: str, ip: str, wording: Wording) -> Parcel:
    """Read a zip in either layout; raises TransferError."""
    import zipfile

    if not data:
        raise TransferError(Refusal.EMPTY)
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            files = {one.filename: archive.read(one).decode() for one in archive.infolist() if not one.is_dir()}
    except (zipfile.BadZipFile, UnicodeDecodeError, NotImplementedError, RuntimeError, EOFError):
        raise TransferError(Refusal.BAD_ZIP) from None
    new, old = files.pop(NEW_METADATA, None), files.pop(OLD_METADATA, None)
    is_new = new is not None
    parcel = _read_new(files, new or "", user, ip, wording) if is_new else _read_old(files, old or "", user, ip)
    if not parcel.items:
        raise TransferError(Refusal.EMPTY)
    return parcel


def _read_new(files: dict[str, str], metadata: str, user: str, ip: str, wording: Wording) -> Parcel:
    parcel = Parcel()
    for meta in _load_metadata(metadata):
        name = f"{meta['group']}/{meta['dataId']}"
        content = files.pop(name, None)
        if content is None:
            parcel.unrecognized.append({"itemName": f"{wording.no_file}{name}"})
            continue
        draft = Draft(
            content,
            type=meta["type"],
            app_name=meta.get("appName", ""),
            desc=meta.get("desc"),
            tags=meta.get("configTags"),
            user=user,
            ip=ip,
        )
        parcel.items.append(Item(meta["group"], meta["dataId"], draft))
    parcel.unrecognized += [{"itemName": f"{wording.no_metadata}{name}"} for name in files]
    return parcel


def _load_metadata(text: str) -> list[dict[str, str]]:
    import yaml

    try:
        loaded: Any = yaml.safe_load(text)
        items = [{key: str(value) for key, value in item.items() if value is not None} for item in loaded["metadata"]]
    except (yaml.YAMLError, TypeError, KeyError, AttributeError):
        items = []
    if not items or any(not item.get(name) for item in items for name in ("dataId", "group", "type")):
        raise TransferError(Refusal.BAD_METADATA)
    return items


def _read_old(files: dict[str, str], metadata: str, user: str, ip: str) -> Parcel:
    lines = [line for line in metadata.splitlines() if line]
    if any(line.count("=") != 1 for line in lines):
        raise TransferError(Refusal.BAD_METADATA)
    apps = dict(line.split("=") for line in lines)
    parcel = Parcel()
    for name, content in files.items():
        group, separator, data_id = name.partition("/")
        if not separator or "/" in data_id:
            parcel.unrecognized.append({"itemName": name})
            continue
        draft = Draft(content, type=UNTYPED, app_name=apps.get(_old_name(group, data_id), ""), user=user, ip=ip)
        parcel.items.append(Item(group, data_id, draft))
    return parcel


# -- saving ------------------------------------------------------------------------------------------------------------


def save_all(store: ConfigStore, tenant: str, items: list[Item], policy: str) -> dict[str, Any]:
    """Publish the items; what exists is overwritten, skipped, or ends it all. Answers the server's counts."""
    result: dict[str, Any] = {"succCount": 0, "skipCount": 0}
    for index, item in enumerate(items):
        key = ConfigKey(tenant, item.group, item.data_id)
        if policy == "OVERWRITE" or key not in store.state.entries:
            store.publish(key, item.draft)
            result["succCount"] += 1
        elif policy == "SKIP":
            result["skipCount"] += 1
            result.setdefault("skipData", []).append(_named(item))
        else:
            rest = items[index + 1 :]
            result["failData"] = [_named(item)]
            result["skipCount"] += len(rest)
            if rest:
                result["skipData"] = [_named(one) for one in rest]
            break
    return result


def _named(item: Item) -> dict[str, str]:
    return {"dataId": item.data_id, "group": item.group}
