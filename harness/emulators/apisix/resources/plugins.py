"""The plugins that are switched on, as configurations meet them: their schemas, checks and encrypted fields."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from harness.emulators.apisix import lua_json
from harness.emulators.apisix.encryption import Keyring
from harness.emulators.apisix.lua_source import load_problem
from harness.emulators.apisix.match import expression
from harness.emulators.apisix.plugins.base import Plugin
from harness.emulators.apisix.schema.common import INJECTED_MARK, PLUGIN_META, Schema
from harness.emulators.apisix.schema.validate import Validator

_ANY_OBJECT: Schema = {"type": "object", "properties": {}}


class Catalogue:
    """The known plugins by name, and of these the ones that config.yaml lists."""

    def __init__(self, known: Mapping[str, type[Plugin]], enabled: Iterable[str]) -> None:
        self.known = known
        self.enabled = {name: known[name] for name in enabled if name in known}
        #: plugin_metadata/<name> as it is now, where that is known
        self.metadata: Callable[[str], Mapping[str, Any]] | None = None
        self._schemas: dict[tuple[str, str], Schema] = {}
        self._validators: dict[tuple[str, str], Validator] = {}

    def by_priority(self) -> list[str]:
        """The names of the enabled ones, the highest priority first."""
        return sorted(self.enabled, key=lambda name: -self.enabled[name].priority)

    def schema(self, name: str, role: str = "") -> Schema | None:
        """A plugin's schema for a role ("", "consumer", "metadata") as the Admin API shows it; None without one."""
        if (name, role) not in self._schemas:
            schema = _schema(self.known[name], role)
            if schema is None:
                return None
            self._schemas[name, role] = schema
        return self._schemas[name, role]

    def check(self, plugins: Any, role: str = "", *, skip_unknown: bool = False) -> str | None:
        """What is wrong with these configurations (defaults are filled in), or None."""
        if not isinstance(plugins, dict):
            return None
        for name, conf in plugins.items():
            if conf == [] and isinstance(conf, list):
                conf = plugins[name] = {}
            reason = self._check_one(name, conf, role, skip_unknown)
            if reason is not None:
                return reason
        return None

    def _check_one(self, name: str, conf: Any, role: str, skip_unknown: bool) -> str | None:
        if not isinstance(conf, dict):
            shown = lua_json.encode(conf).decode("utf-8", "surrogateescape")
            return f"invalid plugin conf {shown} for plugin [{name}]"
        if name not in self.enabled:
            return None if skip_unknown else f"unknown plugin [{name}]"
        reason = self._problem(name, conf, role)
        meta = conf.get("_meta")
        if reason is not None and not (isinstance(meta, dict) and meta.get("disable") is True):
            return self.refusal(name, reason)
        return self.meta_problem(name, meta)

    def refusal(self, name: str, reason: str) -> str:
        """What is said of a wrong configuration."""
        return f"failed to check the configuration of plugin {name} err: {reason}"

    def meta_problem(self, name: str, meta: Any) -> str | None:
        """What is wrong with `_meta` beyond its schema, or None."""
        return _meta_problem(name, meta)

    def _problem(self, name: str, conf: dict[str, Any], role: str) -> str | None:
        plugin = self.known[name]
        if role == "consumer" and plugin.consumer_schema is None:
            role = ""
        reason = self._validator(name, role).check(conf)
        if reason is not None:
            return plugin.reword(reason, conf)
        if role:
            return plugin.check_consumer(conf)
        return plugin.check(conf) or (plugin.check_beside(conf, self.metadata(name)) if self.metadata else None)

    def check_metadata(self, name: str, conf: Any) -> str | None:
        """What is wrong with a plugin's metadata, or None. Raises KeyError for an unknown plugin."""
        if self.known[name].metadata_schema is None:
            return Validator(_ANY_OBJECT).check(conf)
        return self._validator(name, "metadata").check(conf)

    def _validator(self, name: str, role: str) -> Validator:
        if (name, role) not in self._validators:
            self._validators[name, role] = Validator(self.schema(name, role) or _ANY_OBJECT)
        return self._validators[name, role]

    def encrypt(self, plugins: Any, keyring: Keyring, role: str = "") -> None:
        """Encrypt the plugins' secret fields in place."""
        self._change(plugins, keyring, role, keyring.encrypt)

    def decrypt(self, plugins: Any, keyring: Keyring, role: str = "") -> None:
        """Decrypt them in place; what no key opens stays as it is."""
        self._change(plugins, keyring, role, keyring.decrypt)

    def _change(self, plugins: Any, keyring: Keyring, role: str, change: Callable[[str], str | None]) -> None:
        if not keyring.fields or not isinstance(plugins, dict):
            return
        for name, conf in plugins.items():
            for path in self.secret_fields(name, role):
                keyring.apply(conf, path, change)

    def secret_fields(self, name: str, role: str = "") -> tuple[str, ...]:
        """The dotted paths that are kept encrypted."""
        plugin = self.enabled.get(name)
        if plugin is None:
            return ()
        if role == "metadata":
            return tuple((plugin.metadata_schema or {}).get("encrypt_fields", ()))
        if role == "consumer" and plugin.consumer_schema is not None:
            return plugin.consumer_encrypt_fields
        return plugin.encrypt_fields


def _schema(plugin: type[Plugin], role: str) -> Schema | None:
    if role == "metadata":
        return plugin.metadata_schema
    if role == "consumer":
        return _with_secrets(plugin.consumer_schema, plugin.consumer_encrypt_fields)
    whole = _with_secrets(plugin.schema, plugin.encrypt_fields)
    assert whole is not None
    properties = {**whole.get("properties", {}), "_meta": PLUGIN_META}
    return {**whole, "properties": properties, "$comment": INJECTED_MARK}


def _with_secrets(schema: Schema | None, fields: tuple[str, ...]) -> Schema | None:
    if schema is None or not fields:
        return schema
    return {**schema, "encrypt_fields": list(fields)}


def _meta_problem(name: str, meta: Any) -> str | None:
    if not isinstance(meta, dict):
        return None
    reason = expression.check(meta["filter"]) if meta.get("filter") is not None else None
    if reason is not None:
        return f"failed to validate the 'vars' expression: {reason}"
    source = meta.get("pre_function")
    reason = load_problem(source, "meta pre_function") if isinstance(source, str) else None
    return f"failed to load _meta.pre_function in plugin {name}: {reason}" if reason is not None else None
