"""What a handler is: one request type, its answer's type, what it needs permission for, one function."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from harness.emulators.nacos.auth.gate import Resource
from harness.emulators.nacos.domain import Domain
from harness.emulators.nacos.grpc.body import Body
from harness.emulators.nacos.grpc.connections import Connection, Connections


class Call(NamedTuple):
    """One request as a handler sees it; `user` is blank where auth is off."""

    domain: Domain
    connections: Connections
    connection: Connection
    headers: dict[str, str]
    body: Body
    user: str


class Raw(str):
    """A value that is JSON already."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Handler:
    """One line of the registry. `action` is `r` or `w`, blank for calls that need no permission."""

    request: str
    response: str
    run: Callable[[Call], dict[str, Any]]
    action: str = ""
    resource: Callable[[Body], Resource] | None = None
    check: Callable[[Body], None] | None = None
    #: what the response has even where the request is refused
    unread: Mapping[str, Any] = field(default_factory=dict)


class Failed(Exception):
    """Answer with the handler's own response type and an error code (what the server's response objects do).

    `fields` are members of the response that it has even so.
    """

    def __init__(self, code: int, message: str, fields: dict[str, Any] | None = None) -> None:
        self.code = code
        self.message = message
        self.fields = fields or {}
        super().__init__(message)
