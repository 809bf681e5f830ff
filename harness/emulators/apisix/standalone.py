"""Configuration without etcd: the file apisix.yaml, or one that the Admin API takes whole (config_yaml.lua)."""

from __future__ import annotations

import asyncio
import logging
import os
import re
from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

import yaml

from harness.emulators.apisix import lua_json
from harness.emulators.apisix.schema.wording import text
from harness.emulators.apisix.store import KINDS, Change, Entry, Prepare, Table

log = logging.getLogger("harness.apisix.standalone")

#: seconds between looks at the file (the real one looks once a second)
LOOK = 0.05

_END = re.compile(r"#END\s*$")
#: ${{NAME}} and ${{NAME:=default}}
_VARIABLE = re.compile(r"\$\{\{\s*(\w+)\s*(?::=(.*?))?\s*\}\}")


class StandaloneTable(Table):
    """A table whose whole content is replaced at once; entries that stay the same are left alone."""

    def __init__(self, prepare: Prepare, path: Path | None = None) -> None:
        super().__init__(prepare)
        self.revision = 0
        self._progress = asyncio.Event()
        self._file = ConfigurationFile(path, self) if path is not None else None

    async def start(self) -> None:
        """Read the file, where there is one, and follow it."""
        if self._file is not None:
            await self._file.start()

    async def stop(self) -> None:
        """Follow it no more."""
        if self._file is not None:
            await self._file.stop()

    async def reached(self, revision: int) -> None:
        """Wait until the content has been replaced that many times."""
        while self.revision < revision:
            self._progress.clear()
            await self._progress.wait()

    def replace(self, configuration: Mapping[str, Any], versions: Mapping[str, int]) -> None:
        """Take a configuration: {"routes": […], …}; `versions` are the indexes of items that bring none."""
        self.revision += 1
        changes: list[Change] = []
        for kind in KINDS:
            items = configuration.get(kind)
            changes.extend(self._changes(kind, items if isinstance(items, list) else [], versions.get(kind, 0)))
        self._apply(changes)
        self._progress.set()

    def _changes(self, kind: str, items: list[Any], version: int) -> list[Change]:
        held = self.get(kind)
        fresh = {entry.id: entry for entry in self._entries(kind, items, version)}
        gone: list[Change] = [(kind, id_, None) for id_ in held if id_ not in fresh]
        kept = _unchanged(items, held) if self._file is None else set()
        return gone + [(kind, id_, entry) for id_, entry in fresh.items() if id_ not in kept and held.get(id_) != entry]

    def _entries(self, kind: str, items: list[Any], version: int) -> list[Entry]:
        entries = (self._item(kind, place, deepcopy(item), version) for place, item in enumerate(items, 1))
        return [entry for entry in entries if entry is not None]

    def _item(self, kind: str, place: int, item: Any, version: int) -> Entry | None:
        """The entry for one item, None (logged) for one that can't be used; without an id its place is its name."""
        if not isinstance(item, dict):
            log.error("invalid item data of [%s], val: %r, it should be an object", kind, item)
            return None
        index = item.pop("modifiedIndex", version)
        id_ = _id(item, place)
        try:
            value = self._prepare(kind, id_, item)
        except ValueError as reason:
            log.error("failed to check item data of [%s/%s] err: %s", kind, id_, reason)
            return None
        value["id"] = id_
        return Entry(kind, id_, value, index, index)


def _id(item: Mapping[str, Any], place: int) -> str:
    return text(item.get("id") or item.get("username") or f"arr_{place}")


def _unchanged(items: list[Any], held: Mapping[str, Entry]) -> set[str]:
    """The ids of items that bring the modifiedIndex they have already: they stay as they are, whatever they say."""
    found: set[str] = set()
    for place, item in enumerate(items, 1):
        if isinstance(item, dict) and item.get("modifiedIndex") is not None:
            entry = held.get(_id(item, place))
            if entry is not None and entry.modified_index == item["modifiedIndex"]:
                found.add(entry.id)
    return found


class ConfigurationFile:
    """apisix.yaml (or .json), followed as it changes; a YAML that does not end with #END is still being written."""

    def __init__(self, path: Path, table: StandaloneTable) -> None:
        self._path = path
        self._table = table
        self._seen = (0, 0)
        self._following: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Read the file and go on looking at it."""
        self._look()
        self._following = asyncio.create_task(self._follow(), name=f"following {self._path}")

    async def stop(self) -> None:
        """Look no more."""
        if self._following is not None:
            self._following.cancel()
            await asyncio.gather(self._following, return_exceptions=True)

    async def _follow(self) -> None:
        while True:
            await asyncio.sleep(LOOK)
            self._look()

    def _look(self) -> None:
        try:
            status = self._path.stat()
            seen = (status.st_mtime_ns, status.st_size)
            if seen == self._seen:
                return
            self._seen = seen
            configuration = parse(self._path)
        except (OSError, ValueError) as error:
            log.error("failed to parse the content of file %s: %s", self._path, error)
            return
        self._table.replace(configuration, dict.fromkeys(KINDS, int(status.st_mtime)))


def parse(path: Path) -> dict[str, Any]:
    """The content of a configuration file, environment variables filled in. Raises OSError or ValueError."""
    raw = path.read_text()
    if path.suffix == ".json":
        found = _filled(lua_json.decode(raw))
    else:
        if not _END.search(raw[-10:]):
            raise ValueError(f"missing valid end flag in file {path}")
        found = _yaml(with_environment(raw))
    if found is None:
        raise ValueError("failed update config: empty table")
    if not isinstance(found, dict):
        raise ValueError("a configuration is a mapping of kinds")
    return found


def _yaml(raw: str) -> Any:
    try:
        return yaml.safe_load(raw)
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from error


def _filled(value: Any) -> Any:
    """JSON with its variables filled in: a text that has one may become a number or a boolean (cli/file.lua)."""
    if isinstance(value, dict):
        return {with_environment(name): _filled(member) for name, member in value.items()}
    if isinstance(value, list):
        return [_filled(member) for member in value]
    if not isinstance(value, str) or not _VARIABLE.search(value):
        return value
    text_ = with_environment(value)
    if text_ in ("true", "false"):
        return text_ == "true"
    return _number(text_)


def _number(text_: str) -> Any:
    try:
        return int(text_)
    except ValueError:
        pass
    try:
        return float(text_)
    except ValueError:
        return text_


def with_environment(raw: str) -> str:
    """The text with ${{NAME}} filled in. Raises ValueError for a variable that isn't set and has no default."""

    def fill(found: re.Match[str]) -> str:
        value = os.environ.get(found[1], found[2])
        if value is None:
            raise ValueError(f"failed to handle configuration: can't find environment variable {found[1]}")
        return value

    return _VARIABLE.sub(fill, raw)
