"""How nginx reads a request's head, byte by byte: what its own parser takes and refuses (ngx_http_parse.c)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

#: large_client_header_buffers 4 8k after client_header_buffer_size 1k, nginx's defaults
SMALL_BUFFER: Final = 1024
MAX_LINE: Final = 8192
LARGE_BUFFERS: Final = 4
MAX_LENGTH: Final = 2**63 - 1
#: nginx's own code for "Request Header Or Cookie Too Large", sent as 400
TOO_LARGE: Final = 494

#: Fields that may come once (ngx_http_process_unique_header_line)
UNIQUE_FIELDS: Final = frozenset(
    {
        "if-modified-since",
        "if-unmodified-since",
        "if-match",
        "if-none-match",
        "if-range",
        "content-length",
        "content-range",
        "transfer-encoding",
        "expect",
        "authorization",
    }
)

_METHOD: Final = re.compile(rb"[A-Z_-]+")
_METHOD_BAD: Final = re.compile(rb"[^A-Z_-]")
# scheme://host[:port] of an absolute target
_AUTHORITY: Final = re.compile(
    r"[A-Za-z][A-Za-z0-9+.-]*://(?P<host>\[[A-Za-z0-9:.~_!$&'()*+,;=-]+\]|[A-Za-z0-9.-]*)(?::[0-9]*)?(?=[/?]|$)"
)
_TARGET_BAD: Final = re.compile(r"[\x00-\x1f\x7f]")
_VERSION: Final = re.compile(r"HTTP/1\.([0-9]{1,3}) *")
_VERSION_ABOVE: Final = re.compile(r"HTTP/([2-9]|1[0-9])")
_NAME_BAD: Final = re.compile(r"[^A-Za-z0-9_-]")
_NAME_FATAL: Final = re.compile(r"[\x00-\x20\x7f]")


class Bad(Exception):
    """Not a request: `status` is nginx's verdict, `bare` that it is told as HTTP/0.9 tells things: the page alone."""

    def __init__(self, status: int, *, bare: bool = False) -> None:
        self.status = status
        self.bare = bare
        super().__init__(str(status))


@dataclass(frozen=True, slots=True)
class RequestLine:
    """The first line, taken apart; `host` only from an absolute target, lower-cased."""

    method: str
    target: str
    path: str
    query: str
    version: tuple[int, int]
    host: str = ""


def head_size(data: bytes) -> int:
    """The size of the head at the start of `data`, 0 when more must come; raises Bad as early as nginx does."""
    start = _first(data)
    _method_so_far(data[start:])
    end = data.find(b"\n", start)
    if end < 0:
        if len(data) - start >= MAX_LINE:
            raise Bad(414)
        return 0
    if end - start >= MAX_LINE:
        raise Bad(414)
    line, position = request_line(data)
    if line.version == (0, 9):
        return position
    return _fields_size(data, start, position)


def _first(data: bytes) -> int:
    """Leading CR and LF are passed over."""
    return len(data) - len(data.lstrip(b"\r\n"))


def _method_so_far(data: bytes) -> None:
    method = data.split(b" ", 1)[0]
    if _METHOD_BAD.search(method) or data[:1] == b" ":
        raise Bad(400)


def _fields_size(data: bytes, start: int, position: int) -> int:
    """The size of a head whose first line is from `start` to `position`.

    No line is parted: one that doesn't fit into what is left of a buffer begins the next, and so some room is lost.
    """
    buffers = 0
    room = SMALL_BUFFER - position if position <= SMALL_BUFFER else 0
    if not room:
        buffers, room = 1, MAX_LINE - (position - start)
    while True:
        end = data.find(b"\n", position)
        line = data[position:] if end < 0 else data[position : end + 1]
        # nginx looks for another buffer as soon as one is full
        if len(line) > room or (end < 0 and len(line) == room):
            buffers, room = buffers + 1, MAX_LINE
            if len(line) > MAX_LINE or (end < 0 and len(line) == MAX_LINE) or buffers > LARGE_BUFFERS:
                raise Bad(TOO_LARGE)
        if end < 0:
            return 0
        room -= len(line)
        if line in (b"\r\n", b"\n"):
            return end + 1
        _field(line[:-1].decode("latin-1"))
        position = end + 1


def request_line(data: bytes) -> tuple[RequestLine, int]:
    """The first line of `data` (which holds it whole) and the position behind it; raises Bad."""
    start = _first(data)
    end = data.index(b"\n", start)
    text = data[start:end].decode("latin-1")
    if text.endswith("\r"):
        text = text[:-1]
    method, space, rest = text.partition(" ")
    if not space or not _METHOD.fullmatch(method.encode("latin-1")):
        raise Bad(400)
    target, space, tail = rest.lstrip(" ").partition(" ")
    named, target = _host_and_target(target, ended=bool(space))
    version = _version(tail.lstrip(" "))
    if version == (0, 9) and method != "GET":
        raise Bad(400, bare=True)
    try:
        host = _named_host(named)
        path, query = normalise(target)
    except Bad as bad:
        bad.bare = version == (0, 9)
        raise
    if not target.startswith("/"):
        target = "/" + target
    return RequestLine(method, target, path, query, version, host), end + 1


