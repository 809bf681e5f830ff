"""Fixtures that several scenarios share."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx
import pytest

from harness.wait import until


class Traffic:
    """What a steady stream of requests got: answers by status, and the errors of those that got none."""

    def __init__(self) -> None:
        self.statuses: Counter[int] = Counter()
        self.errors: list[str] = []

    @property
    def total(self) -> int:
        return self.statuses.total() + len(self.errors)

    def after(self, count: int) -> None:
        """Wait until `count` more requests were answered."""
        wanted = self.total + count
        until(lambda: self.total >= wanted, 10, awaited=f"{count} more requests")

    def assert_none_failed(self) -> None:
        assert self.total > 0
        assert not self.errors, self.errors[:3]
        assert set(self.statuses) == {200}, self.statuses


@pytest.fixture
def traffic(stack) -> Callable[..., object]:
    """`with traffic("/path", headers) as seen:` — four clients ask without pause until the block ends."""

    @contextmanager
    def run(path: str, headers: dict[str, str], clients: int = 4) -> Iterator[Traffic]:
        seen, stop = Traffic(), threading.Event()
        threads = [threading.Thread(target=_ask, args=(stack, path, headers, seen, stop)) for _ in range(clients)]
        for thread in threads:
            thread.start()
        try:
            seen.after(20)
            yield seen
        finally:
            stop.set()
            for thread in threads:
                thread.join()

    return run


def _ask(stack, path, headers, seen, stop) -> None:
    with stack.gateway() as client:
        while not stop.is_set():
            try:
                seen.statuses[client.get(path, headers=headers).status_code] += 1
            except httpx.HTTPError as error:
                seen.errors.append(repr(error))
