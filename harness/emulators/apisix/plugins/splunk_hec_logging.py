"""splunk-hec-logging: events to Splunk's HTTP Event Collector."""

from __future__ import annotations

import socket
from typing import Any, ClassVar

from harness.emulators.apisix import lua_json
from harness.emulators.apisix.context import Context
from harness.emulators.apisix.plugins.base import Conf, Schema, Scope
from harness.emulators.apisix.plugins.batch_queue import SendFailed, batch_properties
from harness.emulators.apisix.plugins.log_entry import Entry
from harness.emulators.apisix.plugins.logger import FORMATS, NO_BODIES, URI, BatchLogger
from harness.emulators.apisix.plugins.senders import post


class SplunkHecLogging(BatchLogger):
    name = "splunk-hec-logging"
    priority = 409
    encrypt_fields = ("endpoint.token",)
    schema: ClassVar[Schema] = {
        "type": "object",
        "properties": {
            "endpoint": {
                "type": "object",
                "properties": {
                    "uri": URI,
                    "token": {"type": "string"},
                    "channel": {"type": "string"},
                    "timeout": {"type": "integer", "minimum": 1, "default": 10},
                    "keepalive_timeout": {
                        "type": "integer",
                        "minimum": 1000,
                        "default": 60000,
                        "description": "keepalive timeout in milliseconds",
                    },
                },
                "required": ["uri", "token"],
            },
            "ssl_verify": {"type": "boolean", "default": True},
            **FORMATS,
            **batch_properties("splunk-hec-logging"),
        },
        "required": ["endpoint"],
    }

    def __init__(self, conf: Conf, scope: Scope) -> None:
        super().__init__({**NO_BODIES, **conf}, scope)

    def log(self, ctx: Context) -> None:
        """Put the event into the queue."""
        entry, customized, more = self.entry_parts(ctx)
        event = entry if customized else {**more, **_event(entry)}
        told = {
            "time": round(self.scope.clock.time(), 3),
            "host": socket.gethostname(),
            "source": "apache-apisix-splunk-hec-logging",
            "sourcetype": "_json",
            "event": event,
        }
        self._queue.push(told, self.send, ctx)

    async def send(self, entries: list[Any]) -> None:
        """The batch's events one after another in one request."""
        endpoint = self.conf["endpoint"]
        fields = [("Content-Type", "application/json"), ("Authorization", f"Splunk {endpoint['token']}")]
        if "channel" in endpoint:
            fields.append(("X-Splunk-Request-Channel", endpoint["channel"]))
        body = b"".join(map(lua_json.encode, entries))
        try:
            answer = await post(endpoint["uri"], fields, body, endpoint["timeout"], ssl_verify=self.conf["ssl_verify"])
        except (OSError, TimeoutError) as error:
            raise SendFailed(f"failed to write log to splunk, {error}") from error
        if answer.status != 200:
            raise SendFailed(f"failed to send splunk, {_reason(answer.status, answer.body)}")


def _event(entry: Entry) -> Entry:
    request, response = entry["request"], entry["response"]
    found = {
        "request_url": request["url"],
        "request_method": request["method"],
        "request_headers": request["headers"],
        "request_query": request["querystring"],
        "request_size": request["size"],
        "response_headers": response["headers"],
        "response_status": response["status"],
        "response_size": response["size"],
        "latency": entry["latency"],
        "upstream": entry.get("upstream"),
    }
    return {name: value for name, value in found.items() if value is not None}


def _reason(status: int, body: bytes) -> str:
    try:
        return str(lua_json.decode(body)["text"])
    except (ValueError, TypeError, KeyError):
        return f"http status code: {status}"
