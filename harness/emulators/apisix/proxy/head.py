"""The head of a request as the gateway takes it: a strict fast reading, and nginx's exact one for all the rest."""

from __future__ import annotations

import re
from typing import Any, Final

from harness.emulators.apisix.proxy import nginx

Field = tuple[str, str, str]  # (lower-case name, name, value)
#: X-Forwarded-For as it came, the other fields' lines, and whole heads by what else is in them
Written = tuple[str, str, dict[tuple[Any, ...], bytes]]

#: Header lines that were seen before, read once: clients repeat themselves.
KNOWN_LINES: Final = 8192
KNOWN_LENGTH: Final = 256

_METHODS: Final = frozenset({"GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"})
# What needs no thought: no percent sign, no fragment, no dot or slash after a slash.
_PLAIN_TARGET: Final = re.compile(r"/(?:[A-Za-z0-9_~!$&'()*+,;=:@\-|]+(?:[./][A-Za-z0-9_~!$&'()*+,;=:@\-|]+)*)?/?")
_QUERY: Final = re.compile(r"[!\"$-~]*")
_LINE: Final = re.compile(r"([A-Za-z0-9_-]+): *((?:[^\r\n\0 ]+(?: +[^\r\n\0 ]+)*)?) *")
#: Fields that say something about the message itself; each has its branch in `_weigh`.
_SPECIAL: Final = frozenset(
    {
        "host",
        "connection",
        "content-length",
        "transfer-encoding",
        "expect",
        "x-real-ip",
        "x-forwarded-proto",
        "x-forwarded-host",
        "x-forwarded-port",
        "forwarded",
    }
    | nginx.UNIQUE_FIELDS
)


class Head:
    """What a request's head says; text is Latin-1.

    `target` is nginx's $request_uri, `path` its $uri (decoded, normalised), `query` what follows the question mark.
    `length` is the Content-Length, None without one; `host` is $host, `named_host` the Host header as it came.
    A head that comes again and again on a listener's connections is one object: nobody changes it.
    `forwarded` tells of an X-Forwarded-Proto, -Host, -Port or Forwarded field, `real_ip` holds the X-Real-IP.
    """

    __slots__ = (
        "bodied",
        "bodyless",
        "chunked",
        "expects",
        "fields",
        "forwarded",
        "host",
        "keep_alive",
        "length",
        "method",
        "named_host",
        "outgoing",
        "path",
        "query",
        "real_ip",
        "size",
        "target",
        "version",
        "way",
        "written",
    )

    def __init__(
        self,
        method: str,
        target: str,
        path: str,
        query: str,
        version: tuple[int, int],
        fields: list[Field],
    ) -> None:
        self.method = method
        self.target = target
        self.path = path
        self.query = query
        self.version = version
        self.fields = fields
        #: the fields with which the data plane begins, once it has made them
        self.outgoing: list[Field] | None = None
        #: those as text for the upstream, and whole heads that were made of them (see outgoing.py)
        self.written: Written | None = None
        #: what the handler found for requests with this head, and may find again
        self.way: Any = None
        self.host = "_"
        self.named_host = ""
        self.forwarded = False
        self.real_ip = ""
        self.length: int | None = None
        self.chunked = False
        self.keep_alive = version == (1, 1)
        self.expects = False
        self.size = 0
        #: a body follows, or is asked for with a 100; the answer has none
        self.bodied = False
        self.bodyless = method == "HEAD"


class Refused(Exception):
    """A request that nginx answers by itself while reading it, with the page for `status`."""

    def __init__(self, status: int, *, bare: bool = False) -> None:
        self.status = status
        #: without a head, as HTTP/0.9 is answered
        self.bare = bare
        super().__init__(str(status))


_known: dict[str, Field] = {}
_hosts: dict[str, str] = {}


