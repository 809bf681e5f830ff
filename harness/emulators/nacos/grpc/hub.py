"""The way of a gRPC request, from bytes to bytes, and the life of a connection."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from harness.emulators.nacos.auth.gate import Credentials
from harness.emulators.nacos.domain import Domain
from harness.emulators.nacos.errors import IllegalParameter, NacosError
from harness.emulators.nacos.faults import Faults
from harness.emulators.nacos.grpc import wire
from harness.emulators.nacos.grpc.body import BAD_BODY, Body, read
from harness.emulators.nacos.grpc.calls import Call, Failed, Handler, Raw
from harness.emulators.nacos.grpc.connections import Connection, Connections, Push
from harness.emulators.nacos.grpc.handlers import BY_TYPE
from harness.emulators.nacos.grpc.stream import UNAVAILABLE, UNKNOWN, Stream
from harness.emulators.nacos.grpc.transport import Link

log = logging.getLogger(__name__)

#: Error codes of the remoting layer (`NacosException`).
UNREGISTERED, NO_HANDLER = 301, 302

#: What this server can do, told to clients that negotiate.
ABILITIES = {"supportPersistentInstanceByGrpc": True, "fuzzyWatch": True, "lock": True, "mcp": False}
_ABILITIES = f',"abilityTable":{json.dumps(ABILITIES)}}}'.encode()


class GrpcHub:
    """Speaks Nacos over the transport's links."""

    def __init__(self, domain: Domain, connections: Connections, faults: Faults) -> None:
        self.domain = domain
        self.connections = connections
        self.faults = faults
        #: Told each push that a client answered, and each connection whose state goes.
        self.acknowledged: Callable[[Connection, Push], None] = lambda connection, push: None
        self.disconnected: Callable[[Connection], None] = lambda connection: None

    # -- connections -------------------------------------------------------------------------------------------------

    def opened(self, link: Link) -> None:
        """A transport connection is there; its set-up request comes on the stream."""
        self.connections.open(link)

    def closed(self, link: Link) -> None:
        """What lived with the connection goes with it."""
        connection = self.connections.close(link)
        if connection is not None:
            self._drop_state(connection)

    def _drop_state(self, connection: Connection) -> None:
        self.domain.registry.disconnect(connection.id)
        self.domain.listeners.disconnect(connection.id)
        self.domain.service_watches.disconnect(connection.id)
        self.domain.config_watches.disconnect(connection.id)
        self.disconnected(connection)
        connection.pending.clear()

    def unregister(self, connection: Connection) -> None:
        """Send a client away: what it published goes at once, its transport is closed."""
        connection.link.abort()

    # -- the stream --------------------------------------------------------------------------------------------------

    def stream_opened(self, link: Link, stream: Stream) -> None:
        """Answer with headers; the stream is kept from its set-up message on."""
        stream.start()

    def stream_message(self, link: Link, stream: Stream, message: bytes) -> None:
        """A set-up, or the answer to something pushed. Garbage is logged and skipped, as on the server."""
        connection = self.connections.of(link)
        connection.last_active = time.monotonic()
        connection.probed = None
        if self.faults.frozen:
            self.faults.hold(lambda: self.stream_message(link, stream, message) if link.open else None)
            return
        try:
            payload = wire.decode(message)
            body = read(payload.body)
            if payload.type == "ConnectionSetupRequest":
                self._set_up(connection, stream, body)
            else:
                push = self.connections.acknowledge(connection, body.text("requestId"))
                if push is not None:
                    self.acknowledged(connection, push)
        except (ValueError, NacosError) as error:
            log.warning("%s sent a bad stream message: %s", connection.id, error)

    def _set_up(self, connection: Connection, stream: Stream, body: Body) -> None:
        connection.version = body.text("clientVersion")
        connection.tenant = body.text("tenant")
        connection.labels = {str(key): str(value) for key, value in body.mapping("labels").items()}
        connection.streams.append(stream)
        self.connections.register(connection)
        if body.has("abilityTable"):
            connection.abilities = {key: bool(value) for key, value in body.mapping("abilityTable").items()}
            self.connections.push(connection, "SetupAckRequest", "internal", _ABILITIES, "abilities")
            connection.pending.clear()  # nobody answers a set-up ack

    def stream_closed(self, link: Link, stream: Stream) -> None:
        """Without its stream a client can't be told anything: it counts as gone."""
        connection = self.connections.of(link)
        if stream in connection.streams:
            connection.streams.remove(stream)
        if connection.registered and not connection.streams:
            self.connections.by_id.pop(connection.id, None)
            connection.registered = False
            self._drop_state(connection)

    # -- unary calls: the request's way ------------------------------------------------------------------------------

    def called(self, link: Link, message: bytes, call: Stream) -> None:
        """Answer one unary request."""
        connection = self.connections.of(link)
        connection.last_active = time.monotonic()
        connection.probed = None
        if self.faults.frozen:
            self.faults.hold(lambda: self.called(link, message, call) if link.open else None)
            return
        try:
            payload = wire.decode(message)
        except ValueError:
            call.finish(UNKNOWN, "Application error processing RPC")
            return
        if payload.type == "HealthCheckRequest" and not connection.registered:
            # py 2.0.11 takes errorCode 301 for healthy and would never redo its registrations
            call.finish(UNAVAILABLE, "Connection is unregistered.")
            return
        call.reply(self._answer(connection, payload))

    def _answer(self, connection: Connection, payload: wire.Payload) -> bytes:
        if payload.type == "ServerCheckRequest":
            return _response("ServerCheckResponse", {"connectionId": connection.id, "supportAbilityNegotiation": True})
        handler = BY_TYPE.get(payload.type)
        if handler is None:
            return _error("ErrorResponse", NO_HANDLER, "RequestHandler Not Found")
        if not connection.registered:
            return _error("ErrorResponse", UNREGISTERED, "Connection is unregistered.")
        failure = self.faults.take(payload.type)
        if failure is not None:
            return _error(handler.response, failure.status, failure.message)
        return self._run(connection, handler, payload)

    def _run(self, connection: Connection, handler: Handler, payload: wire.Payload) -> bytes:
        try:
            body = read(payload.body)
            user = self._admit(handler, payload, body)
            call = Call(self.domain, self.connections, connection, payload.headers, body, user)
            return _response(handler.response, handler.run(call))
        except Failed as failed:
            return _error(handler.response, failed.code, failed.message, failed.fields)
        except NacosError as error:
            # a handler that throws shows its code twice, a body that can't be read does not
            result = {} if error.code == BAD_BODY else {"resultCode": error.status}
            return _error("ErrorResponse", error.status, error.detail, result)
        except Exception as error:
            log.exception("%s of %s failed", payload.type, connection.id)
            return _error("ErrorResponse", 500, f"{type(error).__name__}")

    def _admit(self, handler: Handler, payload: wire.Payload, body: Body) -> str:
        """Check the parameters, then the permission: both answer in the handler's own response type."""
        try:
            if handler.check is not None:
                _checked(handler.check, body)
            if handler.resource is None:
                return ""
            return self.domain.gate.check(credentials(payload.headers), handler.action, handler.resource(body))
        except NacosError as error:
            if error.code == BAD_BODY:
                raise
            raise Failed(error.status, error.detail, dict(handler.unread)) from error


