"""Nacos' pushes over gRPC, as its SDKs have them: a subscription per service, and a word for each change."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from harness.emulators.apisix.discovery.grpc_wire import GrpcConnection
from harness.emulators.apisix.discovery.nacos_client import NacosHost, Service
from harness.emulators.apisix.discovery.nacos_payload import decode, encode

log = logging.getLogger(__name__)

#: the gRPC port lies so far above the HTTP port, for every Nacos client
PORT_OFFSET = 1000
WITHIN = 3.0
#: how long a server that tells of a connection's registration takes at most; older ones tell nothing
SETUP_WITHIN = 0.2
#: an idle connection is dropped by the server after 20 s; SDKs ask every 5 s
ALIVE_EVERY = 5.0
AGAIN_AFTER = 0.5

_REQUEST, _STREAM = "/Request/request", "/BiRequestStream/requestBiStream"
_OK = {"resultCode": 200, "errorCode": 0, "success": True}


class NacosPush:
    """One server's pushes: `changed` is called when a subscribed service changed, and when the connection came or went.

    `connected` tells whether changes are heard of at all. `wanted` gives the services to subscribe to.
    """

    def __init__(self, host: NacosHost, wanted: Callable[[], Iterable[Service]], changed: Callable[[], None]) -> None:
        self._host = host
        self._wanted = wanted
        self._changed = changed
        self._connection: GrpcConnection | None = None
        self._stream = 0
        self._subscribed: set[tuple[str, str, str]] = set()
        self._set_up = asyncio.Event()
        self._more = asyncio.Event()
        self.connected = False

    def wants_more(self) -> None:
        """There are services to subscribe to (or to leave)."""
        self._more.set()

    async def run(self) -> None:
        """Stay connected until cancelled."""
        while True:
            try:
                await self._session()
            except (OSError, ValueError) as error:
                self._host.forget_token()
                log.debug("no pushes from %s: %s", self._host.url, error or "no answer in time")
            finally:
                self._drop()
            await asyncio.sleep(AGAIN_AFTER)

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = None
        self._subscribed.clear()
        if self.connected:
            self.connected = False
            self._changed()

    async def _session(self) -> None:
        """From connecting to the connection's end. Raises OSError (TimeoutError too) or ValueError."""
        self._set_up.clear()
        connection = await GrpcConnection.connect(self._host.hostname, self._host.port + PORT_OFFSET, WITHIN)
        self._connection = connection
        await self._ask("ServerCheckRequest", {})
        self._stream = connection.open(_STREAM, self._pushed)
        setup = {"clientVersion": "Nacos-Java-Client:v2.3.0", "tenant": "", "abilityTable": {}}
        labels = {"source": "sdk", "module": "naming", "AppName": "apisix"}
        connection.send(self._stream, encode("ConnectionSetupRequest", {**setup, "labels": labels}, {}))
        await _first(self._set_up.wait(), SETUP_WITHIN)
        while not connection.closed.is_set():
            await self._subscribe()
            if not self.connected:
                self.connected = True
                self._changed()
            if not await _first(self._more.wait(), ALIVE_EVERY) and not connection.closed.is_set():
                await self._ask("HealthCheckRequest", {})

    async def _subscribe(self) -> None:
        """Bring the subscriptions in line with what is wanted."""
        self._more.clear()
        wanted = {(service.namespace, service.group, service.name) for service in self._wanted()}
        for key in wanted ^ self._subscribed:
            namespace, group, name = key
            subject = {"namespace": namespace, "groupName": group, "serviceName": name, "clusters": ""}
            await self._ask("SubscribeServiceRequest", {**subject, "subscribe": key in wanted})
            # what changed between the last look and the subscription is seen by a look of its own
            self._changed()
        self._subscribed = wanted

    async def _ask(self, type_name: str, body: dict[str, Any]) -> dict[str, Any]:
        """A request and its answer. Raises OSError, also for an answer that is an error."""
        assert self._connection is not None
        token = await self._host.token()
        message = encode(type_name, body, {"accessToken": token} if token else {})
        kind, answer = decode(await self._connection.call(_REQUEST, message, WITHIN))
        if answer.get("resultCode", 200) != 200:
            raise ConnectionError(f"{type_name}: {kind} {answer.get('errorCode')} {answer.get('message')}")
        return answer

    def _pushed(self, message: bytes | None) -> None:
        """What the server sends by itself: answered, where it wants an answer."""
        if self._connection is None:
            return
        if message is None:
            self._connection.close()
            self._more.set()
            return
        try:
            kind, body = decode(message)
        except ValueError as error:
            log.warning("a push from %s can't be read: %s", self._host.url, error)
            return
        if kind == "SetupAckRequest":
            self._set_up.set()
        elif kind == "ConnectResetRequest":
            self._connection.close()
        elif kind.endswith("Request"):
            answer = encode(kind.removesuffix("Request") + "Response", {**_OK, "requestId": body.get("requestId")}, {})
            with contextlib.suppress(ConnectionError):
                self._connection.send(self._stream, answer)
        if kind == "NotifySubscriberRequest":
            self._changed()


async def _first(waiting: Awaitable[object], within: float) -> bool:
    """Whether something came within that many seconds."""
    try:
        async with asyncio.timeout(within):
            await waiting
    except TimeoutError:
        return False
    return True
