"""The configuration as it stands: read from etcd once, kept up to date by its watch, written through to it."""

from __future__ import annotations

import asyncio
import logging
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from harness.emulators.apisix import lua_json
from harness.emulators.apisix.etcd import Compacted, Etcd, EtcdError, Pair

log = logging.getLogger("harness.apisix.store")

#: the kinds that the data plane reads, by their directory under the prefix (constants.lua's HTTP_ETCD_DIRECTORY)
KINDS = (
    "upstreams",
    "plugins",
    "ssls",
    "stream_routes",
    "plugin_metadata",
    "routes",
    "services",
    "consumers",
    "global_rules",
    "protos",
    "plugin_configs",
    "consumer_groups",
    "secrets",
)
#: what APISIX puts under "<prefix>/<kind>/" to make the directory exist
PLACEHOLDER = b"init_dir"
#: seconds between tries to reach an etcd that went away
RETRY = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0)


@dataclass(frozen=True, slots=True)
class Entry:
    """One resource as the data plane sees it: defaults filled in, secrets decrypted; never to be changed."""

    kind: str
    id: str
    value: dict[str, Any]
    created_index: int
    modified_index: int


#: (kind, id, the entry or None when it is gone)
Change = tuple[str, str, Entry | None]
Subscriber = Callable[[Sequence[Change]], None]
#: (kind, id, value as stored) → the value for the data plane; raises ValueError to refuse it
Prepare = Callable[[str, str, Any], dict[str, Any]]


def as_it_is(kind: str, id_: str, value: Any) -> dict[str, Any]:
    """The simplest `Prepare`: any object will do."""
    if not isinstance(value, dict):
        raise ValueError("invalid item data, it should be an object")
    return value


class Table:
    """The entries by kind and id, and who wants to hear of changes."""

    def __init__(self, prepare: Prepare = as_it_is) -> None:
        self._prepare = prepare
        self._kinds: dict[str, dict[str, Entry]] = {kind: {} for kind in KINDS}
        self._views = {kind: MappingProxyType(entries) for kind, entries in self._kinds.items()}
        self._stored: dict[str, Pair] = {}  # the raw pairs by key below the prefix
        self._subscribers: list[Subscriber] = []
        #: per kind, how often it changed: the Control API shows it as conf_version
        self.versions: dict[str, int] = dict.fromkeys(KINDS, 0)

    def get(self, kind: str) -> Mapping[str, Entry]:
        """A live view of one kind's entries by id; raises KeyError for an unknown kind."""
        return self._views[kind]

    async def known(self, key: str) -> Pair | None:
        """The raw pair that memory has under "/routes/1"."""
        return self._stored.get(key)

    def subscribe(self, callback: Subscriber) -> None:
        """Call back on the loop with each batch of changes, after they are in place."""
        self._subscribers.append(callback)

    def unsubscribe(self, callback: Subscriber) -> None:
        """Call back no more."""
        self._subscribers.remove(callback)

    def _entry(self, kind: str, id_: str, raw: bytes, created: int, modified: int) -> Entry | None:
        """The entry for a stored value, or None (logged) for one that the data plane can't use."""
        try:
            value = self._prepare(kind, id_, lua_json.decode(raw))
        except ValueError as reason:
            log.error("failed to check item data of [%s/%s] err: %s", kind, id_, reason)
            return None
        value["id"] = id_
        return Entry(kind, id_, value, created, modified)

    def _apply(self, changes: Sequence[Change]) -> None:
        for kind, id_, entry in changes:
            if entry is None:
                self._kinds[kind].pop(id_, None)
            else:
                self._kinds[kind][id_] = entry
            self.versions[kind] += 1
        if not changes:
            return
        for callback in tuple(self._subscribers):
            try:
                callback(changes)
            except Exception:  # one subscriber's fault must not stop the watch
                log.exception("a subscriber failed on %s", [change[:2] for change in changes])


