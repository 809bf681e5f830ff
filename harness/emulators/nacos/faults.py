"""Misbehaviour on demand: freeze (accept but do not answer) and fail the next calls of a type."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(slots=True)
class Failure:
    """Fail the next `times` calls: HTTP answers `status` with `message`, gRPC answers `status` as the error code."""

    times: int
    status: int = 500
    message: str = "failed on demand"


class Faults:
    """What a test asked for. A call's type is a gRPC request type, or `METHOD /path` without the context path."""

    def __init__(self) -> None:
        self.frozen = False
        self._held: list[Callable[[], None]] = []
        self._failing: dict[str, Failure] = {}

    def freeze(self) -> None:
        """From now on requests are taken but not answered."""
        self.frozen = True

    def thaw(self) -> None:
        """Go on, with what was held back first."""
        self.frozen = False
        held, self._held = self._held, []
        for resume in held:
            resume()

    def hold(self, resume: Callable[[], None]) -> None:
        """Keep a request until `thaw`."""
        self._held.append(resume)

    def fail_next(self, kind: str, failure: Failure) -> None:
        """Let the next calls of a type fail; `*` means any type. Raises ValueError for less than one call."""
        if failure.times < 1:
            raise ValueError("fail at least one call")
        self._failing[kind] = failure

    def take(self, kind: str) -> Failure | None:
        """The failure this call shall meet, if any; it counts down."""
        for name in (kind, "*") if self._failing else ():
            failure = self._failing.get(name)
            if failure is not None:
                failure.times -= 1
                if failure.times == 0:
                    del self._failing[name]
                return failure
        return None

    def clear(self) -> None:
        """Behave again."""
        self._failing.clear()
        self.thaw()
