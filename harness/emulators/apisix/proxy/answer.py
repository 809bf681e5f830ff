"""The head of an upstream's answer: a fast reading of plain lines, nginx's rules for the rest, and what it hides."""

from __future__ import annotations

import re
from typing import Final

from harness.emulators.apisix.proxy.head import KNOWN_LENGTH, KNOWN_LINES, Field
from harness.emulators.apisix.proxy.nginx import Bad, content_length

#: The longest head that anybody takes
MAX_HEAD: Final = 65536
#: proxy_buffer_size by default, one page: APISIX leaves it at that, and a longer head is a 502
BUFFER: Final = 4096

# ngx_http_parse_status_line; IIS may say 403.1
_STATUS: Final = re.compile(r"HTTP/([1-9][0-9]{0,2})\.([0-9]{1,3}) +([0-9]{3})(?:([ .])([^\r]*))?")
_LINE: Final = re.compile(r"([!-9;-~\x80-\xff]+)(?:: *((?:[^\r\n\0]*[^\r\n\0 ])?) *)?")
#: Read for the message's sake
_SPECIAL: Final = frozenset(
    {
        "connection",
        "content-length",
        "keep-alive",
        "server",
        "transfer-encoding",
        "content-type",
        "x-pad",
        "x-accel-redirect",
        "x-accel-buffering",
        "x-accel-charset",
        "x-accel-expires",
        "x-accel-limit-rate",
    }
)
#: charset_types with `charset utf-8`
_CHARSET_TYPES: Final = frozenset(
    {
        "text/html",
        "text/xml",
        "text/plain",
        "text/vnd.wap.wml",
        "application/javascript",
        "application/rss+xml",
    }
)


class BadAnswer(Exception):
    """What the upstream sent is not an HTTP answer that nginx would take."""


class NotHttp(Exception):
    """The first line is no status line: nginx takes such an answer as HTTP/0.9."""


class Answer:
    """An upstream's head; one that comes again is the same object, so nobody changes it.

    `fields` are those that are passed on, `length` is None for an unknown one, `line` the status line to pass on, empty
    for an HTTP/0.9 answer (`version` tells), `accel` an X-Accel-Redirect.
    """

    __slots__ = (
        "accel",
        "chunked",
        "fields",
        "final",
        "keep_alive",
        "length",
        "line",
        "plain",
        "sent",
        "shown",
        "status",
        "version",
    )

    def __init__(self, status: int, line: str, version: tuple[int, int], fields: list[Field]) -> None:
        self.status = status
        self.line = line
        self.version = version
        self.fields = fields
        self.length: int | None = None
        self.chunked = False
        self.keep_alive = version >= (1, 1)
        self.accel = ""
        #: no interim answer, and one that may have a body
        self.final = status >= 200 and status not in (204, 304)
        #: no error, no switch of protocols, no redirect inside: nothing that the gateway would have to look into
        self.plain = 200 <= status < 500 and version >= (1, 0)
        #: the gateway's fields when nothing changes them; their bytes, parted for plugins' own, by keep-alive
        self.shown: list[Field] = []
        self.sent: dict[bool, tuple[bytes, bytes]] = {}


#: Heads are kept up to this length, and so many of them.
LONGEST_KEPT: Final = 1024
MOST_KEPT: Final = 1024

_heads: dict[bytes, Answer] = {}
#: the answer whose head these bytes are, if it was read before
known = _heads.get
_known: dict[str, Field] = {}
_status_lines: dict[str, tuple[int, str, tuple[int, int]]] = {}


def parse(data: bytes) -> tuple[Answer, int] | None:
    """The head that `data` begins with and its size, None when it isn't whole; raises NotHttp or BadAnswer."""
    end = data.find(b"\r\n\r\n")
    if end < 0:
        if not looks_like_http(data):
            raise NotHttp
        return _incomplete(data)
    key = data[: end + 4]
    answer = _heads.get(key)
    if answer is None:
        if not looks_like_http(data):
            raise NotHttp
        bare = data.find(b"\n\n", 0, end)
        if bare >= 0 or b"\n\r\n" in data[:end]:
            return _incomplete(data)
        answer = _read(data, end)
        if end < LONGEST_KEPT:
            if len(_heads) >= MOST_KEPT:
                _heads.clear()
            _heads[key] = answer
    return answer, end + 4


