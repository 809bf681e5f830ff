"""google-cloud-logging: entries to Google's logging API, in the name of a service account."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from harness.emulators.apisix import lua_json
from harness.emulators.apisix.context import Context
from harness.emulators.apisix.plugins import rfc5424
from harness.emulators.apisix.plugins.base import Conf, Schema, Scope
from harness.emulators.apisix.plugins.batch_queue import SendFailed, batch_properties
from harness.emulators.apisix.plugins.google_token import Account
from harness.emulators.apisix.plugins.log_entry import Entry
from harness.emulators.apisix.plugins.logger import FORMATS, NO_BODIES, BatchLogger
from harness.emulators.apisix.plugins.senders import post
from harness.emulators.apisix.variables import getter

_WITHIN = 60.0
_SCOPES = ("logging.read", "logging.write", "logging.admin", "cloud-platform")
_LIST: Schema = {
    "type": "array",
    "items": {"description": "Google OAuth2 Authorization Scopes", "type": "string"},
    "minItems": 1,
    "uniqueItems": True,
}


class GoogleCloudLogging(BatchLogger):
    name = "google-cloud-logging"
    priority = 407
    encrypt_fields = ("auth_config.private_key",)
    schema: ClassVar[Schema] = {
        "type": "object",
        "properties": {
            "auth_config": {
                "type": "object",
                "properties": {
                    "client_email": {"type": "string"},
                    "private_key": {"type": "string"},
                    "project_id": {"type": "string"},
                    "token_uri": {"type": "string", "default": "https://oauth2.googleapis.com/token"},
                    "scope": {**_LIST, "default": [f"https://www.googleapis.com/auth/{name}" for name in _SCOPES]},
                    "scopes": _LIST,
                    "entries_uri": {"type": "string", "default": "https://logging.googleapis.com/v2/entries:write"},
                },
                "required": ["client_email", "private_key", "project_id", "token_uri"],
            },
            "ssl_verify": {"type": "boolean", "default": True},
            "auth_file": {"type": "string"},
            "resource": {
                "type": "object",
                "properties": {"type": {"type": "string"}, "labels": {"type": "object"}},
                "default": {"type": "global"},
                "required": ["type"],
            },
            "log_id": {"type": "string", "default": "apisix.apache.org%2Flogs"},
            **FORMATS,
            **batch_properties("google-cloud-logging"),
        },
        "oneOf": [{"required": ["auth_config"]}, {"required": ["auth_file"]}],
    }

    def __init__(self, conf: Conf, scope: Scope) -> None:
        super().__init__({**NO_BODIES, **conf}, scope)
        self._request_id = getter("request_id")
        self._account: Account | None = None

    def _known_account(self) -> Account:
        """The service account, read at the first request; raises ValueError."""
        if self._account is None:
            told = self.conf.get("auth_config") or _read(self.conf["auth_file"])
            self._account = Account(told, self.scope.clock, self.conf["ssl_verify"])
        return self._account

    def log(self, ctx: Context) -> None:
        """Put the entry into the queue, as Google's LogEntry."""
        try:
            account = self._known_account()
        except ValueError as problem:
            self.scope.log("error", f"failed to fetch google-cloud-logging.oauth object: {problem}")
            return
        entry, customized, more = self.entry_parts(ctx)
        told: Entry = {"jsonPayload": entry} if customized else _entry(entry, more)
        told["labels"] = {"source": "apache-apisix-google-cloud-logging"}
        told["timestamp"] = rfc5424.stamp(self.scope.clock)
        told["resource"] = self.conf["resource"]
        told["insertId"] = self._request_id(ctx)
        told["logName"] = f"projects/{account.project}/logs/{self.conf['log_id']}"
        self._queue.push(told, self.send, ctx)

    async def send(self, entries: list[Any]) -> None:
        """All in one write, none of them partly."""
        account = self._known_account()
        token = await account.token()
        if token is None:
            raise SendFailed("failed to get google oauth token")
        fields = [("Content-Type", "application/json"), ("Authorization", token)]
        body = lua_json.encode({"entries": entries, "partialSuccess": False})
        try:
            answer = await post(account.entries, fields, body, _WITHIN, ssl_verify=self.conf["ssl_verify"])
        except (OSError, TimeoutError) as error:
            raise SendFailed(f"failed to write log to google, {error}") from error
        if answer.status != 200:
            raise SendFailed(answer.body.decode("utf-8", "replace"))


def _entry(entry: Entry, more: Entry) -> Entry:
    request, response = entry["request"], entry["response"]
    asked = {
        "requestMethod": request["method"],
        "requestUrl": request["url"],
        "requestSize": request["size"],
        "status": response["status"],
        "responseSize": response["size"],
        "userAgent": request["headers"].get("user-agent"),
        "remoteIp": entry["client_ip"],
        "serverIp": entry.get("upstream"),
        "latency": f"{entry['latency'] / 1000:.3f}s",
    }
    payload: Entry = {**more, **{name: entry[name] for name in ("route_id", "service_id") if name in entry}}
    return {
        "httpRequest": {name: value for name, value in asked.items() if value is not None},
        "jsonPayload": payload,
    }


def _read(path: str) -> dict[str, Any]:
    try:
        told = lua_json.decode(Path(path).read_bytes())
    except OSError as error:
        raise ValueError(f"failed to read configuration, file: {path} err: {error}") from error
    except ValueError as error:
        raise ValueError(f"config parse failure, file: {path}, err: {error}") from error
    if not isinstance(told, dict):
        raise ValueError(f"config parse failure, file: {path}, err: not an object")
    return told
