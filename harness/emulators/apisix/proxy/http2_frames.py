"""Frames as they come and go past h2's state machine, where nginx is of another mind than it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import h2.connection
import h2.stream
from h2.errors import ErrorCodes
from h2.settings import SettingCodes
from hyperframe.frame import GoAwayFrame, SettingsFrame, WindowUpdateFrame

_HEADER = 9
_DATA, _HEADERS, _PRIORITY_FRAME, _RESET, _SETTINGS, _GOAWAY, _WINDOW, _CONTINUATION = 0, 1, 2, 3, 4, 7, 8, 9
_END_HEADERS, _PADDED, _PRIORITY, _ACK = 0x4, 0x8, 0x20, 0x1
#: http2_max_concurrent_streams by default
PRIORITIES = 128
#: SETTINGS_MAX_FRAME_SIZE by default: a longer one is left to h2, which refuses it
_LONGEST = 16384


class State(h2.connection.H2Connection):
    """h2's state machine of a connection, without an eye on Content-Length: to nginx that is the request's alone."""

    def _begin_new_stream(self, stream_id: int, allowed_ids: h2.connection.AllowedStreamIDs) -> h2.stream.H2Stream:
        stream = super()._begin_new_stream(stream_id, allowed_ids)
        stream._initialize_content_length = lambda headers: None  # type: ignore[method-assign]
        return stream


class ClientFrames:
    """Takes out of what a client sends what nginx reads over: GOAWAY, and DATA, RST_STREAM, WINDOW_UPDATE of no stream.

    `error` is the code with which the connection ends once what was given back is read; `skipped` counts bytes of DATA
    that were left out of the connection's window.
    """

    __slots__ = (
        "_continuing",
        "_fresh",
        "_gone",
        "_held",
        "_is_open",
        "_keeping",
        "_last",
        "_left",
        "_priorities",
        "error",
        "skipped",
    )

    def __init__(self, is_open: Callable[[int], bool], skip: int) -> None:
        """`is_open` tells of a stream whether it is under way; `skip` bytes at the start are no frames."""
        self._is_open = is_open
        self._left = skip
        self._held = b""
        self._keeping = True
        self._continuing = False
        self._last = 0
        #: streams whose head is among the same bytes
        self._fresh: set[int] = set()
        #: streams whose RST_STREAM is
        self._gone: set[int] = set()
        #: how many PRIORITY frames may still come: as many as streams, and as many again with each (priority_limit)
        self._priorities = PRIORITIES
        self.error: ErrorCodes | None = None
        self.skipped = 0

    def feed(self, data: bytes) -> bytes:
        """What is left; the start of a frame may be held back until more comes."""
        if self._held:
            data = self._held + data
            self._held = b""
        self._fresh.clear()
        self._gone.clear()
        kept: list[bytes] = []
        position = start = 0
        while True:
            step = min(self._left, len(data) - position)
            if not self._keeping and step:
                kept.append(data[start:position])
                start = position + step
            position += step
            self._left -= step
            if self._left or position == len(data):
                break
            if len(data) - position < _HEADER:
                self._held = data[position:]
                break
            length = int.from_bytes(data[position : position + 3], "big")
            sid = int.from_bytes(data[position + 5 : position + 9], "big") & 0x7FFFFFFF
            self._keeping = self._judge(data[position + 3], data[position + 4], sid, length)
            if self.error is not None:
                break
            self._left = _HEADER + length
        kept.append(data[start:position])
        return kept[0] if len(kept) == 1 else b"".join(kept)

    def _judge(self, kind: int, flags: int, sid: int, length: int) -> bool:
        """Whether a frame is anybody's business; sets `error` for one that nginx ends the connection for."""
        if self._continuing:
            # nothing but more of the head may come: h2 says so
            self._continuing = not (kind == _CONTINUATION and flags & _END_HEADERS)
        elif kind == _HEADERS:
            self._head(flags, sid, length)
        elif kind == _DATA:
            if sid and not self._knows(sid):
                self.skipped += length
                return False
        elif kind in (_RESET, _WINDOW):
            known = self._knows(sid)
            if kind == _RESET:
                self._gone.add(sid)
            return known or not (sid and length == 4)
        elif kind == _PRIORITY_FRAME:
            self._priorities -= 1
            if not self._priorities:
                self.error = ErrorCodes.ENHANCE_YOUR_CALM
        elif kind == _SETTINGS and flags & _ACK and length:
            self.error = ErrorCodes.FRAME_SIZE_ERROR
        elif kind == _GOAWAY:
            if length < 8:
                self.error = ErrorCodes.FRAME_SIZE_ERROR
            elif sid:
                self.error = ErrorCodes.PROTOCOL_ERROR
            return False
        return True

    def _knows(self, sid: int) -> bool:
        return sid not in self._gone and (sid in self._fresh or self._is_open(sid))

    def _head(self, flags: int, sid: int, length: int) -> None:
        """A stream begins (ngx_http_v2_state_headers); there are no trailers."""
        if length <= (flags & _PADDED) // _PADDED + 5 * ((flags & _PRIORITY) // _PRIORITY):
            self.error = ErrorCodes.FRAME_SIZE_ERROR
        elif sid % 2 == 0 or sid <= self._last:
            self.error = ErrorCodes.PROTOCOL_ERROR
        else:
            self._last = sid
            self._priorities += PRIORITIES
            self._fresh.add(sid)
            self._continuing = not flags & _END_HEADERS


class GoAways:
    """Takes out the GOAWAY frames, the end of a connection to h2 alone; `last` is the last stream that one named.

    RFC 9113, 6.8: streams up to that one go on after it.
    """

    __slots__ = ("_held", "_left", "last")

    def __init__(self) -> None:
        self._held = b""
        self._left = 0
        self.last: int | None = None

    def feed(self, data: bytes) -> bytes:
        """The same without GOAWAY frames; the start of a frame may be held back until more comes."""
        if self._held:
            data = self._held + data
            self._held = b""
        kept: list[bytes] = []
        position = start = 0
        while True:
            step = min(self._left, len(data) - position)
            position += step
            self._left -= step
            if self._left or position == len(data):
                break
            length = int.from_bytes(data[position : position + 3], "big")
            whole = position + _HEADER + length
            if len(data) - position < _HEADER or (
                data[position + 3] == _GOAWAY and len(data) < whole and length <= _LONGEST
            ):
                self._held = data[position:]
                break
            if data[position + 3] != _GOAWAY or not 8 <= length <= _LONGEST:
                self._left = _HEADER + length
                continue
            kept.append(data[start:position])
            self.last = int.from_bytes(data[position + _HEADER : position + _HEADER + 4], "big") & 0x7FFFFFFF
            position = start = whole
        kept.append(data[start:position])
        return kept[0] if len(kept) == 1 else b"".join(kept)


def goaway(last_stream_id: int, code: int = 0) -> bytes:
    """A GOAWAY frame: streams up to the last one will be answered, later ones were not looked at."""
    return GoAwayFrame(0, last_stream_id=last_stream_id, error_code=code).serialize()


def settings(values: Mapping[SettingCodes, int]) -> bytes:
    """A SETTINGS frame."""
    return SettingsFrame(0, settings={int(code): value for code, value in values.items()}).serialize()


def window_update(increment: int) -> bytes:
    """A WINDOW_UPDATE frame for the connection."""
    return WindowUpdateFrame(0, window_increment=increment).serialize()
