"""clickhouse-logger: entries inserted into a table of ClickHouse over HTTP."""

from __future__ import annotations

from typing import Any, ClassVar
from urllib.parse import urlsplit

from harness.emulators.apisix import lua_json
from harness.emulators.apisix.plugins.base import Schema
from harness.emulators.apisix.plugins.batch_queue import SendFailed, batch_properties
from harness.emulators.apisix.plugins.logger import LOG_PROPERTIES, URI, BatchLogger
from harness.emulators.apisix.plugins.senders import post

_TEXT = {"type": "string", "default": ""}
_LOGIN = ("user", "password", "database", "logtable")


class ClickhouseLogger(BatchLogger):
    name = "clickhouse-logger"
    priority = 398
    encrypt_fields = ("password",)
    schema: ClassVar[Schema] = {
        "type": "object",
        "properties": {
            "endpoint_addr": URI,
            "endpoint_addrs": {"items": URI, "type": "array", "minItems": 1},
            **dict.fromkeys(_LOGIN, _TEXT),
            "timeout": {"type": "integer", "minimum": 1, "default": 3},
            "ssl_verify": {"type": "boolean", "default": True},
            **LOG_PROPERTIES,
            **batch_properties("clickhouse logger"),
        },
        "oneOf": [{"required": ["endpoint_addr", *_LOGIN]}, {"required": ["endpoint_addrs", *_LOGIN]}],
    }

    async def send(self, entries: list[Any]) -> None:
        """One INSERT for the batch, at one of the addresses."""
        conf = self.conf
        address = conf.get("endpoint_addr") or self.scope.random.choice(conf["endpoint_addrs"])
        rows = b" ".join(map(lua_json.encode, entries))
        body = f"INSERT INTO {conf['logtable']} FORMAT JSONEachRow ".encode() + rows
        fields = [
            ("Content-Type", "application/json"),
            ("X-ClickHouse-User", conf["user"]),
            ("X-ClickHouse-Key", conf["password"]),
            ("X-ClickHouse-Database", conf["database"]),
        ]
        verify = conf["ssl_verify"]
        answer = await post(address, fields, body, conf["timeout"], ssl_verify=verify, bare_host=True)
        if answer.status >= 400:
            raise SendFailed(told(address, answer.status, answer.body))


def told(address: str, status: int, body: bytes) -> str:
    """What is logged of a server that refused."""
    parts = urlsplit(address)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    text = body.decode("utf-8", "replace")
    return f"server returned status code[{status}] host[{parts.hostname}] port[{port}] body[{text}]"
