"""The configuration store: publish, query, remove; variants for beta addresses and tags; history of it all."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from harness.clock import Clock
from harness.emulators.nacos.config.model import (
    TYPES,
    UNTYPED,
    ConfigKey,
    Draft,
    Entry,
    Found,
    Gray,
    Record,
    check_content,
    check_draft,
    check_key,
    check_tag,
    digest,
)
from harness.emulators.nacos.errors import NacosError

#: History rows older than this many seconds are dropped (`nacos.config.retention.days`).
RETENTION_SECONDS = 30 * 24 * 3600


class CasFailed(NacosError):
    """The stored md5 is not the one the publisher expected."""

    def __init__(self) -> None:
        super().__init__(500, "Cas publish fail, server md5 may have changed.", 20005)


@dataclass(slots=True)
class ConfigState:
    """Everything a snapshot keeps; all values are frozen, so a shallow copy is a true one."""

    entries: dict[ConfigKey, Entry] = field(default_factory=dict)
    grays: dict[ConfigKey, Gray] = field(default_factory=dict)
    tagged: dict[ConfigKey, dict[str, Entry]] = field(default_factory=dict)
    history: list[Record] = field(default_factory=list)
    next_id: int = 1
    next_record: int = 1

    def copy(self) -> ConfigState:
        """An independent copy."""
        tagged = {key: dict(held) for key, held in self.tagged.items()}
        return replace(
            self, entries=dict(self.entries), grays=dict(self.grays), tagged=tagged, history=list(self.history)
        )


class ConfigStore:
    """All configuration.

    `changed` is told each key whose visible content changed, at once; `written` every history row as it is made, after
    the state was changed (what keeps state on disk listens there).
    """

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.changed: Callable[[ConfigKey], None] = lambda key: None
        self.written: Callable[[Record], None] = lambda record: None
        self.state = ConfigState()

    # -- reading -----------------------------------------------------------------------------------------------------

    def get(self, key: ConfigKey, *, ip: str = "", tag: str = "", auto_tag: str = "") -> Found | None:
        """What a client at `ip` sees: the beta variant, the variant of a tag, else the plain entry.

        An explicit `tag` that has no variant finds nothing; an `auto_tag` (header `Vipserver-Tag`) falls back.
        """
        gray = self.state.grays.get(key)
        if gray is not None and ip in gray.ips and not tag:
            return Found(gray.entry, beta=True)
        variants = self.state.tagged.get(key, {})
        if tag:
            return Found(variants[tag], tag=tag) if tag in variants else None
        if auto_tag in variants:
            return Found(variants[auto_tag], tag=auto_tag)
        entry = self.state.entries.get(key)
        return Found(entry) if entry else None

    def md5(self, key: ConfigKey, *, ip: str = "", tag: str = "") -> str:
        """The md5 a listener compares with its own; empty for what does not exist."""
        found = self.get(key, ip=ip, auto_tag=tag)
        return found.entry.md5 if found else ""

    def exists(self, key: ConfigKey) -> bool:
        """Whether there is any variant of it."""
        return key in self.state.entries or key in self.state.grays or bool(self.state.tagged.get(key))

    def by_id(self, config_id: int) -> Entry | None:
        """The entry with this id."""
        return next((entry for entry in self.state.entries.values() if entry.id == config_id), None)

    # -- publishing --------------------------------------------------------------------------------------------------

    def publish(self, key: ConfigKey, draft: Draft, *, cas: str = "", tag: str = "", beta_ips: str = "") -> Entry:
        """Store a configuration or a variant of it; raises NacosError (400), or CasFailed if `cas` does not match."""
        check_key(key)
        check_content(draft.content)
        check_draft(draft)
        if beta_ips.strip():
            return self._publish_beta(key, draft, cas, beta_ips)
        if tag.strip():
            return self._publish_tag(key, draft, cas, tag.strip())
        before = self.state.entries.get(key)
        _check_cas(before, cas)
        entry = self.state.entries[key] = self._entry(key, draft, before)
        self._record("U" if before else "I", before or entry, draft.user, draft.ip)
        self._announce(key, before, entry)
        return entry

    def _publish_beta(self, key: ConfigKey, draft: Draft, cas: str, beta_ips: str) -> Entry:
        held = self.state.grays.get(key)
        before = held.entry if held else None
        _check_cas(before, cas)
        ips = tuple(ip.strip() for ip in beta_ips.split(",") if ip.strip())
        entry = self._entry(key, draft, before)
        self.state.grays[key] = Gray(entry, ips)
        told = held.ips if held else ips
        self._record("U" if before else "I", before or entry, draft.user, draft.ip, ("beta", ",".join(told)))
        self.changed(key)
        return entry

    def _publish_tag(self, key: ConfigKey, draft: Draft, cas: str, tag: str) -> Entry:
        check_tag(tag)
        variants = self.state.tagged.setdefault(key, {})
        before = variants.get(tag)
        _check_cas(before, cas)
        entry = variants[tag] = self._entry(key, draft, before)
        self._record("U" if before else "I", before or entry, draft.user, draft.ip, (f"tag_{tag}", tag))
        self._announce(key, before, entry)
        return entry

    def _entry(self, key: ConfigKey, draft: Draft, before: Entry | None) -> Entry:
        now = int(self.clock.time() * 1000)
        if before is None:
            self.state.next_id += 1
        return Entry(
            id=before.id if before else self.state.next_id - 1,
            key=key,
            content=draft.content,
            md5=digest(draft.content),
            type=None if draft.type == UNTYPED else draft.type if draft.type in TYPES else "text",
            app_name=draft.app_name or (before.app_name if before else ""),
            desc=draft.desc,
            use=draft.use,
            effect=draft.effect,
            schema=draft.schema,
            tags=_kept(draft.tags, before.tags if before else None),
            encrypted_data_key=draft.encrypted_data_key,
            create_user=draft.user,  # each publisher's own: `ConfigInfoPersistService` overwrites it
            create_ip=before.create_ip if before else draft.ip,
            created=before.created if before else now,
            modified=now,
        )

    def _announce(self, key: ConfigKey, before: Entry | None, after: Entry | None) -> None:
        if (before.md5 if before else "") != (after.md5 if after else ""):
            self.changed(key)

    # -- removing ----------------------------------------------------------------------------------------------------

    def remove(self, key: ConfigKey, *, tag: str = "", user: str = "", ip: str = "") -> bool:
        """Remove a configuration, or only its variant of a tag; answers whether there was one."""
        check_key(key)
        before = self.state.tagged.get(key, {}).pop(tag, None) if tag else self.state.entries.pop(key, None)
        if before is None:
            return False
        self._record("D", before, user, ip, (f"tag_{tag}", tag) if tag else None)
        self.changed(key)
        return True

    def stop_beta(self, key: ConfigKey, *, user: str = "", ip: str = "") -> bool:
        """Drop the beta variant; answers whether there was one."""
        gray = self.state.grays.pop(key, None)
        if gray is None:
            return False
        self._record("D", gray.entry, user, ip, ("beta", ",".join(gray.ips)))
        self.changed(key)
        return True

    # -- history -----------------------------------------------------------------------------------------------------

    def _record(self, operation: str, entry: Entry, user: str, ip: str, gray: tuple[str, str] | None = None) -> None:
        now = int(self.clock.time() * 1000)
        variant = ("gray", *gray) if gray else ("formal",)
        record = Record(self.state.next_record, operation, entry, user, ip, now, *variant)
        self.state.history.append(record)
        self.state.next_record += 1
        self.written(record)

    def history(self, key: ConfigKey) -> list[Record]:
        """The rows of one configuration, newest first."""
        return [record for record in reversed(self.state.history) if record.entry.key == key]

    def record(self, record_id: int) -> Record | None:
        """One history row."""
        return next((record for record in self.state.history if record.id == record_id), None)

    def variant(self, key: ConfigKey, name: str) -> Entry | None:
        """The entry of a variant by the name its history rows have: `beta`, `tag_x`, or nothing for the plain one."""
        if name == "beta":
            return self.state.grays[key].entry if key in self.state.grays else None
        if name:
            return self.state.tagged.get(key, {}).get(name.removeprefix("tag_"))
        return self.state.entries.get(key)

    def clean(self) -> None:
        """Drop history rows past their retention."""
        oldest = (self.clock.time() - RETENTION_SECONDS) * 1000
        if self.state.history and self.state.history[0].at < oldest:
            self.state.history = [record for record in self.state.history if record.at >= oldest]

    # -- snapshots ---------------------------------------------------------------------------------------------------

    def save(self) -> ConfigState:
        """What `restore` brings back."""
        return self.state.copy()

    def restore(self, saved: ConfigState) -> None:
        """Bring a saved state back and announce every key whose visible content differs."""
        before, self.state = self.state, saved.copy()
        # ids go on rising: a client that remembers one must not find another entry under it
        self.state.next_id = max(before.next_id, saved.next_id)
        self.state.next_record = max(before.next_record, saved.next_record)
        for key in _differing(before, self.state):
            self.changed(key)


def _check_cas(before: Entry | None, cas: str) -> None:
    if cas and before is not None and before.md5 and before.md5 != cas:
        raise CasFailed


def _kept(new: str | None, old: str | None) -> str | None:
    """Tags that a publisher does not send stay as they were."""
    return new if new is not None else old


def _differing(before: ConfigState, after: ConfigState) -> set[ConfigKey]:
    return (
        _unequal(before.entries, after.entries)
        | _unequal(before.grays, after.grays)
        | _unequal(before.tagged, after.tagged)
    )


def _unequal(before: Mapping[ConfigKey, object], after: Mapping[ConfigKey, object]) -> set[ConfigKey]:
    return {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)}
