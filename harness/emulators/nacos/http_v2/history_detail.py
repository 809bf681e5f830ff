"""`GET /v2/cs/history/detail`: a change with what was before and what came of it.

Upstream: `HistoryService#getConfigHistoryInfoDetail`, read, not recorded. Alone among its neighbours it takes the
namespace as it is written, so 3.x finds what is in `public` only by that name.
"""

from __future__ import annotations

import json
from typing import Any

from harness.emulators.nacos.config.model import Entry, Record
from harness.emulators.nacos.errors import NacosError
from harness.emulators.nacos.http import configs, histories
from harness.emulators.nacos.http.routes import Call

INSERT, UPDATE, DELETE = "I", "U", "D"
NOTHING = {"Md5": "", "Content": "", "EncryptedDataKey": "", "ExtInfo": ""}


def detail(call: Call) -> dict[str, Any]:
    """The row `nid` with both sides of the change; raises NacosError (500) without it, (403) if it is another's."""
    for name in ("dataId", "group"):
        call.request.present(name)
    call.request.present("nid", "Long")
    record = _row(call, call.request.number("nid", 0, "java.lang.Long"))
    row = histories.row_v1(record, call.domain.version)
    told = {name: value for name, value in row.items() if name not in ("md5", "content", "encryptedDataKey", "extInfo")}
    operation = record.operation.strip()
    return {
        **told,
        "id": record.id,
        "opType": operation,
        **_side("original", _before(record, operation)),
        **_side("updated", _after(call, record, operation)),
    }


def _row(call: Call, number: int) -> Record:
    record = next((one for one in call.domain.config.state.history if one.id == number), None)
    if record is None:
        raise NacosError(500, "Incorrect result size: expected 1, actual 0", 10002)
    key, request = record.entry.key, call.request
    tenant = configs.tenant_told(key.tenant, call.domain.version)
    asked = (request.get("dataId"), request.get("group"), request.get("namespaceId"))
    if asked != (key.data_id, key.group, tenant):
        raise NacosError(403, "Please check dataId, group or namespaceId.", 10001)
    return record


def _before(record: Record, operation: str) -> dict[str, Any]:
    return NOTHING if operation == INSERT else _contents(record.entry)


def _after(call: Call, record: Record, operation: str) -> dict[str, Any]:
    if operation == INSERT:
        return _contents(record.entry)
    return _contents(_next(call, record)) if operation == UPDATE else dict.fromkeys(NOTHING)


def _next(call: Call, record: Record) -> Entry:
    """What the update made: the old side of the next change, or what there is now."""
    state, key = call.domain.config.state, record.entry.key
    later = (one for one in state.history if one.id > record.id and one.entry.key == key)
    following = next((one.entry for one in later if one.variant == record.variant), None)
    if following is None:
        following = state.grays[key].entry if record.variant != "formal" and key in state.grays else state.entries[key]
    return following


def _contents(entry: Entry) -> dict[str, Any]:
    return {
        "Md5": entry.md5,
        "Content": entry.content,
        "EncryptedDataKey": entry.encrypted_data_key,
        "ExtInfo": json.dumps({"type": entry.type}, separators=(",", ":")),
    }


def _side(name: str, contents: dict[str, Any]) -> dict[str, Any]:
    told = {f"{name}{field}": value for field, value in contents.items()}
    if name == "updated":  # one of them is called otherwise
        told["updateExtInfo"] = told.pop("updatedExtInfo")
    return told
