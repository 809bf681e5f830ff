"""The values of all $secret:// references that the configuration has: asked for ahead, kept for a while.

The real gateway asks at the first request that needs a value. Here a value is asked for as soon as a resource names
it, and requests that come in meanwhile wait, so that no plugin has to.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from harness.clock import Clock
from harness.emulators.apisix.secret_managers import gcp, vault
from harness.emulators.apisix.secret_managers.manager import Fetch, Manager, SecretError, from_environment
from harness.emulators.apisix.store import Change, Entry

log = logging.getLogger("harness.emulators.apisix")

PREFIX = "$secret://"
#: seconds between looks whether a value has to be asked for again
LOOK = 0.25
#: aws is not here, as in a gateway without its AWS library
MANAGERS: Mapping[str, Manager] = {"vault": vault.get, "gcp": gcp.get}


class SecretBook:
    """What the references say. `changed` is called when a value came, went or is another one."""

    def __init__(
        self,
        resources: Mapping[str, Entry],
        fetch: Fetch,
        clock: Clock,
        changed: Callable[[], None],
        *,
        ttl: float = 300.0,
        neg_ttl: float = 60.0,
    ) -> None:
        """`resources` are the managers' own, by "vault/id"; a value is good for `ttl` s, its absence for `neg_ttl`."""
        self._resources = resources
        self._fetch = fetch
        self._clock = clock
        self._changed = changed
        self._lives = (ttl, neg_ttl)
        #: (kind, id) of a resource → the references in it
        self._named: dict[tuple[str, str], frozenset[str]] = {}
        #: reference → (value or None, when it must be asked for again)
        self._known: dict[str, tuple[Any, float]] = {}
        self._asking: set[str] = set()
        self._waiting: list[Callable[[], None]] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._following: asyncio.Task[None] | None = None
        #: whether requests must wait: a value was never asked for, or its manager has changed
        self.busy = False

    def follow(self, changes: Sequence[Change]) -> None:
        """The configuration changed."""
        managers = False
        for kind, id_, entry in changes:
            managers = managers or kind == "secrets"
            found = frozenset(references(entry.value)) if entry is not None else frozenset()
            if found:
                self._named[kind, id_] = found
            else:
                self._named.pop((kind, id_), None)
        if not self._named:
            return
        wanted = set().union(*self._named.values())
        self._known = {reference: held for reference, held in self._known.items() if reference in wanted}
        fresh = wanted if managers else wanted - self._known.keys() - self._asking
        if fresh:
            self.busy = True
            self._ask(fresh)
        if self._following is None:
            self._following = asyncio.get_running_loop().create_task(self._look(), name="secrets")

    def value(self, reference: str) -> Any:
        """What a reference stands for; the reference itself where there is nothing."""
        value, _ = self._known.get(reference, (None, 0.0))
        return reference if value is None else value

    def when_ready(self, proceed: Callable[[], None]) -> None:
        """Call back once nothing is awaited any more; only while `busy`."""
        self._waiting.append(proceed)

    async def stop(self) -> None:
        """Ask no more."""
        tasks = [*self._tasks, *([self._following] if self._following else ())]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _ask(self, wanted: set[str]) -> None:
        self._asking |= wanted
        task = asyncio.get_running_loop().create_task(self._ask_all(wanted), name="asking for secrets")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _ask_all(self, wanted: set[str]) -> None:
        now = self._clock.monotonic()
        try:
            values = await asyncio.gather(*(self._one(reference) for reference in wanted))
            found = dict(zip(wanted, values, strict=True))
            before = {reference: self._known.get(reference, (None, 0.0))[0] for reference in wanted}
            for reference, value in found.items():
                self._known[reference] = (value, now + self._lives[value is None])
            if found != before:
                self._changed()
        finally:
            self._asking -= wanted
            if not self._asking:
                self.busy = False
                waiting, self._waiting = self._waiting, []
                for proceed in waiting:
                    proceed()

    async def _one(self, reference: str) -> Any:
        try:
            value = await self._read(reference)
            if value is not None:
                return value
            why = "no value"
        except SecretError as error:
            why = str(error)
        log.error("failed to resolve secret reference: %s, err: %s", reference, why)
        return None

    async def _read(self, reference: str) -> Any:
        manager, slash, rest = reference.removeprefix(PREFIX).partition("/")
        if not slash:
            raise SecretError("error format: no secret manager")
        id_, slash, key = rest.partition("/")
        if not slash:
            raise SecretError("error format: no secret conf id")
        if not key:
            raise SecretError("error format: no secret key id")
        resource = self._resources.get(f"{manager}/{id_}")
        if resource is None:
            raise SecretError(f"no secret conf, secret_uri: {reference}")
        if manager not in MANAGERS:
            raise SecretError(f"no secret manager: {manager}")
        return await MANAGERS[manager](resource.value, key, self._fetch)

    async def _look(self) -> None:
        """Values that are old are asked for anew, while the old ones serve."""
        while True:
            await asyncio.sleep(LOOK)
            now = self._clock.monotonic()
            old = {reference for reference, (_, until) in self._known.items() if until <= now} - self._asking
            if old:
                self._ask(old)


def references(value: Any) -> Iterator[str]:
    """The $secret:// references in a value, in depth."""
    if isinstance(value, str):
        if value.startswith(PREFIX):
            yield value
    elif isinstance(value, dict):
        for member in value.values():
            yield from references(member)
    elif isinstance(value, list):
        for member in value:
            yield from references(member)


def resolved(value: Any, book: SecretBook) -> Any:
    """`value` with $env:// and $secret:// references replaced, in depth; itself where there are none."""
    if isinstance(value, str):
        if not value.startswith("$"):
            return value
        if value.startswith(PREFIX):
            return book.value(value)
        return from_environment(value) if value[:7].lower() == "$env://" else value
    if isinstance(value, dict):
        return {name: resolved(member, book) for name, member in value.items()}
    if isinstance(value, list):
        return [resolved(member, book) for member in value]
    return value
