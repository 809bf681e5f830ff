"""bi-chat's HTTP routes and RPCs."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import grpc.aio
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute, Route, WebSocketRoute

from stubs.bi_chat import chat_pb2 as pb
from stubs.bi_chat import chat_pb2_grpc as pb_grpc
from stubs.bi_chat.config import ChatConfig
from stubs.bi_chat.operations import Chat, ChatRequest
from stubs.bi_chat.websocket import Socket
from stubs.common import rpc
from stubs.common.http import answer, json_body
from stubs.common.replica import Replica
from stubs.common.service import Faces, Service

#: nginx-based gateways buffer answers unless told not to.
SSE_HEADERS = {"cache-control": "no-cache", "x-accel-buffering": "no"}


class Http:
    """The HTTP routes."""

    def __init__(self, replica: Replica, chat: Chat) -> None:
        self._chat = chat
        self._socket = Socket(replica, chat)

    def routes(self) -> list[BaseRoute]:
        """Path by path."""
        return [Route("/v1/chat", self.chat, methods=["POST"]), WebSocketRoute("/v1/ws", self._socket.serve)]

    async def chat(self, request: Request) -> Response:
        """POST /v1/chat: server-sent events `token` and `done`, or JSON with `stream: false`."""
        question = await json_body(request, ChatRequest)
        if not question.stream:
            return answer(await self._chat.ask(question))
        return StreamingResponse(self._events(question), media_type="text/event-stream", headers=SSE_HEADERS)

    async def _events(self, question: ChatRequest) -> AsyncIterator[str]:
        async for part in self._chat.stream(question):
            name = "done" if part["done"] else "token"
            yield f"event: {name}\nid: {part['index']}\ndata: {json.dumps(part, ensure_ascii=False)}\n\n"


class Rpcs(pb_grpc.ChatServicer):
    """bi.chat.v1.Chat."""

    def __init__(self, chat: Chat) -> None:
        self._chat = chat

    async def Ask(self, request: pb.ChatRequest, context: Any) -> pb.ChatReply:
        """The whole answer."""
        return rpc.reply(await self._chat.ask(rpc.read(request, ChatRequest)), pb.ChatReply())

    async def Stream(self, request: pb.ChatRequest, context: Any) -> AsyncIterator[pb.Token]:
        """Token by token."""
        async for part in self._chat.stream(rpc.read(request, ChatRequest)):
            yield rpc.reply(part, pb.Token())

    async def Converse(self, request_iterator: AsyncIterator[pb.ChatRequest], context: Any) -> AsyncIterator[pb.Token]:
        """Answer after answer."""
        async for request in request_iterator:
            async for part in self._chat.stream(rpc.read(request, ChatRequest)):
                yield rpc.reply(part, pb.Token())


def build(replica: Replica) -> Faces:
    """Both faces around one set of operations."""
    chat = Chat(replica)

    def add_rpcs(server: grpc.aio.Server) -> None:
        pb_grpc.add_ChatServicer_to_server(Rpcs(chat), server)  # type: ignore[no-untyped-call]

    return Faces(Http(replica, chat).routes(), add_rpcs)


SERVICE = Service("bi-chat", ChatConfig, build)
