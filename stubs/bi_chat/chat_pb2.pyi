from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Optional as _Optional

DESCRIPTOR: _descriptor.FileDescriptor

class ChatRequest(_message.Message):
    __slots__ = ("message", "max_tokens", "token_ms")
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    MAX_TOKENS_FIELD_NUMBER: _ClassVar[int]
    TOKEN_MS_FIELD_NUMBER: _ClassVar[int]
    message: str
    max_tokens: int
    token_ms: float
    def __init__(self, message: _Optional[str] = ..., max_tokens: _Optional[int] = ..., token_ms: _Optional[float] = ...) -> None: ...

class ChatReply(_message.Message):
    __slots__ = ("id", "text", "tokens", "replica")
    ID_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    REPLICA_FIELD_NUMBER: _ClassVar[int]
    id: str
    text: str
    tokens: int
    replica: str
    def __init__(self, id: _Optional[str] = ..., text: _Optional[str] = ..., tokens: _Optional[int] = ..., replica: _Optional[str] = ...) -> None: ...

class Token(_message.Message):
    __slots__ = ("id", "index", "text", "done", "tokens")
    ID_FIELD_NUMBER: _ClassVar[int]
    INDEX_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    DONE_FIELD_NUMBER: _ClassVar[int]
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    id: str
    index: int
    text: str
    done: bool
    tokens: int
    def __init__(self, id: _Optional[str] = ..., index: _Optional[int] = ..., text: _Optional[str] = ..., done: _Optional[bool] = ..., tokens: _Optional[int] = ...) -> None: ...
