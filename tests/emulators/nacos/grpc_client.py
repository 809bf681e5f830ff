"""A bare gRPC client on grpcio with the official messages: what SDKs never send can be sent with it."""

from __future__ import annotations

import json
import queue
import threading
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any

import grpc
from v2.nacos.transport.grpcauto.nacos_grpc_service_pb2 import Payload

from harness.wait import until


class GrpcClient:
    """One transport connection: unary calls, and a stream that collects (and by default acknowledges) pushes."""

    def __init__(self, port: int, channel: grpc.Channel | None = None, host: str = "127.0.0.1") -> None:
        options = [("grpc.use_local_subchannel_pool", 1), ("grpc.max_receive_message_length", -1)]
        self.channel = channel or grpc.insecure_channel(f"{host}:{port}", options=options)
        self.unary = self.channel.unary_unary(
            "/Request/request", request_serializer=Payload.SerializeToString, response_deserializer=Payload.FromString
        )
        self.pushes: list[tuple[str, dict[str, Any]]] = []
        self.acknowledge = True
        self._out: queue.Queue[Any] = queue.Queue()

    def __enter__(self) -> GrpcClient:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._out.put(None)
        self.channel.close()

    def call(
        self, kind: str, body: Any = None, headers: dict[str, str] | None = None, timeout: float = 5
    ) -> tuple[str, dict[str, Any]]:
        """(response type, response body)."""
        answer = self.unary(payload(kind, body or {}, headers), timeout=timeout)
        return answer.metadata.type, json.loads(answer.body.value)

    def ask(self, kind: str, body: Any = None, headers: dict[str, str] | None = None) -> dict[str, Any]:
        """The response body."""
        return self.call(kind, body, headers)[1]

    def set_up(self, **fields: Any) -> str:
        """Open the stream and register; answers the connection id."""
        stream = self.channel.stream_stream(
            "/BiRequestStream/requestBiStream",
            request_serializer=Payload.SerializeToString,
            response_deserializer=Payload.FromString,
        )
        setup = {"clientVersion": "Test:v1", "labels": {"module": "naming", "AppName": "app"}, **fields}
        self._out.put(payload("ConnectionSetupRequest", setup))
        self.responses = stream(self._sent())
        threading.Thread(target=self._read, daemon=True).start()
        until(self._healthy, 5, awaited="the connection to be registered")
        return str(self.ask("ServerCheckRequest")["connectionId"])

    def _healthy(self) -> bool:
        try:
            return bool(self.ask("HealthCheckRequest")["success"])
        except grpc.RpcError:
            return False

    def _sent(self) -> Iterator[Any]:
        while (message := self._out.get()) is not None:
            yield message

    def _read(self) -> None:
        try:
            for message in self.responses:
                kind, body = message.metadata.type, json.loads(message.body.value)
                self.pushes.append((kind, body))
                if self.acknowledge and "requestId" in body:
                    self.send("AnyResponse", {"requestId": body["requestId"], "resultCode": 200})
        except grpc.RpcError:
            return

    def send(self, kind: str, body: Any) -> None:
        """Send on the stream."""
        self._out.put(payload(kind, body))

    def until_pushed(self, check: Callable[[dict[str, Any]], bool]) -> None:
        """Wait until the service pushed last is as it should be."""
        shown = lambda: self.pushed("NotifySubscriberRequest")[-1:]  # noqa: E731
        until(lambda: any(check(push["serviceInfo"]) for push in shown()), 5, awaited="the push of a service")

    def pushed(self, kind: str) -> list[dict[str, Any]]:
        """The bodies of the pushes of one type so far."""
        return [body for name, body in list(self.pushes) if name == kind]


def payload(kind: str, body: Any, headers: dict[str, str] | None = None) -> Any:
    """A message; a `bytes` body goes as it is."""
    message = Payload()
    message.metadata.type = kind
    message.metadata.clientIp = "127.0.0.1"  # as all SDKs do
    message.metadata.headers.update(headers or {})
    message.body.value = body if isinstance(body, bytes) else json.dumps(body).encode()
    return message
