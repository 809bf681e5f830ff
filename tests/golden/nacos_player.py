"""Plays a case against a Nacos and tells its answers, with what differs from run to run taken out."""

from __future__ import annotations

import contextlib
import email.utils
import http.client
import importlib.util
import io
import json
import re
import time
import zipfile
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import grpc
from nacos_requests.steps import Case, Step

from harness.wait import until

HERE = Path(__file__).resolve().parent
#: Headers that are no answer of Nacos: the transport's, and what a web framework adds to all answers.
UNTOLD = {
    *("date", "content-length", "connection", "keep-alive", "transfer-encoding", "server", "expires"),
    *(
        "vary",
        "x-content-type-options",
        "x-frame-options",
        "x-xss-protection",
        "content-language",
        "content-security-policy",
    ),
}
#: JSON members that differ from run to run: their type alone is compared.
UNLIKE = frozenset(
    (
        *("lastRefTime", "createTime", "modifyTime", "createdTime", "lastModifiedTime", "lastModified", "timestamp"),
        *("lastUpdatedTime", "accessToken", "password", "connectionId", "requestId", "id", "cpu", "load", "mem"),
        *("serviceCount", "instanceCount", "subscribeCount", "responsibleInstanceCount", "clientCount", "raftPort"),
        *("connectionBasedClientCount", "ephemeralIpPortClientCount", "persistentIpPortClientCount", "clientPort"),
        *(
            "responsibleClientCount",
            "raftMetaData",
            "lastRefreshTime",
            "tokenTtl",
            "gmtModified",
            "succeed",
            "total",
            "avgPushCost",
        ),
    )
)
#: Lists in no order of their own.
SETS = {
    *("doms", "serviceList", "hosts", "services", "subscribers", "ips", "list", "instances", "updated", "data"),
    *("serviceNames", "META-INF/services", "clusters"),
}
VALUES = (
    (r"\b\d{13}_127\.0\.0\.1_\d+\b", "<connection>"),
    (r"\beyJ[\w-]+\.[\w-]+\.[\w-]+", "<token>"),
    (r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d[.\d]*(Z|[+-]\d\d:?\d\d)?", "<time>"),
    (r"(?<=_)\d{14}(?=\.zip)", "<stamp>"),
    (r"\b\d{17,19}\b", "<id>"),
    (r"total services: \d+", "total services: <int>"),
    (r"\b1\d{12}\b", "<ms>"),
    (r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "<uuid>"),
    (r"127\.0\.0\.1:(?!8080|8081)\d{5}", "127.0.0.1:<port>"),
)


@dataclass(frozen=True)
class Target:
    """Where a Nacos listens on the loopback; `settle` is what it needs, in seconds, to show a change everywhere."""

    port: int
    console_port: int
    settle: float = 0.0
    push_within: float = 5.0

    def at(self, port: str) -> int:
        """The number of the port of this name."""
        return self.console_port if port == "console" else self.port


@dataclass
class Player:
    """One case on its way: its connections and what its steps saved."""

    target: Target
    stack: ExitStack
    saved: dict[str, str] = field(default_factory=dict)
    clients: dict[str, Any] = field(default_factory=dict)
    read: dict[tuple[str, str], int] = field(default_factory=dict)

    def play(self, step: Step) -> Any:
        """The normalised answer to one step."""
        raw = self._grpc(step) if step.port == "grpc" else self._http(step)
        for name, path in step.save.items():
            self.saved[name] = _at(raw.get("json", raw.get("body")), path)
        if step.method not in {"GET", "HEAD", "pushed"}:
            time.sleep(self.target.settle)
        return self._plain(raw)

    # -- HTTP --------------------------------------------------------------------------------------------------------

    def _http(self, step: Step) -> dict[str, Any]:
        context = "" if step.port in {"console", "root"} else "/nacos"
        connection = http.client.HTTPConnection("127.0.0.1", self.target.at(step.port), timeout=40)
        with contextlib.closing(connection):
            body, headers = self._body(step)
            connection.putrequest(step.method, context + self._filled(step.target), skip_accept_encoding=True)
            for name, value in headers.items():
                connection.putheader(name, self._filled(value))
            if body is not None or step.method in {"POST", "PUT", "PATCH"}:
                connection.putheader("Content-Length", str(len(body or b"")))
            connection.endheaders(body)
            try:
                answer = connection.getresponse()
            except http.client.BadStatusLine as error:  # a real server writes some of its own codes there
                return {"broken": str(error).strip()}
            return _told(answer, answer.read())

    def _body(self, step: Step) -> tuple[bytes | None, dict[str, str]]:
        headers = {"User-Agent": "golden", **step.headers}
        if isinstance(step.body, dict):
            content, kind = _multipart(step.body["zip"])
            return content, {**headers, "Content-Type": kind}
        return (None if step.body is None else self._filled(step.body).encode()), headers

    def _filled(self, text: str) -> str:
        for name, value in self.saved.items():
            text = text.replace(f"{{{{{name}}}}}", value).replace(f"%7B%7B{name}%7D%7D", quote(value, safe=""))
        return text

    # -- gRPC --------------------------------------------------------------------------------------------------------

    def _grpc(self, step: Step) -> dict[str, Any]:
        if step.method == "close":
            client = self.clients.pop(step.connection)
            client.__exit__(None, None, None)
            return {"closed": True}
        client = self._client(step.connection, registered=step.method != "bare")
        if step.method == "pushed":
            return self._pushed(client, step)
        body = step.body
        sent = body["text"].encode() if set(body) == {"text"} else json.loads(self._filled(json.dumps(body)))
        headers = {name: self._filled(value) for name, value in step.headers.items()}
        try:
            kind, answer = client.call(step.target, sent, headers, timeout=10)
        except grpc.RpcError as error:
            return {"grpc": error.code().name}
        return {"type": kind, "body": answer}

    def _client(self, name: str, registered: bool) -> Any:
        if name not in self.clients:
            client = self.stack.enter_context(_grpc_client().GrpcClient(self.target.port + 1000))
            if registered:
                client.set_up(tenant="")
            self.clients[name] = client
        return self.clients[name]

    def _pushed(self, client: Any, step: Step) -> dict[str, Any]:
        index = self.read.get((step.connection, step.target), 0)
        self.read[step.connection, step.target] = index + 1

        def found() -> Any:
            return client.pushed(step.target)[index:]

        until(found, self.target.push_within, awaited=f"push {index} of {step.target}")
        return {"type": step.target, "body": found()[0]}

    # -- what is compared --------------------------------------------------------------------------------------------

    def _plain(self, value: Any, key: str = "") -> Any:
        if key in UNLIKE and value not in ("", None) and not isinstance(value, bool):
            return f"<{type(value).__name__}>"
        if key == "port" and value == self.target.port:
            return "{{port}}"
        if key == "authorization":  # a second login within the second is answered with the first one's token
            return re.sub(r"^Bearer \S+$", "Bearer <token>", value)
        if isinstance(value, dict):
            return {self._text(name): self._plain(held, name) for name, held in value.items()}
        if isinstance(value, list):
            held = [self._plain(one) for one in value]
            unordered = key in SETS or (key == "pageItems" and held and "ipCount" in held[0])
            return sorted(held, key=lambda one: json.dumps(one, sort_keys=True)) if unordered else held
        return self._text(value) if isinstance(value, str) else value

    def _text(self, text: str) -> str:
        for name, value in self.saved.items():
            known = len(value) > 5  # an emulator's short id could be any number
            text = re.sub(rf"(?<!\w){re.escape(value)}(?!\w)", f"{{{{{name}}}}}", text) if known else text
        for number, name in ((self.target.console_port, "console_port"), (self.target.port, "port")):
            text = re.sub(rf"\b{number}\b", f"{{{{{name}}}}}", text)
        for pattern, name in VALUES:
            text = re.sub(pattern, name, text)
        return text


def play(case: Case, target: Target) -> list[Any]:
    """The answers to the steps of a case."""
    with ExitStack() as stack:
        player = Player(target, stack)
        return [player.play(step) for step in case.steps]


def _at(value: Any, path: str) -> str:
    """What stands at a path, "" where nothing does: the comparison of the answers tells it."""
    try:
        for part in path.split("."):
            value = value[int(part)] if isinstance(value, list) else value[part]
    except (LookupError, TypeError):
        return ""
    return str(value)


def _told(answer: http.client.HTTPResponse, body: bytes) -> dict[str, Any]:
    headers = {
        name.lower(): _header(name.lower(), value) for name, value in answer.getheaders() if name.lower() not in UNTOLD
    }
    if "must-revalidate" in headers.get("cache-control", ""):  # Spring Security's, on all answers
        headers.pop("cache-control")
        headers.pop("pragma", None)
    return {"status": answer.status, "headers": dict(sorted(headers.items())), **_content(headers, body)}


def _header(name: str, value: str) -> str:
    if name == "last-modified":
        return "<date>" if email.utils.parsedate(value) else value
    if name == "allow":
        return ",".join(sorted(value.replace(" ", "").split(",")))
    return value


def _content(headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
    if body[:2] == b"PK":
        with zipfile.ZipFile(io.BytesIO(body)) as archive:
            return {"zip": {one: archive.read(one).decode() for one in sorted(archive.namelist())}}
    text = body.decode("utf-8", "backslashreplace")
    if "json" in headers.get("content-type", ""):
        with contextlib.suppress(ValueError):
            return {"json": json.loads(text)}
    return {"text": text} if text else {}


def _multipart(entries: Mapping[str, str] | None) -> tuple[bytes, str]:
    head = 'Content-Disposition: form-data; name="file"; filename="golden.zip"\r\nContent-Type: application/zip\r\n\r\n'
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, content in (entries or {}).items():
            archive.writestr(name, content)
    part = b"" if entries is None else b"--golden\r\n" + head.encode() + packed.getvalue() + b"\r\n"
    return part + b"--golden--\r\n", "multipart/form-data; boundary=golden"


def _grpc_client() -> Any:
    path = HERE.parent / "emulators" / "nacos" / "grpc_client.py"
    spec = importlib.util.spec_from_file_location("nacos_grpc_client", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
