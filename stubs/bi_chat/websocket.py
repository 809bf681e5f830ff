"""The WebSocket of bi-chat: /v1/ws.

A text frame that is a JSON object with `type` is a command; anything else comes back as it is.
`{"type": "echo", "data": any}` → `{"type": "echo", "data": any, "replica": …, "request_id": …}`;
`{"type": "chat", "message": …}` → one `{"type": "token", …}` per token, then `{"type": "done", …}`;
`{"type": "close", "code": 1000…4999}` → the server closes with that code.
"""

from __future__ import annotations

import json
from typing import Any

from pydantic import ValidationError
from starlette.websockets import WebSocket

from stubs.bi_chat.operations import Chat, ChatRequest
from stubs.common.errors import ApiError, body, invalid
from stubs.common.identity import Caller
from stubs.common.replica import Replica


class Socket:
    """Serves one route; one coroutine per connection."""

    def __init__(self, replica: Replica, chat: Chat) -> None:
        self._replica = replica
        self._chat = chat

    async def serve(self, websocket: WebSocket) -> None:
        """Accept (the first subprotocol offered, if any) and answer frame by frame until either side closes."""
        await websocket.accept(next(iter(websocket.scope["subprotocols"]), None))
        while (message := await websocket.receive())["type"] == "websocket.receive":
            if message.get("bytes") is not None:
                await websocket.send_bytes(message["bytes"])
            elif (command := _command(message["text"])) is None:
                await websocket.send_text(message["text"])
            elif not await self._obey(websocket, command):
                return

    async def _obey(self, websocket: WebSocket, command: dict[str, Any]) -> bool:
        """Carry out a command; answers whether the connection stays."""
        caller: Caller = websocket.scope["caller"]
        kind = command.pop("type")
        try:
            if kind == "echo":
                head = {"type": "echo", "replica": self._replica.settings.replica_id, "request_id": caller.request_id}
                await websocket.send_json({**head, "data": command.get("data")})
            elif kind == "chat":
                await self._answer(websocket, command)
            elif kind == "close":
                await websocket.close(_close_code(command.get("code", 1000)))
                return False
            else:
                raise ApiError(422, "invalid", f"unknown type {kind!r}: one of echo, chat, close")
        except ApiError as error:
            await websocket.send_json({"type": "error", **body(error, caller.request_id)})
        return True

    async def _answer(self, websocket: WebSocket, command: dict[str, Any]) -> None:
        try:
            request = ChatRequest.model_validate(command)
        except ValidationError as error:
            raise invalid(error) from error
        async for part in self._chat.stream(request):
            await websocket.send_json({"type": "done" if part["done"] else "token", **part})


def _command(text: str) -> dict[str, Any] | None:
    try:
        found = json.loads(text)
    except ValueError:
        return None
    return found if isinstance(found, dict) and "type" in found else None


def _close_code(code: Any) -> int:
    if not isinstance(code, int) or not (code == 1000 or 3000 <= code <= 4999):
        raise ApiError(422, "invalid", f"close code {code!r}: 1000 or 3000 to 4999")
    return code
