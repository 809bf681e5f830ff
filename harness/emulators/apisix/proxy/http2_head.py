"""The head of an HTTP/2 request, judged as nginx judges it before it becomes an HTTP/1 one (ngx_http_v2.c, 1.29.2)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from h2.errors import ErrorCodes
from hpack.huffman_constants import REQUEST_CODES_LENGTH

from harness.emulators.apisix.proxy import nginx
from harness.emulators.apisix.proxy.head import Field, Head

#: large_client_header_buffers 4 8k: the most that the names and values of one head may take together
MAX_HEAD: Final = 4 * 8192

_PSEUDO: Final = frozenset({":method", ":path", ":scheme", ":authority"})
_METHOD: Final = re.compile(r"[A-Z_-]+")
_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*")
_PATH_BAD: Final = re.compile(r"[\x00-\x20\x7f]")
#: ngx_http_v2_validate_header: what ends the request, and what drops the line (ignore_invalid_headers)
_NAME_FATAL: Final = re.compile(r"[\x00-\x20\x7f:A-Z]")
_NAME_DROPPED: Final = re.compile(r"[^a-z0-9_-]")
_VALUE_FATAL: Final = re.compile(r"[\0\r\n]")
#: Where HTTP/2 has other means; nginx of that version reads over it
_IGNORED: Final = frozenset({"transfer-encoding"})


class Fatal(Exception):
    """A head for which nginx ends the connection, with `code`."""

    def __init__(self, code: ErrorCodes) -> None:
        self.code = code
        super().__init__(code.name)


def read_head(block: Iterable[tuple[str, str]]) -> Head:
    """A stream's header block (text as Latin-1) as a head; raises nginx.Bad, or Fatal."""
    pseudo: dict[str, str] = {}
    fields: list[Field] = []
    cookies: list[str] = []
    size = 0
    for name, value in block:
        size += len(name) + len(value)
        if size > MAX_HEAD or _too_long(name) or _too_long(value):
            raise Fatal(ErrorCodes.ENHANCE_YOUR_CALM)
        if not name:
            raise Fatal(ErrorCodes.PROTOCOL_ERROR)
        _judge(name, value)
        if name[0] == ":":
            _take_pseudo(pseudo, name, value)
        elif name == "cookie":
            cookies.append(value)
        elif not _NAME_DROPPED.search(name) and name not in _IGNORED:
            fields.append((name, name, value))
    if cookies:
        # a cookie may come in pieces (RFC 9113, 8.2.3); HTTP/1 and everybody behind it knows one line
        fields.append(("cookie", "Cookie", "; ".join(cookies)))
    head = _head(pseudo, fields)
    head.size = size
    return head


def _too_long(text: str) -> bool:
    """Whether a string was too long as it came: in Huffman's code, which clients use where it is shorter."""
    if len(text) <= nginx.MAX_LINE:
        return False
    bits = sum(REQUEST_CODES_LENGTH[byte] for byte in text.encode("latin-1", "replace"))
    return min(len(text), (bits + 7) // 8) > nginx.MAX_LINE


def _judge(name: str, value: str) -> None:
    if _NAME_FATAL.search(name, name[0] == ":") or _VALUE_FATAL.search(value):
        raise nginx.Bad(400)


def _take_pseudo(pseudo: dict[str, str], name: str, value: str) -> None:
    if name not in _PSEUDO or name in pseudo or not value:
        raise nginx.Bad(400)
    pseudo[name] = value


def _head(pseudo: dict[str, str], fields: list[Field]) -> Head:
    method, target, scheme = (pseudo.get(name, "") for name in (":method", ":path", ":scheme"))
    if not _METHOD.fullmatch(method) or not _SCHEME.fullmatch(scheme):
        raise nginx.Bad(400)
    if not target.startswith("/") or _PATH_BAD.search(target):
        raise nginx.Bad(400)
    path, query = nginx.normalise(target)
    head = Head(method, target, path, query, (2, 0), fields)
    _weigh(head, fields)
    _name_host(head, pseudo.get(":authority"))
    if method in ("TRACE", "CONNECT"):
        raise nginx.Bad(405)
    return head


def _name_host(head: Head, authority: str | None) -> None:
    """:authority and Host may both be there, but then they say the same."""
    if authority is not None:
        if not head.named_host:
            head.fields.insert(0, ("host", "Host", authority))
        elif head.named_host != authority:
            raise nginx.Bad(400)
        head.named_host = authority
    host = nginx.valid_host(head.named_host)
    if not host:
        raise nginx.Bad(400)
    head.host = host


def _weigh(head: Head, fields: list[Field]) -> None:
    seen: set[str] = set()
    for lower, _, value in fields:
        if lower == "host" or lower in nginx.UNIQUE_FIELDS:
            if lower in seen or (lower == "host" and not nginx.valid_host(value)):
                raise nginx.Bad(400)
            seen.add(lower)
        if lower == "host":
            head.named_host = value
        elif lower == "content-length":
            head.length = nginx.content_length(value)
        elif lower == "x-real-ip":
            head.real_ip = value
        elif lower.startswith("x-forwarded-") or lower == "forwarded":
            head.forwarded = True
