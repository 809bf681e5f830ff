"""Who the consumers are, for each auth plugin, as the store has them now."""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from harness.emulators.apisix.consumers import ConsumerEntry, ConsumerIndex
from harness.emulators.apisix.plugins.base import Plugin
from harness.emulators.apisix.plugins.registry import BY_NAME
from harness.emulators.apisix.schema.validate import Validator, is_secret_reference
from harness.emulators.apisix.store import Entry

log = logging.getLogger(__name__)


class Directory:
    """The consumers and their credentials; indexes are made at first use after a change."""

    def __init__(
        self,
        entries: Mapping[str, Entry],
        validator: Callable[[type[Plugin]], Validator],
        secret: Callable[[Any], Any],
    ) -> None:
        self._entries = entries
        self._validator = validator
        self._secret = secret
        self._indexes: dict[str, ConsumerIndex] = {}
        self._by_name: dict[str, ConsumerEntry] = {}

    def changed(self) -> None:
        """Consumers, credentials or secrets changed."""
        self._indexes.clear()
        self._by_name.clear()

    def index(self, plugin: str) -> ConsumerIndex:
        """The consumers that have the auth plugin."""
        found = self._indexes.get(plugin)
        if found is None:
            kind = BY_NAME[plugin]
            found = self._indexes[plugin] = ConsumerIndex(tuple(self._find(kind)), kind.consumer_key)
        return found

    def named(self, name: str) -> ConsumerEntry | None:
        """A consumer by its username, without any plugin's configuration."""
        found = self._by_name.get(name)
        if found is None and (entry := self._entries.get(name)) is not None:
            found = self._by_name[name] = _consumer(entry, {}, "")
        return found

    def _find(self, kind: type[Plugin]) -> Iterator[ConsumerEntry]:
        for id_, entry in self._entries.items():
            conf = (entry.value.get("plugins") or {}).get(kind.name)
            if not isinstance(conf, dict):
                continue
            name, _, credential = id_.partition("/credentials/")
            holder = self._entries.get(name)
            checked = self._checked(kind, conf, id_)
            if holder is not None and checked is not None:
                yield _consumer(holder, checked, credential, entry.modified_index)

    def _checked(self, kind: type[Plugin], conf: dict[str, Any], id_: str) -> dict[str, Any] | None:
        own = copy.deepcopy(conf)
        own.pop("_meta", None)
        own = dict(self._secret(own))
        if _has_reference(own):
            # consumer.lua: closed, lest the reference itself be taken for the credential
            log.error("failed to resolve secret reference in consumer auth credential, skipping consumer: %s", id_)
            return None
        problem = self._validator(kind).check(own)
        if problem:
            log.error("plugin %s of consumer %s: %s", kind.name, id_, problem)
            return None
        return own


def _has_reference(value: Any) -> bool:
    if isinstance(value, Mapping):
        return any(_has_reference(member) for member in value.values())
    return is_secret_reference(value)


def _consumer(entry: Entry, auth_conf: Mapping[str, Any], credential: str, modified: int = 0) -> ConsumerEntry:
    value = entry.value
    labels = value.get("labels") or {}
    return ConsumerEntry(
        name=str(value.get("username") or entry.id),
        auth_conf=auth_conf,
        credential_id=credential,
        group_id=str(value.get("group_id") or ""),
        custom_id=str(labels.get("custom_id") or ""),
        labels=labels,
        plugins=value.get("plugins") or {},
        modified_index=max(entry.modified_index, modified),
    )
