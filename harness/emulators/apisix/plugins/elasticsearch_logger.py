"""elasticsearch-logger: entries by the _bulk API into an index that may name variables and the date."""

from __future__ import annotations

import base64
import re
from datetime import datetime
from typing import Any, ClassVar

from harness.emulators.apisix import lua_json
from harness.emulators.apisix.context import Context
from harness.emulators.apisix.plugins.base import Conf, Schema, Scope
from harness.emulators.apisix.plugins.batch_queue import SendFailed, batch_properties
from harness.emulators.apisix.plugins.log_entry import Entry, readable
from harness.emulators.apisix.plugins.logger import LOG_PROPERTIES, BatchLogger
from harness.emulators.apisix.plugins.senders import post
from harness.emulators.apisix.variables import resolve

_ADDRESS: Schema = {"type": "string", "pattern": "[^/]$"}
_DATE = re.compile(r"(?<!\$)\{([^}]*)\}")
_VERSION = re.compile(r"(\d+)\.")


class ElasticsearchLogger(BatchLogger):
    name = "elasticsearch-logger"
    priority = 413
    encrypt_fields = ("auth.password", "headers")
    schema: ClassVar[Schema] = {
        "type": "object",
        "properties": {
            "endpoint_addr": _ADDRESS,
            "endpoint_addrs": {"type": "array", "minItems": 1, "items": _ADDRESS},
            "field": {"type": "object", "properties": {"index": {"type": "string"}}, "required": ["index"]},
            "auth": {
                "type": "object",
                "properties": {
                    "username": {"type": "string", "minLength": 1},
                    "password": {"type": "string", "minLength": 1},
                },
                "oneOf": [{"required": ["username", "password"]}],
            },
            "headers": {
                "type": "object",
                "minProperties": 1,
                "patternProperties": {"^[^:]+$": {"type": "string", "minLength": 1}},
                "additionalProperties": False,
            },
            "timeout": {"type": "integer", "minimum": 1, "default": 10},
            "ssl_verify": {"type": "boolean", "default": True},
            **LOG_PROPERTIES,
            **batch_properties("elasticsearch-logger"),
        },
        "oneOf": [{"required": ["endpoint_addr", "field"]}, {"required": ["endpoint_addrs", "field"]}],
    }

    def __init__(self, conf: Conf, scope: Scope) -> None:
        super().__init__(conf, scope)
        self._major = ""

    def write(self, ctx: Context, entry: Entry) -> None:
        """The queue holds (index, entry)."""
        self._queue.push((self._index(ctx), entry), self.send, ctx)

    def _index(self, ctx: Context) -> str:
        now = datetime.fromtimestamp(self.scope.clock.time()).astimezone()
        dated = _DATE.sub(lambda match: now.strftime(match[1].removeprefix("!")), self.conf["field"]["index"])
        return readable(resolve(dated)(ctx))

    async def send(self, entries: list[Any]) -> None:
        """One _bulk request; the server's version is asked for first, as old ones want a type."""
        conf = self.conf
        address = conf.get("endpoint_addr") or self.scope.random.choice(conf["endpoint_addrs"])
        if not self._major:
            await self._ask_version(address)
        body = b"".join(self._lines(index, entry) for index, entry in entries)
        fields = [("Content-Type", "application/x-ndjson"), ("Accept", "application/vnd.elasticsearch+json")]
        answer = await post(
            f"{address}/_bulk", [*fields, *self._fields()], body, conf["timeout"], ssl_verify=conf["ssl_verify"]
        )
        if answer.status != 200:
            told = answer.body.decode("utf-8", "replace")
            raise SendFailed(f"elasticsearch server returned status: {answer.status}, body: {told}")

    def _lines(self, index: str, entry: Entry) -> bytes:
        target = {"_index": index, **({"_type": "_doc"} if self._major in ("5", "6") else {})}
        return lua_json.encode({"index": target}) + b"\n" + lua_json.encode(entry) + b"\n"

    def _fields(self) -> list[tuple[str, str]]:
        auth = self.conf.get("auth")
        fields = list(self.conf.get("headers", {}).items())
        if auth:
            token = base64.b64encode(f"{auth['username']}:{auth['password']}".encode()).decode()
            fields.insert(0, ("Authorization", f"Basic {token}"))
        return fields

    async def _ask_version(self, address: str) -> None:
        conf = self.conf
        try:
            answer = await post(
                address, self._fields(), b"", conf["timeout"], ssl_verify=conf["ssl_verify"], method="GET"
            )
            told = lua_json.decode(answer.body) if answer.status == 200 else {}
            match = _VERSION.match(str(told.get("version", {}).get("number", "")))
        except (OSError, TimeoutError, ValueError, AttributeError) as error:
            self.scope.log("error", f"failed to get Elasticsearch version: {error}")
            return
        self._major = match[1] if match else ""
