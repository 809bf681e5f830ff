"""Operations on configuration history that the HTTP versions share."""

from __future__ import annotations

import json
import time
from typing import Any

from harness.emulators.nacos.config.model import Entry, Record
from harness.emulators.nacos.errors import NacosError
from harness.emulators.nacos.http import configs
from harness.emulators.nacos.http.configs import Dialect
from harness.emulators.nacos.http.routes import Call
from harness.emulators.nacos.version import Version


def of_key(call: Call, dialect: Dialect) -> list[Record]:
    """The rows of one configuration, newest first."""
    return call.domain.config.history(configs.key_of(call, dialect))


def one(call: Call, dialect: Dialect) -> Record | None:
    """The row `nid`, None if there is none; raises NacosError (403) if it belongs to another configuration."""
    record = call.domain.config.record(_number(call, "nid"))
    return _own(call, dialect, record) if record else None


def previous(call: Call, dialect: Dialect) -> Record | None:
    """The newest row of the configuration with this `id` (its last change), None if there is none."""
    key = configs.key_of(call, dialect)
    wanted = _number(call, "id")
    rows = [record for record in call.domain.config.history(key) if record.entry.id == wanted]
    return rows[0] if rows else None


def _number(call: Call, name: str) -> int:
    call.request.present(name, "Long")
    return call.request.number(name, 0, "java.lang.Long")


def _own(call: Call, dialect: Dialect, record: Record) -> Record:
    if record.entry.key != configs.key_of(call, dialect):
        raise _other()
    return record


def _other() -> NacosError:
    return NacosError(403, "Please check dataId, group or namespaceId.", 10001)


def configs_of_namespace(call: Call, dialect: Dialect) -> list[Any]:
    """Every configuration of a namespace."""
    tenant = configs.tenant_of(call, dialect)
    return [entry for key, entry in call.domain.config.state.entries.items() if key.tenant == tenant]


def keys_of_namespace(call: Call, dialect: Dialect) -> list[dict[str, Any]]:
    """Every configuration of a namespace in v1's and v2's words; what it holds is not read."""
    unread = {"content": None, "md5": None, "encryptedDataKey": None}
    found = configs_of_namespace(call, dialect)
    return [{**configs.basic_v1(one, call.domain.version), **unread, "lastModified": one.modified} for one in found]


def row_v1(record: Record, version: Version, *, content: bool = True) -> dict[str, Any]:
    """A row in v1's and v2's words; the operation is padded by its column type, as on the server."""
    entry = record.entry
    return {
        "id": str(record.id),
        "lastId": -1,
        "dataId": entry.key.data_id,
        "group": entry.key.group,
        "tenant": configs.tenant_told(entry.key.tenant, version),
        "appName": entry.app_name,
        "md5": entry.md5 if content else None,
        "content": entry.content if content else None,
        "srcIp": record.ip,
        "srcUser": record.user or None,
        "opType": record.operation.ljust(10),
        "publishType": record.variant,
        "grayName": record.gray_name,
        "extInfo": extra(record),
        "createdTime": stamp(record.at),
        "lastModifiedTime": stamp(record.at),
        "encryptedDataKey": entry.encrypted_data_key if content else None,
    }


def row_v3(record: Record, *, content: bool) -> dict[str, Any]:
    """A row in v3's words."""
    entry = record.entry
    more = {
        "content": entry.content,
        "encryptedDataKey": entry.encrypted_data_key,
        "md5": entry.md5,
        "grayName": record.gray_name,
        "extInfo": extra(record),
    }
    return {
        **configs.basic_v3(entry),
        "type": None,
        "md5": None,
        "id": str(record.id),
        "createTime": record.at,
        "modifyTime": record.at,
        "srcIp": record.ip,
        "srcUser": record.user or None,
        "opType": record.operation.ljust(10),
        "publishType": record.variant,
        **(more if content else {}),
    }


def extra(record: Record) -> str:
    """What else was known of a row, as JSON text; only what isn't blank, in the order of `ConfigExtInfoUtil`."""
    entry, user = record.entry, record.entry.create_user
    described = {"type": entry.type, "config_tags": entry.tags}
    if record.gray_name:
        kind, priority = ("beta", 2**31 - 1) if record.gray_name == "beta" else ("tag", 2**31 - 2)
        rule = {"type": kind, "expr": record.gray_rule, "version": "1.0.0", "priority": str(priority)}
        told: dict[str, str | None] = {"gray_name": record.gray_name, "src_user": user, "gray_rule": _compact(rule)}
    elif record.operation == "I":  # from the publisher's form, a HashMap
        more = {"c_schema": entry.schema, "c_use": entry.use, "effect": entry.effect}
        told = {"src_user": user, **more, **described, "c_desc": entry.desc}
    else:
        more = {"c_desc": entry.desc, "c_use": entry.use, "c_schema": entry.schema}
        told = {**described, "effect": entry.effect, "src_user": user, **more}
    return _compact({name: value for name, value in told.items() if value and value.strip()})


def _compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def change(call: Call, dialect: Dialect) -> dict[str, Any] | None:
    """What the row `nid` changed: before and after, None if there is no such row; raises NacosError (403).

    Alone among its neighbours it takes the namespace as it is written, so that 3.x finds what is in `public` by that
    name alone (`HistoryControllerV2`).
    """
    record = one(call, dialect)
    if record is None:
        return None
    tenant = configs.tenant_told(record.entry.key.tenant, call.domain.version)
    if call.request.get(dialect.tenant) != tenant:
        raise _other()
    row, operation = row_v1(record, call.domain.version), record.operation
    held = _told(record.entry, extra(record))
    before: Side = dict.fromkeys(_SIDE, "") if operation == "I" else held
    after = held if operation == "I" else _after(call, record) if operation == "U" else dict.fromkeys(_SIDE)
    plain = {name: row[name] for name in ("lastId", "dataId", "group", "tenant", "appName", "srcIp", "srcUser")}
    return {
        "id": record.id,
        **plain,
        "opType": operation,
        "publishType": record.variant,
        "grayName": record.gray_name,
        **{f"original{name}": value for name, value in before.items()},
        **{f"updated{name}": value for name, value in after.items() if name != "ExtInfo"},
        "updateExtInfo": after["ExtInfo"],  # the server's spelling
        "createdTime": row["createdTime"],
        "lastModifiedTime": row["lastModifiedTime"],
    }


#: What is told of each side of a change.
_SIDE = ("Md5", "Content", "EncryptedDataKey", "ExtInfo")
Side = dict[str, str | None]


def _after(call: Call, record: Record) -> Side:
    """What an update left: the next row of the same variant tells, else what is there now."""
    rows = reversed(call.domain.config.history(record.entry.key))
    later = [row for row in rows if row.id > record.id and row.gray_name == record.gray_name]
    if later:
        return _told(later[0].entry, extra(later[0]))
    now = call.domain.config.variant(record.entry.key, record.gray_name)
    return _told(now, None) if now else dict.fromkeys(_SIDE)


def _told(entry: Entry, info: str | None) -> Side:
    return dict(zip(_SIDE, (entry.md5, entry.content, entry.encrypted_data_key, info), strict=True))


def stamp(millis: int) -> str:
    """A time as Jackson prints it."""
    whole, part = divmod(millis, 1000)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(whole)) + f".{part:03}+00:00"
