"""Every plugin the gateway knows: one line each, in the order of their names."""

from __future__ import annotations

from harness.emulators.apisix.plugins.base import Plugin

#: one file, one line here, one test file a plugin
PLUGINS: tuple[type[Plugin], ...] = ()

BY_NAME: dict[str, type[Plugin]] = {plugin.name: plugin for plugin in PLUGINS}
