"""bi-chat's configuration, data ID `bi-chat.yaml`."""

from __future__ import annotations

from pydantic import Field

from stubs.common.config import ServiceConfig


class ChatConfig(ServiceConfig):
    """How the answers come: `{message}` in the template is what was asked."""

    template: str = Field(default="You asked: {message} — here is what the figures say.", min_length=1)
    token_ms: float = Field(default=2, ge=0, le=10_000)
    max_token_ms: float = Field(default=1_000, ge=0, le=60_000)
    max_tokens: int = Field(default=256, ge=1, le=100_000)