def _read(data: bytes, end: int) -> Answer:
    text = data[:end].decode("latin-1")
    lines = text.split("\r\n")
    if text.count("\n") >= len(lines):
        lines = text.replace("\r\n", "\n").split("\n")
    status = _status_lines.get(lines[0]) or _status(lines[0])
    del lines[0]
    try:
        fields = [_known[line] for line in lines]
    except KeyError:
        fields = _learn(lines)
    return _weigh(Answer(*status, []), fields)


def looks_like_http(data: bytes) -> bool:
    """False as soon as these can't be the first bytes of an HTTP answer: HTTP/0.9 then."""
    return data[:5] == b"HTTP/"[: len(data)]


def _incomplete(data: bytes) -> tuple[Answer, int] | None:
    """The end of the head may be bare LF; such a head is turned into one with CR LF and read again."""
    end = data.find(b"\n\n")
    mixed = data.find(b"\n\r\n")
    ends = [at for at in (end + 2 if end >= 0 else -1, mixed + 3 if mixed >= 0 else -1) if at > 0]
    if not ends:
        if len(data) > MAX_HEAD:
            raise BadAnswer("the head is too big")
        return None
    size = min(ends)
    parsed = parse(re.sub(rb"\r?\n", b"\r\n", data[:size]))
    assert parsed is not None
    return parsed[0], size


def _status(line: str) -> tuple[int, str, tuple[int, int]]:
    match = _STATUS.fullmatch(line)
    if not match:
        raise NotHttp
    if len(_status_lines) > 1000:
        _status_lines.clear()
    status = int(match[3])
    phrase = f" {match[5]}" if match[4] else ""
    found = status, f"HTTP/1.1 {match[3]}{phrase}\r\n", (int(match[1]), int(match[2]))
    _status_lines[line] = found
    return found


def _learn(lines: list[str]) -> list[Field]:
    if len(_known) > KNOWN_LINES:
        _known.clear()
    fields = []
    for line in lines:
        field = _known.get(line)
        if field is None:
            field = _field(line)
            if len(line) <= KNOWN_LENGTH:
                _known[line] = field
        fields.append(field)
    return fields


def _field(line: str) -> Field:
    match = _LINE.fullmatch(line.removesuffix("\r"))
    if not match:
        raise BadAnswer(f"header line {line[:80]!r}")
    name, value = match[1], match[2] or ""
    lower = name.lower()
    if lower == "content-type":
        value = with_charset(value)
    return lower, name, value


def with_charset(value: str) -> str:
    """What nginx's charset filter makes of a Content-Type."""
    kind, _, parameters = value.partition(";")
    if kind.strip().lower() in _CHARSET_TYPES and "charset=" not in parameters.lower():
        return f"{value}; charset=utf-8"
    return value


def _weigh(answer: Answer, fields: list[Field]) -> Answer:
    passed = answer.fields
    for field in fields:
        lower = field[0]
        if lower not in _SPECIAL:
            passed.append(field)
        elif lower == "content-length":
            _content_length(answer, field)
        elif lower == "transfer-encoding":
            if answer.chunked or field[2].lower() != "chunked":
                raise BadAnswer(f"transfer-encoding {field[2]!r}")
            answer.chunked = True
        elif lower == "connection":
            _connection(answer, field[2].lower())
        elif lower == "content-type":
            # the last one counts
            answer.fields = passed = [other for other in passed if other[0] != lower]
            passed.append(field)
        elif lower == "x-accel-redirect":
            answer.accel = field[2]
            answer.plain = False
    if answer.chunked and answer.length is not None:
        raise BadAnswer("both Content-Length and Transfer-Encoding")
    return answer


def _content_length(answer: Answer, field: Field) -> None:
    try:
        length = content_length(field[2])
    except Bad as bad:
        raise BadAnswer(f"Content-Length {field[2][:40]!r}") from bad
    if answer.length is not None:
        raise BadAnswer("two Content-Lengths")
    answer.length = length
    answer.fields.append((field[0], field[1], str(length)))


def _connection(answer: Answer, value: str) -> None:
    if "close" in value:
        answer.keep_alive = False
    elif "keep-alive" in value:
        answer.keep_alive = True