def parse(data: bytes) -> Head | None:
    """The head that `data` begins with, or None when it isn't whole; raises Refused.

    Reads a head of plain lines by itself, and leaves any other one to nginx's exact rules.
    """
    end = data.find(b"\r\n\r\n")
    if end <= 0 or end > nginx.MAX_LINE:
        return _parse_exactly(data)
    lines = data[:end].decode("latin-1").split("\r\n")
    parts = lines[0].split(" ")
    if len(parts) != 3 or parts[0] not in _METHODS or parts[2] != "HTTP/1.1":
        return _parse_exactly(data)
    target = parts[1]
    path, _, query = target.partition("?")
    if not _PLAIN_TARGET.fullmatch(path) or (query and not _QUERY.fullmatch(query)):
        return _parse_exactly(data)
    del lines[0]
    try:
        fields = [_known[line] for line in lines]
    except KeyError:
        learnt = _learn(lines)
        if learnt is None:
            return _parse_exactly(data)
        fields = learnt
    head = Head(parts[0], target, path, query, (1, 1), fields)
    head.size = end + 4
    _weigh(head, fields)
    return head


def _learn(lines: list[str]) -> list[Field] | None:
    """The fields of lines not all of which are known; None when one isn't plain."""
    if len(_known) > KNOWN_LINES:
        _known.clear()
    fields = []
    for line in lines:
        field = _known.get(line)
        if field is None:
            match = _LINE.fullmatch(line)
            if not match:
                return None
            name, value = match.groups()
            field = (name.lower(), name, value)
            if len(line) <= KNOWN_LENGTH:
                _known[line] = field
        fields.append(field)
    return fields


def _weigh(head: Head, fields: list[Field]) -> None:
    """Take in what the fields say of the message; raises Refused in nginx's order of complaints."""
    host = None
    coding = None
    seen = None
    for lower, _, value in fields:
        if lower not in _SPECIAL:
            continue
        if lower == "host":
            if host is not None:
                raise Refused(400)
            host = _hosts.get(value) or _host(value)
            head.named_host = value
        elif lower == "connection":
            _connection(head, value)
        elif lower == "x-real-ip":
            head.real_ip = value
        elif lower.endswith("forwarded") or lower.startswith("x-forwarded"):
            head.forwarded = True
        else:
            if seen is None:
                seen = {lower}
            elif lower in seen:
                raise Refused(400)
            seen.add(lower)
            if lower == "content-length":
                head.length = _length(value)
            elif lower == "transfer-encoding":
                coding = value
            elif lower == "expect":
                head.expects = value.lower() == "100-continue" and head.version >= (1, 1)
    if host is not None:
        if head.host == "_":
            head.host = host
    elif head.version > (1, 0):
        raise Refused(400)
    if coding is not None:
        _transfer_encoding(head, coding)
    head.bodied = head.chunked or bool(head.length) or head.expects


def _host(value: str) -> str:
    host = nginx.valid_host(value)
    if not host:
        raise Refused(400)
    if len(_hosts) > KNOWN_LINES:
        _hosts.clear()
    _hosts[value] = host
    return host


def _connection(head: Head, value: str) -> None:
    lower = value.lower()
    if "close" in lower:
        head.keep_alive = False
    elif "keep-alive" in lower:
        head.keep_alive = True


def _length(value: str) -> int:
    try:
        return nginx.content_length(value)
    except nginx.Bad as bad:
        raise Refused(bad.status) from bad


def _transfer_encoding(head: Head, value: str) -> None:
    if head.version < (1, 1) or (value.lower() == "chunked" and head.length is not None):
        raise Refused(400)
    if value.lower() != "chunked":
        raise Refused(501)
    head.chunked = True


def _parse_exactly(data: bytes) -> Head | None:
    """The same as `parse` by nginx's own state machine (bare LF, HTTP/0.9, absolute targets, odd characters …)."""
    try:
        size = nginx.head_size(data)
        if not size:
            return None
        line, position = nginx.request_line(data)
        fields = nginx.header_lines(data, position) if line.version > (0, 9) else []
    except nginx.Bad as bad:
        raise Refused(bad.status, bare=bad.bare) from bad
    head = Head(line.method, line.target, line.path, line.query, line.version, fields)
    head.size = size
    head.keep_alive = line.version >= (1, 1)
    head.host = line.host or "_"
    if line.version > (0, 9):
        _weigh(head, fields)
    if line.method in ("TRACE", "CONNECT"):
        raise Refused(405)
    return head
