"""State on disk (SQLite): configuration, persistent instances, explicit services, namespaces, accounts, switches.

Every write is committed before its call is answered, so `kill -9` loses nothing that was acknowledged. (A machine that
loses power may lose the last moments: the file is not forced to the disk at each write.) What lives with a connection
or a heart-beat is not kept.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from harness.emulators.nacos.auth.accounts import AccountState, Permission
from harness.emulators.nacos.config.model import ConfigKey, Entry, Gray, Record
from harness.emulators.nacos.config.store import ConfigState
from harness.emulators.nacos.domain import Domain, Snapshot
from harness.emulators.nacos.namespaces import Namespace
from harness.emulators.nacos.naming import snapshot as naming_snapshot
from harness.emulators.nacos.naming.model import ClusterSettings, Instance, Overlay, ServiceKey, ServiceMetadata
from harness.emulators.nacos.naming.snapshot import SavedNaming, SavedService
from harness.errors import SpecError

FILE = "nacos.db"
#: The layout of the file; a file of a higher one was written by a later version of this program.
LAYOUT = 1
_SCHEMA = """
CREATE TABLE IF NOT EXISTS config (tenant TEXT, grp TEXT, data_id TEXT, variant TEXT, body TEXT,
    PRIMARY KEY (tenant, grp, data_id, variant));
CREATE TABLE IF NOT EXISTS history (id INTEGER PRIMARY KEY, body TEXT);
CREATE TABLE IF NOT EXISTS service (namespace TEXT, grp TEXT, name TEXT, body TEXT, PRIMARY KEY (namespace, grp, name));
CREATE TABLE IF NOT EXISTS state (name TEXT PRIMARY KEY, body TEXT);
"""
_INSERT_CONFIG = "INSERT INTO config VALUES (?, ?, ?, ?, ?)"


class Disk:
    """One data directory, used by one server at a time. Raises SpecError if it can't be had."""

    def __init__(self, folder: Path) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(folder / FILE, timeout=0.2, isolation_level=None)
            for pragma in ("locking_mode=EXCLUSIVE", "journal_mode=WAL", "synchronous=NORMAL"):
                self._db.execute(f"PRAGMA {pragma}")
            self._db.executescript(_SCHEMA)
        except (OSError, sqlite3.Error) as error:
            raise _unusable(str(error), folder) from error
        self._folder = folder
        self._services: set[ServiceKey] = set()
        self._check_layout()

    def _check_layout(self) -> None:
        (layout,) = self._db.execute("PRAGMA user_version").fetchone()
        if layout > LAYOUT:
            self._db.close()
            raise _unusable(f"its layout is {layout}, this version knows {LAYOUT} at most", self._folder)
        self._db.execute(f"PRAGMA user_version={LAYOUT}")

    def close(self) -> None:
        """Release the directory."""
        self._db.close()

    # -- starting ----------------------------------------------------------------------------------------------------

    def load(self, domain: Domain) -> None:
        """Bring the kept state into a fresh domain; an empty directory leaves it as it is.

        Raises SpecError if what is kept can't be read.
        """
        try:
            self._load(domain)
        except (sqlite3.Error, ValueError, KeyError, TypeError) as error:
            self._db.close()
            raise _unusable(f"{type(error).__name__}: {error}", self._folder) from error

    def _load(self, domain: Domain) -> None:
        naming = self._load_naming()
        self._services = set(naming.services)
        kept = {name: json.loads(body) for name, body in self._db.execute("SELECT name, body FROM state")}
        accounts = _accounts(kept["accounts"]) if "accounts" in kept else domain.accounts.state
        spaces = {one["id"]: _namespace(one) for one in kept.get("namespaces", [])} or domain.namespaces.all
        locks = {(kind, key): until for kind, key, until in kept.get("locks", [])}
        switches = {**domain.switches.values, **kept.get("switches", {})}
        domain.restore(Snapshot(naming, switches, self._load_config(), accounts, spaces, locks))

    def attach(self, domain: Domain) -> None:
        """From now on keep what is written. (Service changes come by `service_changed`.)"""
        self._domain = domain
        domain.config.written = self._config_written
        domain.accounts.written = self._accounts_written
        domain.namespaces.written = self._namespaces_written
        domain.locks.written = self._locks_written
        domain.switches.written = self._switches_written

    def _load_config(self) -> ConfigState:
        state = ConfigState()
        for variant, body in self._db.execute("SELECT variant, body FROM config"):
            loaded = json.loads(body)
            entry = _entry(loaded["entry"])
            if variant == "":
                state.entries[entry.key] = entry
            elif variant == "beta":
                state.grays[entry.key] = Gray(entry, tuple(loaded["ips"]))
            else:
                state.tagged.setdefault(entry.key, {})[variant.removeprefix("tag:")] = entry
        for (body,) in self._db.execute("SELECT body FROM history ORDER BY id"):
            loaded = json.loads(body)
            state.history.append(Record(**{**loaded, "entry": _entry(loaded["entry"])}))
        ids = [entry.id for entry in state.entries.values()] + [record.entry.id for record in state.history]
        state.next_id = max(ids, default=0) + 1
        state.next_record = max((record.id for record in state.history), default=0) + 1
        return state

    def _load_naming(self) -> SavedNaming:
        rows = self._db.execute("SELECT namespace, grp, name, body FROM service")
        return SavedNaming({ServiceKey(*row[:3]): _service(json.loads(row[3])) for row in rows})

    # -- writing -----------------------------------------------------------------------------------------------------

    def _config_written(self, record: Record) -> None:
        with self._db:
            self._db.execute("BEGIN")
            self._write_config(record.entry.key)
            self._write_history([record])

    def _write_config(self, key: ConfigKey) -> None:
        self._db.execute("DELETE FROM config WHERE tenant = ? AND grp = ? AND data_id = ?", key)
        self._db.executemany(_INSERT_CONFIG, self._config_rows(key))

    def _config_rows(self, key: ConfigKey) -> list[tuple[str, ...]]:
        state = self._domain.config.state
        rows: list[tuple[str, dict[str, Any]]] = []
        if key in state.entries:
            rows.append(("", {"entry": _fields(state.entries[key])}))
        if key in state.grays:
            gray = state.grays[key]
            rows.append(("beta", {"entry": _fields(gray.entry), "ips": gray.ips}))
        tagged = state.tagged.get(key, {}).items()
        rows += [(f"tag:{tag}", {"entry": _fields(entry)}) for tag, entry in tagged]
        return [(*key, variant, json.dumps(body)) for variant, body in rows]

    def _write_history(self, records: Iterable[Record]) -> None:
        rows = [(record.id, json.dumps({**_fields(record), "entry": _fields(record.entry)})) for record in records]
        self._db.executemany("INSERT OR REPLACE INTO history VALUES (?, ?)", rows)

    def service_changed(self, key: ServiceKey) -> None:
        """Keep the persistent part of a service, or forget it."""
        saved = naming_snapshot.durable(self._domain.registry, key)
        if saved is not None:
            self._services.add(key)
            self._db.execute("INSERT OR REPLACE INTO service VALUES (?, ?, ?, ?)", (*key, _service_json(saved)))
        elif key in self._services:
            self._services.discard(key)
            self._db.execute("DELETE FROM service WHERE namespace = ? AND grp = ? AND name = ?", key)

    def _accounts_written(self) -> None:
        self._write_state("accounts", asdict(self._domain.accounts.state))

    def _namespaces_written(self) -> None:
        self._write_state("namespaces", [asdict(one) for one in self._domain.namespaces.all.values()])

    def _locks_written(self) -> None:
        self._write_state("locks", [[*name, until] for name, until in self._domain.locks.held.items()])

    def _switches_written(self) -> None:
        self._write_state("switches", self._domain.switches.values)

    def _write_state(self, name: str, value: Any) -> None:
        self._db.execute("INSERT OR REPLACE INTO state VALUES (?, ?)", (name, json.dumps(value)))

    @contextmanager
    def rewriting(self) -> Iterator[None]:
        """Around a reset or a restore: all of it is kept, or nothing. (Services are told by `service_changed`.)"""
        with self._db:
            self._db.execute("BEGIN")
            yield
            self._db.execute("DELETE FROM config")
            self._db.execute("DELETE FROM history")
            state = self._domain.config.state
            keys = {*state.entries, *state.grays, *state.tagged}
            self._db.executemany(_INSERT_CONFIG, [row for key in keys for row in self._config_rows(key)])
            self._write_history(state.history)
            self._accounts_written()
            self._namespaces_written()
            self._locks_written()
            self._switches_written()


