"""Every plugin the gateway knows: one line each, in the order of their names."""

from __future__ import annotations

from harness.emulators.apisix.plugins.base import Plugin
from harness.emulators.apisix.plugins.basic_auth import BasicAuth
from harness.emulators.apisix.plugins.cors import Cors
from harness.emulators.apisix.plugins.ip_restriction import IpRestriction
from harness.emulators.apisix.plugins.jwt_auth import JwtAuth
from harness.emulators.apisix.plugins.key_auth import KeyAuth
from harness.emulators.apisix.plugins.limit_count import LimitCount
from harness.emulators.apisix.plugins.prometheus import Prometheus
from harness.emulators.apisix.plugins.proxy_rewrite import ProxyRewrite
from harness.emulators.apisix.plugins.request_id import RequestId
from harness.emulators.apisix.plugins.ua_restriction import UaRestriction
from harness.emulators.apisix.plugins.uri_blocker import UriBlocker

#: one file, one line here, one test file a plugin
PLUGINS: tuple[type[Plugin], ...] = (
    BasicAuth,
    Cors,
    IpRestriction,
    JwtAuth,
    KeyAuth,
    LimitCount,
    Prometheus,
    ProxyRewrite,
    RequestId,
    UaRestriction,
    UriBlocker,
)

BY_NAME: dict[str, type[Plugin]] = {plugin.name: plugin for plugin in PLUGINS}
