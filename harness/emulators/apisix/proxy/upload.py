"""A request's body on its way to the upstream, piece by piece: as it is held, or as the client sends it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

from harness.emulators.apisix.proxy.chunks import LAST, chunk

#: A shorter body goes together with its head
JOINED = 65536


class To(Protocol):
    """The upstream's connection."""

    @property
    def takes(self) -> bool:
        """Whether it has sent most of what it was given."""
        ...

    def upload(self, data: bytes, last: bool) -> None:
        """More of the body; without data and not the last: the client lets it wait."""
        ...


class From(Protocol):
    """The client's body that is still coming."""

    failed: int

    def stream_to(self, receive: Callable[[bytes, bool], None]) -> None: ...
    def acknowledge(self) -> None: ...
    def hold(self) -> None: ...


class HeldUpload:
    """A body that is all there: it can be sent again to another node.

    It goes as it is held, since joining a long one costs more than sending it. `pieces` begins anew at each call.
    """

    repeatable = True

    def __init__(self, pieces: Callable[[], Iterator[bytes]], size: int) -> None:
        self._pieces = pieces
        self.length: int | None = size
        self._rest: Iterator[bytes] = iter(())
        self._left = 0
        self._to: To | None = None

    def begin(self, to: To) -> None:
        """Send it from its start."""
        self._to = to
        self._rest = self._pieces()
        self._left = self.length or 0
        self.go_on()

    def go_on(self) -> None:
        """The connection takes more."""
        to = self._to
        while to is not None and self._left and to.takes:
            piece = next(self._rest)
            self._left -= len(piece)
            to.upload(piece, not self._left)

    def end(self) -> None:
        """Nobody wants (more of) it."""
        self._to = None


class StreamUpload:
    """A body that nobody gathers (proxy_request_buffering off); once it has begun it can't be sent again.

    `failed` is told the status when the client sends nonsense or too much.
    """

    repeatable = False

    def __init__(self, body: From, length: int | None, failed: Callable[[int], None]) -> None:
        self._body = body
        self.length = length
        self._failed = failed
        self._to: To | None = None

    def begin(self, to: To) -> None:
        """Pass on what is here, and from now on what comes."""
        self._to = to
        self._body.stream_to(self._piece)

    def _piece(self, data: bytes, last: bool) -> None:
        to = self._to
        if to is None:
            return
        if self._body.failed:
            self._failed(self._body.failed)
            return
        if self.length is None:
            data = (chunk(data) if data else b"") + (LAST if last else b"")
        to.upload(data, last)
        if to.takes:
            self._body.acknowledge()
        else:
            self._body.hold()

    def go_on(self) -> None:
        """The connection takes more."""
        self._body.acknowledge()

    def end(self) -> None:
        """Nobody wants more of it."""
        self._to = None
