"""What bi-chat does, whichever way it is asked: an answer is a list of tokens, given out one at a time."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

from pydantic import BaseModel, ConfigDict, Field

from stubs.bi_chat.config import ChatConfig
from stubs.common.replica import Replica

WORDS = re.compile(r"\S+\s*")


class ChatRequest(BaseModel):
    """The body of a question; `stream: false` asks for the whole answer at once (HTTP only)."""

    model_config = ConfigDict(extra="forbid")

    message: str = Field(min_length=1, max_length=10_000)
    max_tokens: int | None = Field(default=None, ge=1)
    token_ms: float | None = Field(default=None, ge=0)
    stream: bool = True


class Chat:
    """The operations, following the configuration in force."""

    def __init__(self, replica: Replica) -> None:
        self._replica = replica

    @property
    def _config(self) -> ChatConfig:
        config: ChatConfig = self._replica.config.current
        return config

    def tokens(self, request: ChatRequest) -> list[str]:
        """The answer's tokens: the words of the template filled with the question."""
        words = WORDS.findall(self._config.template.replace("{message}", request.message))
        return words[: min(request.max_tokens or self._config.max_tokens, self._config.max_tokens)]

    async def stream(self, request: ChatRequest) -> AsyncIterator[dict[str, Any]]:
        """Each token after its pause, then `done` with their number."""
        config = self._config
        pause = config.token_ms if request.token_ms is None else min(request.token_ms, config.max_token_ms)
        answer = uuid4().hex
        tokens = self.tokens(request)
        for index, text in enumerate(tokens):
            await asyncio.sleep(pause / 1000)
            yield {"id": answer, "index": index, "text": text, "done": False}
        yield {"id": answer, "index": len(tokens), "text": "", "done": True, "tokens": len(tokens)}

    async def ask(self, request: ChatRequest) -> dict[str, Any]:
        """The whole answer, after all its pauses."""
        parts = [part async for part in self.stream(request)]
        return {
            "id": parts[-1]["id"],
            "text": "".join(part["text"] for part in parts),
            "tokens": parts[-1]["tokens"],
            "replica": self._replica.settings.replica_id,
        }
