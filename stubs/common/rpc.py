"""The gRPC face of a replica: the same journal, knobs, metrics and log around the service's own RPCs."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, TypeVar

import grpc
import grpc.aio
from google.protobuf.json_format import MessageToDict, ParseDict
from google.protobuf.message import Message
from pydantic import BaseModel, ValidationError

from stubs.common import stub_pb2, stub_pb2_grpc
from stubs.common.control import echo
from stubs.common.errors import ApiError, grpc_status, invalid
from stubs.common.health import Health
from stubs.common.identity import Caller, new_request_id, tenant_of
from stubs.common.replica import Replica

M = TypeVar("M", bound=BaseModel)
P = TypeVar("P", bound=Message)

#: HTTP status that stands for a gRPC outcome in journal and log; 499: the caller went away.
CANCELLED = 499
#: Not in the journal, not touched by the knobs, not in the log.
OWN_PREFIX = "/grpc.health."


def server(replica: Replica, add_rpcs: Callable[[grpc.aio.Server], None]) -> tuple[grpc.aio.Server, int]:
    """The replica's gRPC server, not started, and its port; raises OSError when the port can't be had."""
    settings = replica.settings
    found = grpc.aio.server(interceptors=(Around(replica),), options=(("grpc.so_reuseport", 0),))
    add_rpcs(found)
    stub_pb2_grpc.add_StubServicer_to_server(StubRpcs(replica), found)  # type: ignore[no-untyped-call]
    Health(replica).add_to(found)
    host = f"[{settings.bind_host}]" if ":" in settings.bind_host else settings.bind_host
    try:
        return found, found.add_insecure_port(f"{host}:{settings.grpc_port}")
    except RuntimeError as error:
        raise OSError(f"gRPC port {host}:{settings.grpc_port}: {error}") from error


def caller_of(context: grpc.aio.ServicerContext[Any, Any]) -> Caller:
    """Who made this call."""
    return caller_from(context.invocation_metadata() or ())


def caller_from(metadata: Any) -> Caller:
    """Who sent these invocation metadata."""
    headers = tuple((key, value if isinstance(value, str) else value.hex()) for key, value in metadata)
    found = dict(reversed(headers))
    request_id = found.get("x-request-id") or new_request_id()
    return Caller(request_id, tenant_of(found.get("x-tenant-id", ""), found.get("authorization", "")), headers)


def read(message: Message, model: type[M]) -> M:
    """A request message as `model`, fields of the same names; fields at their default count as absent."""
    try:
        return model.model_validate(MessageToDict(message, preserving_proto_field_name=True))
    except ValidationError as error:
        raise invalid(error) from error


def reply(content: dict[str, Any], message: P) -> P:
    """Fill `message` with `content`, fields of the same names."""
    return ParseDict(content, message)


class Around(grpc.aio.ServerInterceptor):  # type: ignore[type-arg]  # generic in the type stubs alone
    """Wraps every RPC but the health checks."""

    def __init__(self, replica: Replica) -> None:
        self._replica = replica

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        """Put the handler between the journal and its end."""
        handler = await continuation(handler_call_details)
        method = handler_call_details.method
        if handler is None or method.startswith(OWN_PREFIX):
            return handler
        caller = caller_from(handler_call_details.invocation_metadata or ())
        return self._wrapped(handler, method, caller)

    def _wrapped(self, handler: Any, method: str, caller: Caller) -> Any:
        inner = handler.unary_unary or handler.stream_unary or handler.unary_stream or handler.stream_stream

        async def unary(request: Any, context: Any) -> Any:
            async with self._call(method, caller, context):
                return await inner(request, context)

        async def stream(request: Any, context: Any) -> AsyncIterator[Any]:
            async with self._call(method, caller, context):
                async for message in inner(request, context):
                    yield message

        make = _MAKERS[handler.request_streaming, handler.response_streaming]
        return make(stream if handler.response_streaming else unary, *_codecs(handler))

    @asynccontextmanager
    async def _call(self, method: str, caller: Caller, context: Any) -> AsyncIterator[None]:
        """A refusal is sent once it is noted: whoever reads the journal after the answer finds its status there."""
        refusal: ApiError | None = None
        with self._noted(method, caller) as outcome:
            try:
                await self._replica.knobs.apply()
                yield
                outcome.append(200)
            except ApiError as error:
                refusal = error
            except Exception as error:
                self._replica.log.error("call failed", exc=error, request_id=caller.request_id)
                refusal = ApiError(500, "internal", "internal error")
            if refusal is not None:
                outcome.append(refusal.status)
        if refusal is not None:
            await self._refuse(refusal, caller, context)

    async def _refuse(self, error: ApiError, caller: Caller, context: Any) -> None:
        details = "; ".join([error.message, *(f"{item['field']}: {item['message']}" for item in error.errors)])
        code = grpc_status(error.status)
        if code is grpc.StatusCode.OK:  # the knobs asked for a fixed 2xx: there is no such refusal in gRPC
            code = grpc.StatusCode.UNKNOWN
        await context.abort(code, details, (("x-error-code", error.code), ("x-request-id", caller.request_id)))

    @contextmanager
    def _noted(self, method: str, caller: Caller) -> Iterator[list[int]]:
        replica = self._replica
        start = time.perf_counter()
        entry = replica.journal.add(
            at=time.time(),
            protocol="grpc",
            method="POST",
            path=method,
            query="",
            headers=caller.headers,
            request_id=caller.request_id,
            tenant=caller.tenant,
        )
        outcome: list[int] = []
        replica.metrics.in_flight.inc()
        try:
            yield outcome
        finally:
            seconds = time.perf_counter() - start
            entry.status = outcome[0] if outcome else CANCELLED
            entry.duration_ms = round(seconds * 1000, 3)
            replica.metrics.in_flight.dec()
            replica.metrics.observe("grpc", "POST", method, str(entry.status), seconds)
            replica.log.info(
                "request",
                request_id=caller.request_id,
                tenant=caller.tenant,
                method="gRPC",
                path=method,
                status=entry.status,
                duration_ms=entry.duration_ms,
            )


_MAKERS: dict[tuple[bool, bool], Callable[..., Any]] = {
    (False, False): grpc.unary_unary_rpc_method_handler,
    (False, True): grpc.unary_stream_rpc_method_handler,
    (True, False): grpc.stream_unary_rpc_method_handler,
    (True, True): grpc.stream_stream_rpc_method_handler,
}


def _codecs(handler: Any) -> tuple[Any, Any]:
    return handler.request_deserializer, handler.response_serializer


class StubRpcs(stub_pb2_grpc.StubServicer):
    """bi.stub.v1.Stub."""

    def __init__(self, replica: Replica) -> None:
        self._replica = replica

    async def Echo(self, request: stub_pb2.EchoRequest, context: Any) -> stub_pb2.EchoReply:
        """What arrived, and where."""
        seen = {"method": "/bi.stub.v1.Stub/Echo", "client": context.peer()}
        found = echo(self._replica, caller_of(context), seen, b"")
        found["headers"] = [{"name": name, "value": value} for name, value in found["headers"]]
        del found["body"], found["body_base64"]
        answer = reply(found, stub_pb2.EchoReply())
        answer.body = request.body
        return answer
