"""Nacos' HTTP API as far as APISIX uses it: the login and the list of a service's instances."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode, urlsplit

from harness.clock import Clock
from harness.emulators.apisix.etcd_connection import Connection

#: nothing is heard from a host for so many seconds: it is down
CONNECT_WITHIN = 2.0
READ_WITHIN = 5.0
_ACCEPT = b"Accept: application/json\r\n"


class NacosError(OSError):
    """A Nacos server could not be asked, or answered what can't be used."""


class Service(NamedTuple):
    """What is asked for (made and looked up at each request): for a gRPC scheme `gRPC_port` replaces the port."""

    name: str
    namespace: str = "public"
    group: str = "DEFAULT_GROUP"
    grpc: bool = False

    @property
    def key(self) -> str:
        """As in APISIX's shared dictionary and its dump."""
        return f"default/{self.namespace}/{self.group}/{self.name}"


def split_host(url: str) -> tuple[str, str, str]:
    """(base URL without credentials, user, password) of a `discovery.nacos.host`."""
    before, at, after = url.rpartition("@")
    scheme, mark, credentials = before.partition("://")
    if not at or not mark:
        return url, "", ""
    user, colon, password = credentials.partition(":")
    return f"{scheme}://{after}", user if colon else "", password


class NacosHost:
    """One Nacos server, asked over one kept connection; a request at a time."""

    def __init__(self, url: str, conf: Mapping[str, Any], clock: Clock) -> None:
        base, self._user, self._password = split_host(url)
        parts = urlsplit(base)
        self.hostname = parts.hostname or "127.0.0.1"
        self.port = parts.port or (443 if parts.scheme == "https" else 80)
        self.secure = parts.scheme == "https"
        self.url = f"{parts.scheme or 'http'}://{self.hostname}:{self.port}"
        self._prefix = parts.path.rstrip("/") + str(conf.get("prefix") or "/nacos/v1/").rstrip("/") + "/"
        self._keys = str(conf.get("access_key") or ""), str(conf.get("secret_key") or "")
        limits = conf.get("timeout") or {}
        self._connect_within = float(limits.get("connect", CONNECT_WITHIN * 1000)) / 1000
        self._read_within = float(limits.get("read", READ_WITHIN * 1000)) / 1000
        self._clock = clock
        self._connection: Connection | None = None
        self._free = asyncio.Lock()
        self._token = ""
        self._token_until = 0.0

    async def instances(self, service: Service) -> list[dict[str, Any]]:
        """The healthy instances as Nacos tells them. Raises NacosError."""
        try:
            return await self._instances(service)
        except (TimeoutError, ValueError) as error:
            raise NacosError(f"{self.url}: {error or 'no answer in time'}") from error

    async def _instances(self, service: Service) -> list[dict[str, Any]]:
        status, body = await self._send("GET", self._list_path(service, await self.token()))
        if status in (401, 403) and self._user:
            self.forget_token()
            status, body = await self._send("GET", self._list_path(service, await self.token()))
        if status != 200:
            raise NacosError(f"{self.url}: status = {status}")
        found = json.loads(body)
        hosts = found.get("hosts") if isinstance(found, dict) else None
        return [host for host in hosts if isinstance(host, dict)] if isinstance(hosts, list) else []

    def _list_path(self, service: Service, token: str) -> str:
        # the order of the parameters is client.lua's
        query = f"ns/instance/list?healthyOnly=true&serviceName={quote(service.name, safe='@:')}"
        query += f"&accessToken={token}" if token else ""
        query += f"&namespaceId={quote(service.namespace)}&groupName={quote(service.group)}"
        return self._prefix + query + self._signature(service)

    def _signature(self, service: Service) -> str:
        access, secret = self._keys
        if not access or not secret:
            return ""
        text = f"{round(self._clock.time() * 1000)}@@{service.group}@@{service.name}"
        digest = hmac.new(secret.encode(), text.encode(), hashlib.sha1).digest()
        return "&" + urlencode({"ak": access, "data": text, "signature": base64.b64encode(digest).decode()})

    async def token(self) -> str:
        """The access token, "" without a user; kept for four fifths of its life. Raises OSError."""
        if not self._user or (self._token and self._clock.monotonic() < self._token_until):
            return self._token
        query = urlencode({"username": self._user, "password": self._password})
        status, body = await self._send("POST", f"{self._prefix}auth/login?{query}")
        answer = json.loads(body) if status == 200 else {}
        token = answer.get("accessToken") if isinstance(answer, dict) else None
        if not token:
            raise NacosError(f"{self.url}: login of {self._user} failed: status = {status}")
        self._token = str(token)
        self._token_until = self._clock.monotonic() + 0.8 * float(answer.get("tokenTtl") or 0)
        return self._token

    def forget_token(self) -> None:
        """Log in anew next time: the server may have been started anew."""
        self._token = ""

    async def _send(self, method: str, path: str) -> tuple[int, bytes]:
        async with self._free:
            return await self._send_alone(method, path)

    async def _send_alone(self, method: str, path: str) -> tuple[int, bytes]:
        """Once more on a new connection when the kept one turns out to be closed."""
        kept = self._connection is not None and not self._connection.closed
        try:
            return await self._send_once(method, path)
        except TimeoutError:
            self.close()
            raise
        except OSError:
            self.close()
            if not kept:
                raise
            return await self._send_once(method, path)

    async def _send_once(self, method: str, path: str) -> tuple[int, bytes]:
        if self._connection is None or self._connection.closed:
            self._connection = await Connection.open(self.url, self._connect_within, None)
        return await self._connection.ask(path, b"", _ACCEPT, self._read_within, method)

    def close(self) -> None:
        """Drop the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
