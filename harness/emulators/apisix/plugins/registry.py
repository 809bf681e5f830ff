"""Every plugin the gateway knows: one line each, in the order of their names."""

from __future__ import annotations

from harness.emulators.apisix.plugins.base import Plugin
from harness.emulators.apisix.plugins.limit_count import LimitCount
from harness.emulators.apisix.plugins.proxy_rewrite import ProxyRewrite
from harness.emulators.apisix.plugins.request_id import RequestId

#: one file, one line here, one test file a plugin
PLUGINS: tuple[type[Plugin], ...] = (
    LimitCount,
    ProxyRewrite,
    RequestId,
)

BY_NAME: dict[str, type[Plugin]] = {plugin.name: plugin for plugin in PLUGINS}
