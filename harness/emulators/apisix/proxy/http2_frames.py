"""GOAWAY frames, which h2 can neither survive nor send ahead of time: it takes either for the end of the connection."""

from __future__ import annotations

from hyperframe.frame import GoAwayFrame

_HEADER = 9
_GOAWAY = 7
#: SETTINGS_MAX_FRAME_SIZE by default: a longer one is left to h2, which refuses it
_LONGEST = 16384


class GoAways:
    """Takes the GOAWAY frames out of what an HTTP/2 peer sends; `last` is the last stream that one of them named.

    RFC 9113, 6.8: streams up to that one go on after it. `skip` bytes at the start are no frames (a client's preface).
    """

    __slots__ = ("_held", "_left", "last")

    def __init__(self, skip: int = 0) -> None:
        self._held = b""
        self._left = skip
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
