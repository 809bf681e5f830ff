"""From a stored value to what the data plane uses: checked, defaults filled in, secrets decrypted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from harness.emulators.apisix.encryption import Keyring
from harness.emulators.apisix.plugins.base import Plugin
from harness.emulators.apisix.plugins.registry import BY_NAME
from harness.emulators.apisix.resources.duplicates import AuthKeys
from harness.emulators.apisix.resources.kind import Desk, Kind
from harness.emulators.apisix.resources.plugin_names import BY_DEFAULT, ON_DEMAND
from harness.emulators.apisix.resources.plugins import Catalogue
from harness.emulators.apisix.resources.registry import BY_DIRECTORY
from harness.emulators.apisix.resources.stream_plugins import StreamCatalogue
from harness.emulators.apisix.settings import Settings
from harness.emulators.apisix.store import Prepare, Table


def make_catalogue(settings: Settings, known: Mapping[str, type[Plugin]]) -> Catalogue:
    """The plugins that the settings switch on, in the order of the settings or of APISIX's own list."""
    names = settings.plugins if settings.plugins is not None else (*BY_DEFAULT, *ON_DEMAND)
    return Catalogue(known, names)


def make_keyring(settings: Settings) -> Keyring:
    """The keyring of the settings."""
    return Keyring(settings.keyring, fields=settings.encrypt_fields)


def make_desk(table: Table, settings: Settings) -> Desk:
    """What the checks of an Admin API on a table work with."""
    return Desk(
        table,
        make_catalogue(settings, BY_NAME),
        make_keyring(settings),
        AuthKeys(table),
        StreamCatalogue(settings.stream_plugins),
        settings.xrpc_protocols,
    )


def make_prepare(settings: Settings) -> Prepare:
    """What a store asks about each value that it reads."""
    streams = StreamCatalogue(settings.stream_plugins)
    return Preparation(make_catalogue(settings, BY_NAME), make_keyring(settings), streams).prepare


class Preparation:
    """The checks of the data plane: schemas and plugins, but no references (config_etcd.lua with each checker)."""

    def __init__(self, plugins: Catalogue, keyring: Keyring, streams: Catalogue) -> None:
        self._plugins = plugins
        self._streams = streams
        self._keyring = keyring

    def prepare(self, directory: str, id_: str, value: Any) -> dict[str, Any]:
        """The value to use. Raises ValueError with the reason when the data plane would not take it."""
        if not isinstance(value, dict):
            raise ValueError("invalid item data, it should be an object")
        kind = _kind_of(directory, id_)
        if directory == "plugin_metadata":
            self._prepare_metadata(id_, value)
        elif kind is not None:
            self._prepare_resource(kind, value)
        return value

    def _prepare_resource(self, kind: Kind, value: dict[str, Any]) -> None:
        # only known to those that wrote it: how long it lives, what else an Admin API of another version adds
        reason = kind.validator.check(value) if kind.schema else None
        plugins = self._streams if kind.directory == "stream_routes" else self._plugins
        reason = reason or plugins.check(value.get("plugins"), kind.plugin_role, skip_unknown=True)
        if reason is not None:
            raise ValueError(reason)
        if kind.plugin_role != "metadata":
            self._plugins.decrypt(value.get("plugins"), self._keyring, kind.plugin_role)
        for decrypt in _KEYS.get(kind.directory, ()):
            decrypt(value, self._keyring)

    def _prepare_metadata(self, name: str, value: dict[str, Any]) -> None:
        if name not in self._plugins.enabled:
            return
        reason = self._plugins.check_metadata(name, value)
        if reason is not None:
            raise ValueError(reason)
        self._plugins.decrypt({name: value}, self._keyring, "metadata")


def _kind_of(directory: str, id_: str) -> Kind | None:
    if "/credentials/" in id_ and directory == "consumers":
        return BY_DIRECTORY["credentials"]
    if "/graphql_cost_decorations/" in id_ and directory == "services":
        return BY_DIRECTORY["graphql_cost_decorations"]
    return BY_DIRECTORY.get(directory)


def _decrypt_ssl(value: dict[str, Any], keyring: Keyring) -> None:
    for member in ("key", "keys"):
        keyring.apply(value, member, keyring.decrypt_key)


def _decrypt_upstream(value: dict[str, Any], keyring: Keyring) -> None:
    keyring.apply(value, "tls.client_key", keyring.decrypt_key)


def _decrypt_inner_upstream(value: dict[str, Any], keyring: Keyring) -> None:
    keyring.apply(value, "upstream.tls.client_key", keyring.decrypt_key)


_KEYS: dict[str, tuple[Callable[[dict[str, Any], Keyring], None], ...]] = {
    "ssls": (_decrypt_ssl,),
    "upstreams": (_decrypt_upstream,),
    "routes": (_decrypt_inner_upstream,),
    "services": (_decrypt_inner_upstream,),
}
