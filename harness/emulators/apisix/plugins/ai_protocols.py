"""The shapes in which AI services are asked: which one a request has, what it says, how more is said in it.

apisix/plugins/ai-protocols: the first that matches counts, by the path's end and by the body.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from harness.emulators.apisix import lua_json
from harness.emulators.apisix.context import Context, Exit

Body = Any
Message = dict[str, Any]
_MOST = 67108864
MAX_REQ_BODY_SIZE: dict[str, Any] = {
    "type": "integer",
    "minimum": 1,
    "default": _MOST,
    "description": "maximum request body size in bytes buffered into memory; larger request bodies are rejected",
}


@dataclass(frozen=True, slots=True)
class Protocol:
    """One shape; `read` gives its messages with their text in one piece, `put` adds messages in place."""

    name: str
    matches: Callable[[Body, str], bool]
    read: Callable[[Body], list[Message]]
    put: Callable[[Body, list[Message], bool], None]


def detect(body: Body, uri: str) -> Protocol | None:
    """The protocol of a decoded body sent to `uri`."""
    return next((one for one in PROTOCOLS if one.matches(body, uri)), None)


async def json_body(ctx: Context, limit: int) -> Any | Exit:
    """The request's body as JSON, or the refusal of one that is none."""
    raw = await ctx.read_body()
    if not raw:
        return Exit(400, {"message": "could not get body: request body is empty"})
    if len(raw) > limit:
        too_large = f"request size {len(raw)} is greater than the maximum size {limit} allowed"
        return Exit(400, {"message": f"could not get body: {too_large}"})
    try:
        body = lua_json.decode(raw)
    except ValueError as problem:
        return Exit(400, {"message": f"could not parse JSON request body: {problem}"})
    return body if isinstance(body, dict | list) else Exit(500)


def _member(body: Body, name: str) -> Any:
    return body.get(name) if isinstance(body, dict) else None


def _is_table(value: Any) -> bool:
    return isinstance(value, dict | list)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


# -- texts


def _parts(blocks: Any, kind: str | None = None) -> Iterable[str]:
    """The texts of typed parts; `kind` None takes any."""
    for block in _listed(blocks):
        if isinstance(block, dict) and isinstance(block.get("text"), str) and kind in (None, block.get("type")):
            yield block["text"]


def _text(content: Any) -> list[str]:
    return [content] if isinstance(content, str) else list(_parts(content, "text"))


def _told(messages: Any) -> list[Message]:
    """Messages that say something."""
    found = []
    for message in _listed(messages):
        texts = _text(message.get("content")) if isinstance(message, dict) else []
        if texts:
            found.append({"role": message.get("role"), "content": " ".join(texts)})
    return found


def _system(text: Any) -> list[Message]:
    return [{"role": "system", "content": text}] if isinstance(text, str) else []


# -- OpenAI's chat, Anthropic's messages


def _put_messages(body: Body, messages: list[Message], before: bool) -> None:
    if messages:
        held = body.get("messages") or []
        added = [dict(message) for message in messages]
        body["messages"] = [*added, *held] if before else [*held, *added]


def _read_anthropic(body: Body) -> list[Message]:
    return [*_system(_member(body, "system")), *_told(_member(body, "messages"))]


# -- OpenAI's responses


def _item_texts(item: Any) -> list[str]:
    if not isinstance(item, dict):
        return [item] if isinstance(item, str) else []
    content = item.get("content")
    if isinstance(content, str):
        return [content]
    if _is_table(content):
        return list(_parts(content))
    for said in (item.get("text"), item.get("output")):
        if isinstance(said, str):
            return [said]
    return list(_parts(item.get("output")))


def _read_responses(body: Body) -> list[Message]:
    found = _system(body.get("instructions"))
    given = body["input"]
    if isinstance(given, str):
        return [*found, {"role": "user", "content": given}]
    for item in _listed(given):
        role = item.get("role") if isinstance(item, dict) else None
        if texts := _item_texts(item):
            found.append({"role": role if isinstance(role, str) else "user", "content": " ".join(texts)})
    return found


def _put_responses(body: Body, messages: list[Message], before: bool) -> None:
    if not messages:
        return
    text = "\n".join(message["content"] for message in messages)
    if before:
        held = body.get("instructions")
        body["instructions"] = f"{text}\n{held}" if isinstance(held, str) else text
    elif isinstance(body["input"], list):
        body["input"].append({"type": "message", "role": "user", "content": text})
    else:
        body["input"] = f"{body['input']}\n{text}" if isinstance(body["input"], str) else text


# -- Bedrock's converse


def _read_converse(body: Body) -> list[Message]:
    system = list(_parts(body.get("system")))
    found = [{"role": "system", "content": " ".join(system)}] if system else []
    for message in _listed(body["messages"]):
        texts = list(_parts(message.get("content"))) if isinstance(message, dict) else []
        if texts:
            found.append({"role": message.get("role"), "content": " ".join(texts)})
    return found


def _put_converse(body: Body, messages: list[Message], before: bool) -> None:
    system = [{"text": one["content"]} for one in messages if one["role"] == "system"]
    others = [
        {"role": one["role"], "content": [{"text": one["content"]}]} for one in messages if one["role"] != "system"
    ]
    for name, added in (("system", system), ("messages", others)):
        if added:
            held = _listed(body.get(name))
            body[name] = [*added, *held] if before else [*held, *added]


# -- OpenAI's embeddings, and what is passed through


def _read_embeddings(body: Body) -> list[Message]:
    given = _member(body, "input")
    return [{"role": "user", "content": given}] if isinstance(given, str) else []


def _put_nothing(body: Body, messages: list[Message], before: bool) -> None:
    """There is no place for more."""


CHAT = Protocol(
    "openai-chat",
    lambda body, uri: _is_table(_member(body, "messages")),
    lambda body: _told(_member(body, "messages")),
    _put_messages,
)
#: by path and body first, by the body alone then, whatever it is last
PROTOCOLS = (
    Protocol(
        "bedrock-converse",
        lambda body, uri: uri.endswith("/converse") and _is_table(_member(body, "messages")),
        _read_converse,
        _put_converse,
    ),
    Protocol(
        "anthropic-messages",
        lambda body, uri: uri.endswith("/v1/messages") and isinstance(body, dict),
        _read_anthropic,
        _put_messages,
    ),
    Protocol(
        "openai-responses",
        lambda body, uri: uri.endswith("/v1/responses") and isinstance(body, dict) and "input" in body,
        _read_responses,
        _put_responses,
    ),
    CHAT,
    Protocol(
        "openai-embeddings",
        lambda body, uri: isinstance(body, dict) and "input" in body,
        _read_embeddings,
        _put_nothing,
    ),
    Protocol("passthrough", lambda body, uri: _is_table(body) and bool(body), lambda body: [], _put_nothing),
)
