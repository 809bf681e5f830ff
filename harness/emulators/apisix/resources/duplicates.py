"""Who holds which authentication key, so that a second consumer with the same one is refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from harness.emulators.apisix.schema.validate import is_secret_reference
from harness.emulators.apisix.store import Change, Entry, Table

#: the member that must be unique, by plugin (consumer.lua, plugin_unique_key_attrs)
UNIQUE = {
    "key-auth": "key",
    "basic-auth": "username",
    "jwt-auth": "key",
    "hmac-auth": "key_id",
    "ldap-auth": "user_dn",
    "ldap-auth-advanced": "user_dn",
}

#: (plugin, value of its unique member)
Key = tuple[str, str]


class AuthKeys:
    """The holders of each key, kept up to date by the table's changes."""

    def __init__(self, table: Table) -> None:
        self._holders: dict[Key, list[str]] = {}
        self._keys: dict[str, list[Key]] = {}
        self._learn([("consumers", id_, entry) for id_, entry in table.get("consumers").items()])
        table.subscribe(self._learn)

    def problem(self, plugins: Any, consumer: str, credential: str = "") -> str | None:
        """What is wrong with these plugins on that consumer (or on its credential), or None."""
        for plugin, value in _keys(plugins):
            holders = self._holders.get((plugin, value))
            if not holders:
                continue
            name, _, holder = holders[-1].partition("/credentials/")
            if name == consumer and (not credential or credential == holder):
                continue
            owner = f"credential: {holder} of consumer: {name}" if holder else f"consumer: {name}"
            return f"duplicate {UNIQUE[plugin]} of plugin {plugin} found with {owner}"
        return None

    def _learn(self, changes: Sequence[Change]) -> None:
        for kind, id_, entry in changes:
            if kind == "consumers":
                self._forget(id_)
                if entry is not None:
                    self._note(id_, entry)

    def _note(self, id_: str, entry: Entry) -> None:
        keys = _keys(entry.value.get("plugins"))
        if keys:
            self._keys[id_] = keys
        for key in keys:
            self._holders.setdefault(key, []).append(id_)

    def _forget(self, id_: str) -> None:
        for key in self._keys.pop(id_, ()):
            holders = self._holders[key]
            holders.remove(id_)
            if not holders:
                del self._holders[key]


def _keys(plugins: Any) -> list[Key]:
    if not isinstance(plugins, Mapping):
        return []
    found = []
    for plugin, member in UNIQUE.items():
        conf = plugins.get(plugin)
        value = conf.get(member) if isinstance(conf, Mapping) else None
        if isinstance(value, str) and not is_secret_reference(value):
            found.append((plugin, value))
    return found