def _host_and_target(target: str, *, ended: bool) -> tuple[str | None, str]:
    """The host of an absolute target (None for a path) and the rest; `ended` says that a blank follows."""
    if _TARGET_BAD.search(target):
        raise Bad(400)
    if target.startswith("/"):
        return None, target
    match = _AUTHORITY.match(target)
    if not match:
        raise Bad(400)
    rest = target[match.end() :]
    if not rest and not ended:
        # HTTP/0.9 with a host alone: its end isn't known
        raise Bad(400)
    return match["host"], rest or "/"


def _named_host(named: str | None) -> str:
    if named is None:
        return ""
    host = valid_host(named)
    if not host:
        raise Bad(400)
    return host


def _version(text: str) -> tuple[int, int]:
    """What stands behind the target; nothing is HTTP/0.9."""
    if not text:
        return 0, 9
    match = _VERSION.fullmatch(text)
    if match:
        return 1, int(match[1])
    raise Bad(505 if _VERSION_ABOVE.match(text) else 400)


def header_lines(data: bytes, position: int) -> list[tuple[str, str, str]]:
    """The fields from `position` on to the empty line, invalid names left out; raises Bad."""
    fields: list[tuple[str, str, str]] = []
    while True:
        end = data.find(b"\n", position)
        line = data[position : end + 1]
        if end < 0 or line in (b"\r\n", b"\n"):
            return fields
        if len(line) > MAX_LINE:
            raise Bad(TOO_LARGE)
        field = _field(line[:-1].decode("latin-1"))
        if field:
            fields.append(field)
        position = end + 1


def _field(line: str) -> tuple[str, str, str] | None:
    """One header line without its LF; None for a name that ignore_invalid_headers drops; raises Bad."""
    line = line.rstrip("\r")
    if "\r" in line or "\0" in line:
        raise Bad(400)
    name, _, value = line.partition(":")
    if not name or _NAME_FATAL.search(name):
        raise Bad(400)
    if _NAME_BAD.search(name):
        return None
    return name.lower(), name, value.strip(" ")


def content_length(value: str) -> int:
    """A Content-Length: digits alone, and no more of them than an off_t holds (ngx_atoof); raises Bad."""
    if not value.isascii() or not value.isdigit():
        raise Bad(400)
    digits = value.lstrip("0") or "0"
    if len(digits) > len(str(MAX_LENGTH)) or int(digits) > MAX_LENGTH:
        raise Bad(400)
    return int(digits)


def valid_host(value: str) -> str | None:
    """$host for a Host header: lower case, no port, no trailing dot; None when nginx refuses it."""
    if re.search(r"[\x00-\x20\x7f/]", value) or ".." in value:
        return None
    if value.startswith("["):
        literal, bracket, _ = value.partition("]")
        host = literal + bracket
    else:
        host = value.partition(":")[0]
    return host.removesuffix(".").lower() or None


def normalise(target: str) -> tuple[str, str]:
    """$uri and $args of a target: percent-decoded once, slashes merged, dot segments resolved; raises Bad."""
    raw, _, query = target.partition("?") if "#" not in target.partition("?")[0] else (target.partition("#")[0], "", "")
    query = query.partition("#")[0]
    segments = _segments(raw)
    return _resolve(segments), query


def _segments(raw: str) -> list[str]:
    """The path's segments, decoded; an encoded slash divides as well as a plain one."""
    if "%" not in raw:
        return raw.split("/")
    out: list[str] = []
    position = 0
    while True:
        percent = raw.find("%", position)
        if percent < 0:
            out.append(raw[position:])
            return "".join(out).split("/")
        digits = raw[percent + 1 : percent + 3]
        if not re.fullmatch(r"[0-9A-Fa-f]{2}", digits) or digits == "00":
            raise Bad(400)
        out.append(raw[position:percent])
        out.append(chr(int(digits, 16)))
        position = percent + 3


def _resolve(segments: list[str]) -> str:
    out: list[str] = []
    last = len(segments) - 1
    for index, segment in enumerate(segments):
        if segment == "..":
            if not out:
                raise Bad(400)
            out.pop()
        elif segment not in ("", "."):
            out.append(segment)
            continue
        if index == last:
            out.append("")
    path = "/".join(out)
    return "/" + path
