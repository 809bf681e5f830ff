"""loggly: entries to Loggly, as syslog over UDP or in bulk over HTTP as the metadata says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from harness.emulators.apisix import lua_json
from harness.emulators.apisix.context import Context
from harness.emulators.apisix.plugins import rfc5424
from harness.emulators.apisix.plugins.base import Schema
from harness.emulators.apisix.plugins.batch_queue import MAX_PENDING_ENTRIES, SendFailed, batch_properties
from harness.emulators.apisix.plugins.log_entry import Entry
from harness.emulators.apisix.plugins.logger import FORMATS, LOG_PROPERTIES, BatchLogger, check_expressions
from harness.emulators.apisix.plugins.senders import post, send_udp

#: in the order of their numbers; the first one's spelling is upstream's
_SEVERITIES = ("EMEGR", "ALERT", "CRIT", "ERR", "WARNING", "NOTICE", "INFO", "DEBUG")
_ANY_CASE = [spelt for name in _SEVERITIES for spelt in (name, name.lower())]
_SERVER: Mapping[str, Any] = {"host": "logs-01.loggly.com", "port": 514, "protocol": "syslog", "timeout": 5000}
_ENTERPRISE = 41058


class Loggly(BatchLogger):
    name = "loggly"
    priority = 411
    encrypt_fields = ("customer_token",)
    schema: ClassVar[Schema] = {
        "type": "object",
        "properties": {
            "customer_token": {"type": "string"},
            "severity": {
                "type": "string",
                "default": "INFO",
                "enum": _ANY_CASE,
                "description": "base severity log level",
            },
            "tags": {
                "type": "array",
                "minItems": 1,
                "items": {"type": "string", "pattern": "^(?!tag=)[ -~]*"},
                "default": ["apisix"],
            },
            "ssl_verify": {"type": "boolean", "default": True},
            "severity_map": {
                "type": "object",
                "description": "the severity by the answer's status",
                "patternProperties": {"^[1-5][0-9]{2}$": {"type": "string", "enum": _ANY_CASE}},
                "additionalProperties": False,
            },
            **LOG_PROPERTIES,
            **batch_properties("loggly"),
        },
        "required": ["customer_token"],
    }
    metadata_schema: ClassVar[Schema] = {
        "type": "object",
        "properties": {
            "host": {"type": "string", "default": _SERVER["host"]},
            "port": {"type": "integer", "default": _SERVER["port"]},
            "protocol": {"type": "string", "default": _SERVER["protocol"], "enum": ["syslog", "http", "https"]},
            "timeout": {"type": "integer", "minimum": 1, "default": _SERVER["timeout"]},
            **FORMATS,
            "max_pending_entries": MAX_PENDING_ENTRIES,
        },
    }

    @classmethod
    def check(cls, conf: dict[str, Any]) -> str | None:
        """The expressions for bodies."""
        return check_expressions(conf)

    def write(self, ctx: Context, entry: Entry) -> None:
        """Frame the entry where it goes by syslog, and put it into the queue."""
        text = lua_json.encode(entry)
        if self._server()["protocol"] == "syslog":
            text = self._head(ctx) + text
        self._queue.push(text, self.send, ctx)

    def _server(self) -> Mapping[str, Any]:
        return {**_SERVER, **(self.scope.metadata(self.name) or {})}

    def _head(self, ctx: Context) -> bytes:
        conf = self.conf
        named = conf.get("severity_map", {}).get(str(ctx.status), conf["severity"])
        tags = " ".join(f'tag="{tag}"' for tag in conf["tags"])
        data = f"[{conf['customer_token']}@{_ENTERPRISE} {tags}]"
        return rfc5424.head(rfc5424.USER, _SEVERITIES.index(named.upper()), self.scope.clock, ctx.host, data)

    async def send(self, entries: list[Any]) -> None:
        """A datagram an entry, or all in one request."""
        server = self._server()
        within = server["timeout"] / 1000
        if server["protocol"] == "syslog":
            for entry in entries:
                await send_udp((server["host"], server["port"]), entry, within)
            return
        host = server["host"]
        origin = host if host.startswith("http") else f"{server['protocol']}://{host}"
        url = f"{origin.rstrip('/')}/bulk/{self.conf['customer_token']}/tag/bulk"
        fields = [("Content-Type", "application/json"), *(("X-LOGGLY-TAG", tag) for tag in self.conf["tags"])]
        try:
            answer = await post(url, fields, b"\n".join(entries), within, ssl_verify=self.conf["ssl_verify"])
        except (OSError, TimeoutError) as error:
            raise SendFailed(f"failed to write log to loggly, {error}") from error
        if answer.status != 200:
            told = answer.body.decode("utf-8", "replace")
            raise SendFailed(f"failed to send log to loggly, http status code: {answer.status} response body: {told}")
