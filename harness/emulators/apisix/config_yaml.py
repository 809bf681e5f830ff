"""An APISIX config.yaml as the gateway's settings."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from harness.emulators.apisix import config_keys
from harness.emulators.apisix.settings import AdminKey, Settings
from harness.emulators.apisix.wire_settings import wire_of
from harness.errors import SpecError

log = logging.getLogger("harness.emulators.apisix")

#: where the real gateway listens when config.yaml names no address
_ANYWHERE: Final = "0.0.0.0"
#: role → its usual provider
_ROLES: Final = {"traditional": "etcd", "data_plane": "etcd", "control_plane": "etcd"}


def load(path: Path, base: Settings | None = None) -> Settings:
    """Settings from an APISIX config.yaml over `base`; raises SpecError for what can't be read or isn't emulated."""
    import yaml  # only who has a config.yaml pays for it

    from harness.emulators.apisix.standalone import with_environment

    try:
        config = yaml.safe_load(with_environment(path.read_text())) or {}
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise SpecError(f"can't read the configuration: {error}", where=str(path)) from error
    if not isinstance(config, dict):
        raise SpecError("a configuration is a mapping", where=str(path), mend="see APISIX's config.yaml.example")
    settings = from_config(config, base or Settings())
    if settings.standalone != "file" or settings.standalone_file is not None:
        return settings
    return replace(settings, standalone_file=_beside(path, config))


def _beside(path: Path, config: Mapping[str, Any]) -> Path:
    """apisix.yaml (or apisix.json) in the directory of config.yaml."""
    deployment = config.get("deployment") or {}
    provider = (deployment.get("role_data_plane") or {}).get("config_provider")
    return path.with_name(f"apisix.{provider or 'yaml'}")


def from_config(config: Mapping[str, Any], base: Settings) -> Settings:
    """Settings from the content of a config.yaml over `base`; raises SpecError."""
    config_keys.check(config)
    changes: dict[str, Any] = {"config": config, "wire": wire_of(config)}
    _apisix(config.get("apisix") or {}, changes)
    _listeners(config.get("apisix") or {}, changes)
    http = (config.get("nginx_config") or {}).get("http") or {}
    if "real_ip_header" in http:
        changes["real_ip_header"] = str(http["real_ip_header"])
    if "real_ip_from" in http:
        changes["real_ip_from"] = tuple(http["real_ip_from"] or ())
    for member in ("plugins", "stream_plugins"):
        if config.get(member) is not None:
            changes[member] = tuple(config[member])
    _warn_of_missing(changes.get("plugins", ()))
    protocols = (config.get("xrpc") or {}).get("protocols") or ()
    changes["xrpc_protocols"] = tuple(str(protocol["name"]) for protocol in protocols)
    changes["discovery"] = config.get("discovery") or {}
    _plugin_attr(config.get("plugin_attr") or {}, changes)
    _deployment(config.get("deployment") or {}, changes)
    return replace(base, **changes)


def _warn_of_missing(listed: Iterable[str]) -> None:
    """A plugin that isn't there is refused where it is used; a list may name it, as APISIX's own does."""
    from harness.emulators.apisix.plugins.registry import BY_NAME

    missing = [name for name in listed if name not in BY_NAME]
    if missing:
        log.warning("config.yaml: these plugins are not emulated, resources with them are refused: %s", missing)


def _apisix(apisix: Mapping[str, Any], changes: dict[str, Any]) -> None:
    router = (apisix.get("router") or {}).get("http")
    if router:
        changes["router"] = str(router)
    mode = apisix.get("proxy_mode") or "http"
    if mode not in ("http", "http&stream"):
        raise SpecError(f"apisix.proxy_mode: {mode!r} is not emulated", mend="http or http&stream")
    changes["proxy_mode"] = mode
    encryption = apisix.get("data_encryption") or {}
    if "enable_encrypt_fields" in encryption:
        changes["encrypt_fields"] = bool(encryption["enable_encrypt_fields"])
    if encryption.get("keyring"):
        keyring = encryption["keyring"]
        changes["keyring"] = (keyring,) if isinstance(keyring, str) else tuple(keyring)
    _flags(apisix, changes)
    if apisix.get("trusted_addresses"):
        changes["trusted_addresses"] = tuple(apisix["trusted_addresses"])
    if apisix.get("dns_resolver"):
        changes["dns_servers"] = tuple(str(server) for server in apisix["dns_resolver"])
    if apisix.get("dns_resolver_valid") is not None:
        changes["dns_valid"] = float(apisix["dns_resolver_valid"])
    cache = (apisix.get("lru") or {}).get("secret") or {}
    changes.update({f"secret_{name}": float(cache[name]) for name in ("ttl", "neg_ttl") if cache.get(name)})


def _flags(apisix: Mapping[str, Any], changes: dict[str, Any]) -> None:
    flags = {
        "show_upstream_status_in_response_header": "show_upstream_status",
        "delete_uri_tail_slash": "delete_uri_tail_slash",
        "match_uri_encoded_slash": "match_uri_encoded_slash",
        "enable_http2": "enable_http2",
        "enable_server_tokens": "server_tokens",
        "disable_upstream_healthcheck": "disable_health_checks",
    }
    changes.update({ours: bool(apisix[theirs]) for theirs, ours in flags.items() if theirs in apisix})


def _listeners(apisix: Mapping[str, Any], changes: dict[str, Any]) -> None:
    if apisix.get("node_listen") is not None:
        changes["http"] = _addresses("apisix.node_listen", apisix["node_listen"])
    tls = apisix.get("ssl") or {}
    if tls.get("listen") is not None:
        changes["https"] = _addresses("apisix.ssl.listen", tls["listen"])
    if tls.get("enable") is False:
        changes["https"] = ()
    if tls.get("fallback_sni"):
        changes["fallback_sni"] = str(tls["fallback_sni"])
    if tls.get("ssl_trusted_certificate"):
        changes["trusted_certificates"] = tuple(str(tls["ssl_trusted_certificate"]).replace(" ", "").split(","))
    if apisix.get("enable_admin") is False:
        changes["admin"] = None
    if apisix.get("control"):
        changes["control"] = _one_address(apisix["control"], "127.0.0.1", 9090)
    if apisix.get("enable_control") is False:
        changes["control"] = None
    if apisix.get("status"):
        changes["status"] = _one_address(apisix["status"], "127.0.0.1", 7085)


def _addresses(key: str, listed: Any) -> tuple[str, ...]:
    """The addresses of a port, or of a list of ports and of mappings with `ip` and `port`. Raises SpecError."""
    found: list[str] = []
    for item in listed if isinstance(listed, list) else [listed]:
        place = item if isinstance(item, Mapping) else {"port": item}
        if place.get("enable_http3"):
            raise SpecError(f"{key}: HTTP/3 is not emulated", mend="leave enable_http3 out")
        found.append(_one_address(place, _ANYWHERE, 0, key))
    return tuple(found)


def _one_address(place: Mapping[str, Any], ip: str, port: int, key: str = "") -> str:
    try:
        return f"{place.get('ip') or ip}:{int(place.get('port') or port)}"
    except (TypeError, ValueError) as error:
        raise SpecError(f"{key}: {place.get('port')!r} is no port", mend="a number") from error


def _plugin_attr(attributes: Mapping[str, Any], changes: dict[str, Any]) -> None:
    changes["plugin_attr"] = attributes
    prometheus = attributes.get("prometheus") or {}
    if prometheus.get("export_addr"):
        changes["prometheus"] = _one_address(prometheus["export_addr"], "127.0.0.1", 9091)
    if prometheus.get("enable_export_server") is False:
        changes["prometheus"] = None


def _deployment(deployment: Mapping[str, Any], changes: dict[str, Any]) -> None:
    _role(deployment, changes)
    _etcd(deployment.get("etcd") or {}, changes)
    admin = deployment.get("admin") or {}
    if admin.get("admin_listen") and changes.get("admin", "") is not None:
        changes["admin"] = _one_address(admin["admin_listen"], _ANYWHERE, 9180)
    if admin.get("admin_api_version") is not None:
        # v3_adapter.lua: whatever isn't v3 is the older one
        changes["admin_api_version"] = "v3" if admin["admin_api_version"] == "v3" else "v2"
    if admin.get("admin_key"):
        changes["admin_keys"] = tuple(
            AdminKey(str(key.get("name", "admin")), str(key["key"]), str(key.get("role", "admin")))
            for key in admin["admin_key"]
        )


def _role(deployment: Mapping[str, Any], changes: dict[str, Any]) -> None:
    role = str(deployment.get("role") or "traditional")
    if role not in _ROLES:
        raise SpecError(f"unknown deployment role {role!r}", mend=f"one of {', '.join(_ROLES)}")
    if role == "data_plane":
        changes["admin"] = None
    elif role == "control_plane":
        changes.update(http=(), https=())
    provider = (deployment.get(f"role_{role}") or {}).get("config_provider") or _ROLES[role]
    if provider == "etcd":
        return
    if provider not in ("yaml", "json") or (provider, role) == ("json", "traditional"):
        raise SpecError(f"config_provider {provider!r} is not emulated for role {role}", mend="etcd, yaml or json")
    changes["standalone"] = "file" if role == "data_plane" else "api"
    changes["encrypt_fields"] = False  # only what is kept in etcd is encrypted


def _etcd(etcd: Mapping[str, Any], changes: dict[str, Any]) -> None:
    hosts = _hosts_of_environment() or etcd.get("host")
    if hosts:
        changes["etcd"] = (hosts,) if isinstance(hosts, str) else tuple(hosts)
    if etcd.get("user"):
        changes["etcd_user"] = str(etcd["user"])
        changes["etcd_password"] = str(etcd.get("password") or "")
    if etcd.get("prefix"):
        changes["etcd_prefix"] = etcd["prefix"]
    for theirs, ours in (("timeout", "etcd_timeout"), ("watch_timeout", "etcd_watch_timeout")):
        if etcd.get(theirs):
            changes[ours] = float(etcd[theirs])
    tls = etcd.get("tls") or {}
    changes["etcd_verify"] = tls.get("verify", True) is not False
    for member in ("cert", "key", "sni"):
        if tls.get(member):
            changes[f"etcd_{member}"] = str(tls[member])


def _hosts_of_environment() -> Any:
    """$APISIX_DEPLOYMENT_ETCD_HOST, a JSON list, wins over the file (cli/file.lua)."""
    given = os.environ.get("APISIX_DEPLOYMENT_ETCD_HOST")
    try:
        return json.loads(given) if given else None
    except ValueError as error:
        raise SpecError(
            f"$APISIX_DEPLOYMENT_ETCD_HOST is no JSON: {error}", mend='["http://127.0.0.1:2379"]'
        ) from error
