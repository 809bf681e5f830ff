"""How nginx reads a request's head, byte by byte: what its own parser takes and refuses (ngx_http_parse.c)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

#: large_client_header_buffers 4 8k after client_header_buffer_size 1k, nginx's defaults
MAX_LINE: Final = 8192
MAX_HEAD: Final = 1024 + 4 * 8192
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
    r"[A-Za-z][A-Za-z0-9+.-]*://(?P<host>\[[A-Fa-f0-9:.~_!$&'()*+,;=-]+\]|[A-Za-z0-9.-]*)(?::[0-9]*)?(?=[/?]|$)"
)
_VERSION: Final = re.compile(r"HTTP/1\.([0-9]{1,3}) *")
_NAME_BAD: Final = re.compile(r"[^A-Za-z0-9_-]")
_NAME_FATAL: Final = re.compile(r"[\x00-\x20\x7f]")


class Bad(Exception):
    """Not a request: `status` is nginx's verdict."""

    def __init__(self, status: int) -> None:
        self.status = status
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
        if len(data) - start > MAX_LINE:
            raise Bad(414)
        return 0
    if end - start > MAX_LINE:
        raise Bad(414)
    line, position = request_line(data)
    if line.version == (0, 9):
        return position
    return _fields_size(data, position)


def _first(data: bytes) -> int:
    """Leading CR and LF are passed over."""
    return len(data) - len(data.lstrip(b"\r\n"))


def _method_so_far(data: bytes) -> None:
    method = data.split(b" ", 1)[0]
    if _METHOD_BAD.search(method) or data[:1] == b" ":
        raise Bad(400)


def _fields_size(data: bytes, position: int) -> int:
    while True:
        end = data.find(b"\n", position)
        line = data[position:] if end < 0 else data[position : end + 1]
        if len(line) > MAX_LINE or position + len(line) > MAX_HEAD:
            raise Bad(TOO_LARGE)
        if end < 0:
            return 0
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
    target, version = _target_and_version(rest.lstrip(" "))
    if version == (0, 9) and method != "GET":
        raise Bad(400)
    return _line(method, target, version), end + 1


def _target_and_version(rest: str) -> tuple[str, tuple[int, int]]:
    target, space, tail = rest.partition(" ")
    if re.search(r"[\x00-\x1f\x7f]", target):
        raise Bad(400)
    tail = tail.lstrip(" ")
    if not space or not tail:
        return target, (0, 9)
    match = _VERSION.fullmatch(tail)
    if not match:
        if re.match(r"HTTP/([2-9]|1[0-9])", tail):
            raise Bad(505)
        raise Bad(400)
    return target, (1, int(match[1]))


def _line(method: str, target: str, version: tuple[int, int]) -> RequestLine:
    host = ""
    if not target.startswith("/"):
        match = _AUTHORITY.match(target)
        if not match:
            raise Bad(400)
        host = valid_host(match["host"]) or ""
        target = target[match.end() :] or "/"
        if not host:
            raise Bad(400)
    path, query = normalise(target)
    if not target.startswith("/"):
        target = "/" + target
    return RequestLine(method, target, path, query, version, host)


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
