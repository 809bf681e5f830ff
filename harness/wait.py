"""The only polling loop of the project."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from harness.errors import NotReady

T = TypeVar("T")

#: The first pause in seconds; each next one is half as long again, up to LONGEST.
FIRST = 0.002
LONGEST = 0.1


def until(
    check: Callable[[], T | None],
    timeout: float,
    *,
    awaited: str,
    state: Callable[[], str] | None = None,
    logs: Callable[[], str] | None = None,
    mend: str = "",
) -> T:
    """Call `check` until it answers something true and return that.

    An exception of the kinds that mean "not yet" (OSError, AssertionError, LookupError) counts as a no and is shown
    in the error. `state` and `logs` are asked only when time is up. Raises NotReady after `timeout` seconds.
    """
    start = time.monotonic()
    pause = FIRST
    last = ""
    while True:
        try:
            found = check()
            if found:
                return found
            last = "" if found is None else repr(found)
        except (OSError, AssertionError, LookupError) as error:
            last = f"{type(error).__name__}: {error}"
        if time.monotonic() - start >= timeout:
            raise NotReady(
                awaited,
                seconds=timeout,
                last=state() if state else last,
                logs=logs() if logs else "",
                mend=mend,
            )
        time.sleep(pause)
        pause = min(pause * 1.5, LONGEST)
