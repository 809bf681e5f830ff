"""Requests and responses as handlers see them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl

from harness.emulators.nacos import names
from harness.emulators.nacos.errors import MissingParameter, NacosError, Unbound, Unconvertible

FORM = "application/x-www-form-urlencoded"
JSON = "application/json"
#: Of all that v1's configuration calls answer unless they say otherwise: its filter sets it beforehand.
CONFIG_JSON = "application/json;charset=UTF-8"
TEXT = "text/plain;charset=UTF-8"
OCTETS = "application/octet-stream"
#: The same after 2.x's filter over v1's configuration calls.
OCTETS_UTF8 = "application/octet-stream;charset=UTF-8"

_HALF_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")

#: Status → reason, of all that is answered here.
REASONS = {
    200: "OK",
    400: "Bad Request",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    409: "Conflict",
    410: "Gone",
    413: "Content Too Large",
    500: "Internal Server Error",
    501: "Not Implemented",
    502: "Bad Gateway",
    503: "Service Unavailable",
}

Headers = tuple[tuple[str, str], ...]


class Request:
    """One HTTP request; `headers` have lower-case names, `path` is decoded and without the query."""

    __slots__ = ("_params", "body", "headers", "method", "path", "peer", "query")

    def __init__(
        self,
        method: str,
        path: str,
        query: str = "",
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        peer: str = "127.0.0.1",
    ) -> None:
        self.method = method
        self.path = path
        self.query = query
        self.headers = headers or {}
        self.body = body
        self.peer = peer
        self._params: Mapping[str, str] | None = None

    @property
    def params(self) -> Mapping[str, str]:
        """Parameters of query and form body together; the query wins, as in a servlet."""
        if self._params is None:
            found = _parse_query(self.query)
            if self.body and self.headers.get("content-type", "").startswith(FORM):
                found = {**_parse_form(self.body.decode("latin-1")), **found}
            self._params = found
        return self._params

    def get(self, name: str, default: str = "") -> str:
        """A parameter; blank counts as absent."""
        value = self.params.get(name, "")
        return value if value.strip() else default

    def optional(self, name: str) -> str | None:
        """A parameter, or None if it did not come."""
        return self.params.get(name)

    def need(self, name: str, kind: str = "String") -> str:
        """A required parameter; raises MissingParameter."""
        value = self.params.get(name, "")
        if not value.strip():
            raise MissingParameter(name, kind)
        return value

    def present(self, name: str, kind: str = "String") -> str:
        """A parameter that has to come, though it may be blank; raises Unbound."""
        value = self.params.get(name)
        if value is None:
            raise Unbound(name, kind)
        return value

    def flag(self, name: str, default: bool) -> bool:
        """A boolean parameter in any of Java's spellings."""
        value = self.get(name)
        return names.to_bool(value) if value else default

    def number(self, name: str, default: int, kind: str = "int") -> int:
        """An integer parameter; raises Unconvertible."""
        value = self.get(name)
        if value and not names.is_int(value):
            raise Unconvertible(name, kind, value)
        return int(value) if value else default

    def decimal(self, name: str, default: float) -> float:
        """A decimal parameter; raises Unconvertible."""
        value = self.get(name)
        try:
            return names.to_float(value) if value else default
        except NacosError:
            raise Unconvertible(name, "float", value) from None

    def header(self, name: str, default: str = "") -> str:
        """A header by its lower-case name."""
        return self.headers.get(name, default)

    def json(self) -> Any:
        """The body as JSON; raises NacosError (400)."""
        try:
            return json.loads(self.body)
        except (ValueError, UnicodeDecodeError, RecursionError) as error:
            raise NacosError(400, f"JSON parse error: {error}", 20002) from None


@lru_cache(maxsize=2048)
def _parse_query(query: str) -> Mapping[str, str]:
    return _parse_form(query)


def _parse_form(text: str) -> dict[str, str]:
    if "%" in text and _HALF_ESCAPE.search(text):  # Tomcat drops a parameter that it can't decode
        text = "&".join(pair for pair in text.split("&") if not _HALF_ESCAPE.search(pair))
    pairs = parse_qsl(text, keep_blank_values=True, errors="replace")
    return dict(reversed(pairs))


@dataclass(frozen=True, slots=True)
class Response:
    """One HTTP response."""

    status: int = 200
    body: bytes = b""
    content_type: str = ""
    headers: Headers = field(default=())


def text(body: str, status: int = 200, headers: Headers = ()) -> Response:
    """A text body."""
    return Response(status, body.encode("utf-8", "replace"), TEXT if body else "", headers)


def as_json(value: Any, status: int = 200, headers: Headers = ()) -> Response:
    """A JSON body."""
    return Response(status, dump(value).encode("utf-8", "replace"), JSON, headers)


def raw_json(body: str) -> Response:
    """A body that is JSON already."""
    return Response(200, body.encode("utf-8", "replace"), JSON)


def result(data: Any, code: int = 0, message: str = "success") -> Response:
    """The envelope of v2 and v3."""
    return as_json({"code": code, "message": message, "data": data})


def dump(value: Any) -> str:
    """Compact JSON with plain unicode, as Jackson writes it."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
