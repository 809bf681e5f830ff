"""Every key of APISIX's config.yaml: honoured, of no matter here, or refused when it would change what happens."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any, Final

from harness.errors import SpecError

log = logging.getLogger("harness.emulators.apisix")

#: read by config_yaml.py, wire_settings.py, access.py and the plugins
HONOURED: Final = (
    "apisix.node_listen",
    "apisix.enable_admin",
    "apisix.enable_control",
    "apisix.control.ip",
    "apisix.control.port",
    "apisix.status.ip",
    "apisix.status.port",
    "apisix.enable_http2",
    "apisix.enable_server_tokens",
    "apisix.show_upstream_status_in_response_header",
    "apisix.delete_uri_tail_slash",
    "apisix.match_uri_encoded_slash",
    "apisix.router.http",
    "apisix.proxy_mode",
    "apisix.dns_resolver",
    "apisix.dns_resolver_valid",
    "apisix.ssl.enable",
    "apisix.ssl.listen",
    "apisix.ssl.fallback_sni",
    "apisix.ssl.ssl_trusted_certificate",
    "apisix.ssl.ssl_protocols",
    "apisix.ssl.ssl_ciphers",
    "apisix.ssl.ssl_session_tickets",
    "apisix.data_encryption.enable_encrypt_fields",
    "apisix.data_encryption.keyring",
    "apisix.disable_upstream_healthcheck",
    "apisix.trusted_addresses",
    "apisix.lru.secret.ttl",
    "apisix.lru.secret.neg_ttl",
    "nginx_config.http.real_ip_header",
    "nginx_config.http.real_ip_from",
    "nginx_config.http.keepalive_timeout",
    "nginx_config.http.client_header_timeout",
    "nginx_config.http.client_body_timeout",
    "nginx_config.http.client_max_body_size",
    "nginx_config.http.send_timeout",
    "nginx_config.worker_shutdown_timeout",
    "nginx_config.http.upstream.keepalive",
    "nginx_config.http.upstream.keepalive_requests",
    "nginx_config.http.upstream.keepalive_timeout",
    "discovery.dns.servers",
    "discovery.dns.resolv_conf",
    "discovery.dns.order",
    "discovery.nacos.*",
    "plugins",
    "stream_plugins",
    "xrpc.protocols",
    "plugin_attr.*",
    "deployment.role",
    "deployment.role_traditional.config_provider",
    "deployment.role_data_plane.config_provider",
    "deployment.role_control_plane.config_provider",
    "deployment.admin.admin_key_required",
    "deployment.admin.admin_key",
    "deployment.admin.enable_admin_cors",
    "deployment.admin.allow_admin",
    "deployment.admin.admin_listen.ip",
    "deployment.admin.admin_listen.port",
    "deployment.admin.admin_api_version",
    "deployment.etcd.host",
    "deployment.etcd.prefix",
    "deployment.etcd.timeout",
    "deployment.etcd.watch_timeout",
    "deployment.etcd.user",
    "deployment.etcd.password",
    "deployment.etcd.tls.cert",
    "deployment.etcd.tls.key",
    "deployment.etcd.tls.verify",
    "deployment.etcd.tls.sni",
)

#: key (or pattern) → why any value will do
NO_MATTER: Final[Mapping[str, str]] = {
    "apisix.enable_dev_mode": "the workers are chosen with --workers",
    "apisix.enable_reuseport": "how nginx shares a port among its workers",
    "apisix.enable_ipv6": "listeners are where node_listen puts them",
    "apisix.proxy_cache.zones": "only their names are looked at, see below",
    "apisix.max_post_args_readable_size": "a body that large is not matched on a laptop",
    "apisix.resolver_timeout": "the system's resolver has its own",
    "apisix.enable_resolv_search_opt": "the system's resolver reads resolv.conf itself",
    "apisix.disable_sync_configuration_during_start": "an escape hatch of the start",
    "apisix.worker_startup_time_threshold": "tells a restarted worker from a new one",
    "apisix.lru.secret.count": "the cache has no bounds",
    "apisix.lru.secret.neg_count": "the cache has no bounds",
    "nginx_config.user": "the process's own user",
    "nginx_config.error_log": "the log goes to the standard error",
    "nginx_config.error_log_level": "the log goes to the standard error",
    "nginx_config.worker_processes": "chosen with --workers; counters are exact with any number",
    "nginx_config.enable_cpu_affinity": "where processes run",
    "nginx_config.worker_rlimit_nofile": "the process's own limits",
    "nginx_config.max_pending_timers": "nginx's own limits",
    "nginx_config.max_running_timers": "nginx's own limits",
    "nginx_config.event.worker_connections": "nginx's own limits",
    "nginx_config.envs": "the whole environment is there",
    "nginx_config.meta.*": "sizes of shared dictionaries",
    "nginx_config.stream.*": "there is no stream proxy",
    "nginx_config.http.enable_access_log": "the journal takes the access log's place",
    "nginx_config.http.access_log": "the journal takes the access log's place",
    "nginx_config.http.access_log_buffer": "the journal takes the access log's place",
    "nginx_config.http.access_log_format": "the journal takes the access log's place",
    "nginx_config.http.access_log_format_escape": "the journal takes the access log's place",
    "nginx_config.http.custom_lua_shared_dict.*": "sizes of shared dictionaries",
    "nginx_config.http.lua_shared_dict.*": "sizes of shared dictionaries",
    "nginx_config.http.variables_hash_max_size": "nginx's own limits",
    "deployment.admin.enable_admin_ui": "there is no dashboard",
    "deployment.etcd.resync_delay": "it resynchronises at once",
    "deployment.etcd.health_check_timeout": "every member is tried at each request",
    "deployment.etcd.startup_retry": "etcd is waited for",
}

#: key (or pattern) → the values that change nothing; any other is refused
ONLY: Final[Mapping[str, tuple[Any, ...]]] = {
    "apisix.proxy_protocol": (None, {}),
    "apisix.extra_lua_path": ("",),
    "apisix.extra_lua_cpath": ("",),
    "apisix.lua_module_hook": (None, ""),
    "apisix.proxy_cache.cache_ttl": ("10s",),
    "apisix.normalize_uri_like_servlet": (False,),
    "apisix.router.ssl": ("radixtree_sni",),
    "apisix.stream_proxy": (None, {}),
    "apisix.tracing": (False,),
    "nginx_config.*_snippet": (None, ""),
    "nginx_config.http.underscores_in_headers": ("on", True),
    "nginx_config.http.real_ip_recursive": ("off", False),
    "nginx_config.http.proxy_ssl_server_name": (True,),
    "nginx_config.http.charset": ("utf-8",),
    "discovery.*": (None,),
    "graphql.max_size": (1048576,),
    "ext-plugin": (None, {}),
    "wasm": (None, {}),
    "deployment.certs": (None, {}),
    "deployment.admin.https_admin": (None, False),
    "deployment.admin.admin_api_mtls.*": (None, ""),
}
#: the names that plugins may give as their cache_zone (plugins/proxy_cache.py)
_ZONES: Final = frozenset({"disk_cache_one", "memory_cache"})


def check(config: Mapping[str, Any]) -> None:
    """Raise SpecError for the first key whose value can't be honoured; one that nobody knows is logged."""
    for path, value in leaves(config):
        if _among(path, HONOURED):
            continue
        if (allowed := _found(path, ONLY)) is not None:
            _check_only(path, value, allowed)
        elif _found(path, NO_MATTER) is None:
            log.warning("config.yaml: nothing is known of %s, it is passed over", path)
    _check_zones(config)