class Store(Table):
    """The table kept in etcd under a prefix. `start` before use, `stop` in the end, on one running loop."""

    def __init__(self, etcd: Etcd, prefix: str = "/apisix", prepare: Prepare = as_it_is, *, idle: float = 50.0) -> None:
        """`idle` are the seconds without news after which the watch is made anew."""
        super().__init__(prepare)
        self._idle = idle
        self.etcd = etcd
        self.prefix = prefix
        self._revision = 0  # all changes up to here are in the table
        self._seen: dict[tuple[str, str], int] = {}  # revisions of our own writes that the watch has yet to tell
        #: key → what is being written there, and the value for the data plane: the watch may be the first to tell
        self._writing: dict[str, tuple[bytes, dict[str, Any] | None]] = {}
        self._watching: asyncio.Task[None] | None = None
        self._progress = asyncio.Event()

    # life

    async def start(self) -> None:
        """Make the directories, read all, watch. Raises EtcdError when etcd can't be reached."""
        puts = [
            {"requestPut": {"key": _b64(f"{self.prefix}/{kind}/"), "value": _b64(PLACEHOLDER.decode())}}
            for kind in KINDS
        ]
        await self.etcd.call("/v3/kv/txn", {"success": puts})
        await self._read_all()
        self._watching = asyncio.create_task(self._watch(), name="etcd watch of the store")

    async def stop(self) -> None:
        """Stop watching and drop the connections."""
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.gather(self._watching, return_exceptions=True)
            self._watching = None
        self.etcd.close()

    @property
    def revision(self) -> int:
        """The revision up to which the watch has told all."""
        return self._revision

    async def reached(self, revision: int) -> None:
        """Wait until the watch has told all up to `revision`."""
        while self._revision < revision:
            self._progress.clear()
            await self._progress.wait()

    # reading

    async def read(self, key: str) -> Pair | None:
        """One pair straight from etcd; `key` as "/routes/1". Raises EtcdError."""
        pairs, _ = await self.etcd.range(self.prefix + key)
        return pairs[0] if pairs else None

    async def below(self, key: str) -> list[Pair]:
        """All pairs whose key starts with `key`, straight from etcd, placeholders included. Raises EtcdError."""
        return (await self.etcd.range(self.prefix + key, prefix=True))[0]

    async def known(self, key: str) -> Pair | None:
        """One pair from memory, or from etcd when memory has none. Raises EtcdError when etcd is needed and away.

        Memory lags behind other writers by the few milliseconds that the watch takes.
        """
        return self._stored.get(key) or await self.read(key)

    def remembered(self, key: str) -> Pair | None:
        """One pair as memory has it."""
        return self._stored.get(key)

    # writing: what we wrote is in the table when the call returns

    async def put(self, kind: str, id_: str, value: Any, ttl: float | None = None) -> tuple[bool, int]:
        """Store a value; tells whether there was one, and the revision. Raises EtcdError."""
        lease = await self.etcd.grant(ttl) if ttl else ""
        raw = lua_json.encode(value)
        existed, revision = await self.etcd.put(f"{self.prefix}/{kind}/{id_}", raw, lease)
        before = self._stored.get(f"/{kind}/{id_}") if existed else None
        self._wrote(f"/{kind}/{id_}", raw, before.created if before else revision, revision)
        return existed, revision

    async def swap(
        self,
        key: str,
        value: Any,
        before: Pair | None,
        *,
        ttl: float | None = None,
        prepared: dict[str, Any] | None = None,
    ) -> tuple[int, Pair | None]:
        """Store over what was there (None: nothing): the new revision, or 0 and what is there instead.

        `prepared` is the value for the data plane, when the caller has it already. Raises EtcdError.
        """
        lease = await self.etcd.grant(ttl) if ttl else ""
        raw = lua_json.encode(value)
        self._writing[key] = (raw, prepared)
        try:
            revision, other = await self.etcd.swap(self.prefix + key, raw, before.modified if before else 0, lease)
        finally:
            self._writing.pop(key, None)
        if revision:
            self._wrote(key, raw, before.created if before else revision, revision, prepared)
        return revision, other

    async def delete(self, key: str, *, prefix: bool = False) -> int:
        """Delete a key, or all that start with it: how many there were. Raises EtcdError."""
        gone = [known for known in self._stored if known.startswith(key)] if prefix else [key]
        deleted, revision = await self.etcd.delete(self.prefix + key, prefix=prefix)
        if deleted:
            self._take([Pair(self.prefix + known, None, 0, revision) for known in gone], own=True)
        return deleted

    def _wrote(self, key: str, raw: bytes, created: int, revision: int, prepared: dict[str, Any] | None = None) -> None:
        self._take([Pair(self.prefix + key, raw, created, revision)], own=True, prepared=prepared)

    # following

    async def _read_all(self) -> None:
        pairs, revision = await self.etcd.range(self.prefix + "/", prefix=True)
        present = {pair.key for pair in pairs}
        gone = [
            Pair(self.prefix + key, None, 0, revision) for key in list(self._stored) if self.prefix + key not in present
        ]
        if revision < self._revision:  # another etcd, or one that lost its data: what we wrote is gone
            self._seen.clear()
        self._revision = revision
        self._take([*gone, *(pair for pair in pairs if self._is_news(pair))])
        self._advance(revision)

    def _is_news(self, pair: Pair) -> bool:
        known = self._stored.get(pair.key[len(self.prefix) :])
        return known is None or known.modified != pair.modified

    async def _watch(self) -> None:
        tries = 0
        while True:
            try:
                if tries:
                    await self._read_all()
                async for pairs, revision in self.etcd.watch(self.prefix + "/", self._revision + 1, self._idle):
                    tries = 0
                    self._take(pairs)
                    self._advance(revision)
                tries = 0
            except Compacted:
                tries = max(tries, 1)
            except EtcdError as error:
                if tries == 0:
                    log.error("failed to fetch data from etcd: %s", error)
                await asyncio.sleep(RETRY[min(tries, len(RETRY) - 1)])
                tries += 1

    def _advance(self, revision: int) -> None:
        self._revision = max(self._revision, revision)
        for known in [known for known, at in self._seen.items() if at <= self._revision]:
            del self._seen[known]
        self._progress.set()

    def _take(self, pairs: Sequence[Pair], own: bool = False, prepared: dict[str, Any] | None = None) -> None:
        changes: list[Change] = []
        for pair in pairs:
            key = pair.key[len(self.prefix) :]
            kind, _, id_ = key[1:].partition("/")
            if kind not in self._kinds or self._seen.get((kind, id_), 0) >= pair.modified or self._has(key, pair):
                continue
            if own:
                self._seen[kind, id_] = pair.modified
            self._remember(key, pair)
            if id_ and pair.value != PLACEHOLDER:
                changes.extend(self._change(kind, id_, pair, prepared or self._prepared(key, pair)))
        self._apply(changes)

    def _prepared(self, key: str, pair: Pair) -> dict[str, Any] | None:
        """The value for the data plane of what is being written, when this is it."""
        raw, prepared = self._writing.get(key, (None, None))
        return prepared if raw == pair.value else None

    def _has(self, key: str, pair: Pair) -> bool:
        """Whether the watch was faster than the answer to our own write."""
        known = self._stored.get(key)
        return known is not None and pair.value is not None and known.modified == pair.modified

    def _remember(self, key: str, pair: Pair) -> None:
        if pair.value is None:
            self._stored.pop(key, None)
        else:
            self._stored[key] = pair

    def _change(self, kind: str, id_: str, pair: Pair, prepared: dict[str, Any] | None) -> list[Change]:
        """What a pair means for the table; a value that the data plane can't use leaves the last good one."""
        if pair.value is None:
            return [(kind, id_, None)] if id_ in self._kinds[kind] else []
        if prepared is not None:
            return [(kind, id_, Entry(kind, id_, {**prepared, "id": id_}, pair.created, pair.modified))]
        entry = self._entry(kind, id_, pair.value, pair.created, pair.modified)
        return [(kind, id_, entry)] if entry is not None else []


def _b64(text: str) -> str:
    return b64encode(text.encode()).decode()
