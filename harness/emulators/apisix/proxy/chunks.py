"""The chunked coding as nginx reads it (ngx_http_parse_chunked): bare LF and extensions pass, trailers are dropped."""

from __future__ import annotations

import re
from typing import Final

from harness.emulators.apisix.proxy.nginx import MAX_LENGTH

_SIZE: Final = re.compile(rb"([0-9A-Fa-f]+)(?:[; \t][^\r\n]*)?\r?")
_SIZE_SO_FAR: Final = re.compile(rb"([0-9A-Fa-f]+(?:[; \t][^\r\n]*)?\r?)?")
#: The longest size line or trailer that is waited for
_LONGEST_LINE: Final = 16384


class BadChunks(Exception):
    """The body is not in the chunked coding."""


class ChunkedDecoder:
    """Bytes of a chunked body in, its content out; `done` at the end, with what came behind it in `rest`."""

    __slots__ = ("_buffer", "_left", "_state", "done", "rest")

    def __init__(self) -> None:
        self._buffer = b""
        self._left = 0
        self._state = _SIZE_LINE
        self.done = False
        self.rest = b""

    def feed(self, data: bytes) -> bytes:
        """The content that `data` completes; raises BadChunks."""
        if self._buffer:
            data = self._buffer + data
            self._buffer = b""
        out: list[bytes] = []
        position = 0
        while position < len(data) or (self._state is _DATA and not self._left):
            if self._state is _DATA:
                position = self._data(data, position, out)
                continue
            end = data.find(b"\n", position)
            if end < 0:
                self._keep(data[position:])
                break
            self._line(data[position:end])
            position = end + 1
            if self.done:
                self.rest = data[position:]
                break
        return out[0] if len(out) == 1 else b"".join(out)

    def _data(self, data: bytes, position: int, out: list[bytes]) -> int:
        piece = data[position : position + self._left]
        out.append(piece)
        self._left -= len(piece)
        if not self._left:
            self._state = _DATA_END
        return position + len(piece)

    def _line(self, line: bytes) -> None:
        if self._state is _DATA_END:
            if line not in (b"", b"\r"):
                raise BadChunks("no line end after a chunk")
            self._state = _SIZE_LINE
        elif self._state is _TRAILER:
            if b"\r" in line[:-1]:
                raise BadChunks("a bare CR in a trailer")
            self.done = line in (b"", b"\r")
        else:
            self._size(line)

    def _size(self, line: bytes) -> None:
        match = _SIZE.fullmatch(line)
        if not match:
            raise BadChunks(f"chunk size {line[:40]!r}")
        self._left = int(match[1], 16)
        if self._left > MAX_LENGTH - 5:
            raise BadChunks("chunk size too large")
        self._state = _DATA if self._left else _TRAILER

    def _keep(self, piece: bytes) -> None:
        """Hold the start of a line back, unless it can't become one."""
        if self._state is _DATA_END and piece != b"\r":
            raise BadChunks("no line end after a chunk")
        if self._state is _SIZE_LINE and not _SIZE_SO_FAR.fullmatch(piece):
            raise BadChunks(f"chunk size {piece[:40]!r}")
        if len(piece) > _LONGEST_LINE:
            raise BadChunks("an endless line")
        self._buffer = piece


_SIZE_LINE, _DATA, _DATA_END, _TRAILER = "size", "data", "data-end", "trailer"


def chunk(data: bytes) -> bytes:
    """`data` as one chunk."""
    return b"%x\r\n%b\r\n" % (len(data), data)


LAST: Final = b"0\r\n\r\n"