def leaves(config: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The dotted keys with their values, down to where a key is listed here or no mapping stands."""
    for name, value in config.items():
        path = f"{prefix}{name}"
        if isinstance(value, Mapping) and value and not _listed(path):
            yield from leaves(value, f"{path}.")
        else:
            yield path, value


def _listed(path: str) -> bool:
    return _among(path, HONOURED) or path in ONLY or path in NO_MATTER


def _among(path: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(path, pattern) for pattern in patterns)


def _found(path: str, table: Mapping[str, Any]) -> Any:
    """What a table says of a key: by its name, else by a pattern."""
    if path in table:
        return table[path]
    return next((found for pattern, found in table.items() if fnmatchcase(path, pattern)), None)


def _check_only(path: str, value: Any, allowed: tuple[Any, ...]) -> None:
    if path.endswith("_snippet"):
        value = _without_comments(value)
    if value is not None and not any(value == one and type(value) is type(one) for one in allowed):
        usual = " or ".join(repr(one) for one in allowed if one not in (None, {}, [])) or "nothing"
        raise SpecError(f"{path}: {value!r} is not emulated, {usual} is", mend=f"leave {path} out")


def _without_comments(snippet: Any) -> str:
    lines = (line.strip() for line in str(snippet or "").splitlines())
    return "\n".join(line for line in lines if line and not line.startswith("#"))


def _check_zones(config: Mapping[str, Any]) -> None:
    cache = (config.get("apisix") or {}).get("proxy_cache") or {}
    for zone in cache.get("zones") or ():
        if zone.get("name") not in _ZONES:
            known = ", ".join(sorted(_ZONES))
            raise SpecError(f"apisix.proxy_cache.zones: no zone {zone.get('name')!r}, only {known}", mend="use these")