def _unusable(why: str, folder: Path) -> SpecError:
    return SpecError(
        f"the data directory can't be used: {why}",
        where=str(folder / FILE),
        mend="give a directory that no other server uses, or move this file away to start empty",
    )


def _fields(frozen: Entry | Record) -> dict[str, Any]:
    """One level of a dataclass: `asdict` copies deeply, which a reset of a thousand entries need not pay."""
    return {name: getattr(frozen, name) for name in frozen.__slots__}


def _entry(loaded: dict[str, Any]) -> Entry:
    return Entry(**{**loaded, "key": ConfigKey(*loaded["key"])})


def _namespace(loaded: dict[str, Any]) -> Namespace:
    return Namespace(loaded["id"], loaded["name"], loaded["description"])  # older files have a `kind` as well


def _accounts(loaded: dict[str, Any]) -> AccountState:
    roles = [(str(role), str(user)) for role, user in loaded["roles"]]
    return AccountState(loaded["users"], roles, [Permission(**one) for one in loaded["permissions"]])


def _service_json(saved: SavedService) -> str:
    return json.dumps(
        {
            "ephemeral": saved.ephemeral,
            "metadata": asdict(saved.metadata) if saved.metadata else None,
            "publications": {client: [asdict(one) for one in many] for client, many in saved.publications.items()},
            "overlays": [[*place, asdict(overlay)] for place, overlay in saved.overlays.items()],
        }
    )


def _service(loaded: dict[str, Any]) -> SavedService:
    publications = {client: tuple(Instance(**one) for one in many) for client, many in loaded["publications"].items()}
    overlays = {(ip, port, cluster): Overlay(**overlay) for ip, port, cluster, overlay in loaded["overlays"]}
    return SavedService(loaded["ephemeral"], _metadata(loaded["metadata"]), publications, overlays)


def _metadata(loaded: dict[str, Any] | None) -> ServiceMetadata | None:
    if loaded is None:
        return None
    clusters = {name: ClusterSettings(**one) for name, one in loaded["clusters"].items()}
    return ServiceMetadata(**{**loaded, "clusters": clusters})