def credentials(headers: dict[str, str]) -> Credentials:
    """What a request's metadata says about who it is; servers' identity counts for HTTP alone."""
    token = headers.get("accessToken") or headers.get("Authorization", "").removeprefix("Bearer ")
    return Credentials(token, headers.get("username", ""), headers.get("password", ""), "")


def _checked(check: Callable[[Body], None], body: Body) -> None:
    try:
        check(body)
    except IllegalParameter as error:
        raise IllegalParameter(f"Param check invalid:{error.detail}") from None


def _response(type_name: str, fields: dict[str, Any]) -> bytes:
    """The answer to a unary call; it carries no request id, as on the server."""
    members = [f"{json.dumps(name)}:{_json(value)}," for name, value in fields.items()]
    text = f'{{"resultCode":200,"errorCode":0,{"".join(members)}"success":true}}'
    return wire.encode(type_name, text.encode("utf-8", "replace"))


def _json(value: Any) -> str:
    return value if isinstance(value, Raw) else json.dumps(value, separators=(",", ":"))


def _error(type_name: str, code: int, message: str, more: Mapping[str, Any] = MappingProxyType({})) -> bytes:
    fields = {"resultCode": 500, "errorCode": code, "message": message, **more, "success": False}
    return wire.encode(type_name, json.dumps(fields, separators=(",", ":")).encode())
