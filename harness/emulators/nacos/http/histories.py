"""Operations on configuration history that the HTTP versions share."""

from __future__ import annotations

import json
import time
from typing import Any

from harness.emulators.nacos.config.model import Record
from harness.emulators.nacos.errors import NacosError
from harness.emulators.nacos.http import configs
from harness.emulators.nacos.http.configs import Dialect
from harness.emulators.nacos.http.routes import Call
from harness.emulators.nacos.version import Version


def of_key(call: Call, dialect: Dialect) -> list[Record]:
    """The rows of one configuration, newest first."""
    return call.domain.config.history(configs.key_of(call, dialect))


def one(call: Call, dialect: Dialect) -> Record:
    """The row `nid`; raises NacosError (403) if it belongs to another configuration, (404) if there is none."""
    record = call.domain.config.record(_number(call, "nid"))
    return _own(call, dialect, record)


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
        raise NacosError(403, "Please check dataId, group or namespaceId.", 10001)
    return record


def configs_of_namespace(call: Call, dialect: Dialect) -> list[Any]:
    """Every configuration of a namespace."""
    tenant = configs.tenant_of(call, dialect)
    return [entry for key, entry in call.domain.config.state.entries.items() if key.tenant == tenant]


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
        "grayName": "",
        "extInfo": json.dumps({"type": entry.type}, separators=(",", ":")),
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
        "grayName": "",
        "extInfo": json.dumps({"type": entry.type}, separators=(",", ":")),
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


def stamp(millis: int) -> str:
    """A time as Jackson prints it."""
    whole, part = divmod(millis, 1000)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(whole)) + f".{part:03}+00:00"
