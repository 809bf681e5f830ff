"""What the gateway is told at its start, on the command line and in an APISIX config.yaml."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from harness.errors import SpecError

VERSION: Final = "3.18.0"
#: APISIX's own default keyring for encrypted fields
KEYRING: Final = ("qeddd145sfvddff3", "edd1c9f0985e76a2")


@dataclass(frozen=True, slots=True)
class AdminKey:
    """Who may use the Admin API; `role` is admin (all) or viewer (reads)."""

    name: str
    key: str
    role: str = "admin"


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything fixed for the life of a gateway. Addresses are host:port, with port 0 for a free one.

    `plugins` None enables all that the emulator has. `config` is config.yaml as it was read, for the parts that a
    single component wants (`plugin_attr`, `discovery`).
    """

    http: tuple[str, ...] = ("127.0.0.1:9080",)
    https: tuple[str, ...] = ()
    admin: str | None = "127.0.0.1:9180"
    control: str | None = "127.0.0.1:9090"
    prometheus: str | None = "127.0.0.1:9091"
    admin_keys: tuple[AdminKey, ...] = ()
    etcd: tuple[str, ...] = ("http://127.0.0.1:2379",)
    etcd_user: str = ""
    etcd_password: str = ""
    etcd_prefix: str = "/apisix"
    #: where the configuration lives: "" in etcd, "file" in `standalone_file`, "api" in what the Admin API was given
    standalone: str = ""
    standalone_file: Path | None = None
    plugins: tuple[str, ...] | None = None
    plugin_attr: Mapping[str, Any] = field(default_factory=dict)
    #: "http", or "http&stream": then the Admin API keeps stream routes, which no listener serves
    proxy_mode: str = "http"
    stream_plugins: tuple[str, ...] | None = None
    xrpc_protocols: tuple[str, ...] = ()
    admin_api_version: str = "v3"
    #: the server name of TLS clients that send none
    fallback_sni: str = ""
    router: str = "radixtree_host_uri"
    real_ip_header: str = "X-Real-IP"
    real_ip_from: tuple[str, ...] = ("127.0.0.1", "unix:")
    encrypt_fields: bool = True
    keyring: tuple[str, ...] = KEYRING
    discovery: Mapping[str, Any] = field(default_factory=dict)
    nacos: str | None = None
    workers: int = 1
    seed: int | None = None
    #: the networks (CIDR) besides the loopback from which the harness's own end-points may be asked
    control_from: tuple[str, ...] = ()
    drain: float = 10.0
    trusted_addresses: tuple[str, ...] = ()
    show_upstream_status: bool = False
    delete_uri_tail_slash: bool = False
    enable_http2: bool = True
    version: str = VERSION
    config: Mapping[str, Any] = field(default_factory=dict)

    def enabled(self, plugin: str) -> bool:
        """Whether a plugin is in the list of those that are on."""
        return self.plugins is None or plugin in self.plugins

    def attr(self, plugin: str) -> Mapping[str, Any]:
        """plugin_attr.<plugin>."""
        found = self.plugin_attr.get(plugin)
        return found if isinstance(found, Mapping) else {}


def load(path: Path, base: Settings | None = None) -> Settings:
    """Settings from an APISIX config.yaml over `base`; raises SpecError for what can't be read or isn't emulated."""
    import yaml  # only who has a config.yaml pays for it

    try:
        config = yaml.safe_load(path.read_text()) or {}
    except (OSError, yaml.YAMLError) as error:
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
    changes: dict[str, Any] = {"config": config}
    _apisix(config.get("apisix") or {}, changes)
    _deployment(config.get("deployment") or {}, changes)
    http = (config.get("nginx_config") or {}).get("http") or {}
    if "real_ip_header" in http:
        changes["real_ip_header"] = str(http["real_ip_header"])
    if "real_ip_from" in http:
        changes["real_ip_from"] = tuple(http["real_ip_from"] or ())
    if config.get("plugins") is not None:
        changes["plugins"] = tuple(config["plugins"])
    changes["plugin_attr"] = config.get("plugin_attr") or {}
    changes["discovery"] = config.get("discovery") or {}
    return replace(base, **changes)


def _apisix(apisix: Mapping[str, Any], changes: dict[str, Any]) -> None:
    router = (apisix.get("router") or {}).get("http")
    if router:
        changes["router"] = str(router)
    encryption = apisix.get("data_encryption") or {}
    if "enable_encrypt_fields" in encryption:
        changes["encrypt_fields"] = bool(encryption["enable_encrypt_fields"])
    if encryption.get("keyring"):
        keyring = encryption["keyring"]
        changes["keyring"] = (keyring,) if isinstance(keyring, str) else tuple(keyring)
    flags = {
        "show_upstream_status_in_response_header": "show_upstream_status",
        "delete_uri_tail_slash": "delete_uri_tail_slash",
        "enable_http2": "enable_http2",
    }
    changes.update({ours: bool(apisix[theirs]) for theirs, ours in flags.items() if theirs in apisix})
    if apisix.get("trusted_addresses"):
        changes["trusted_addresses"] = tuple(apisix["trusted_addresses"])
    for refused in ("stream_proxy", "proxy_protocol", "normalize_uri_like_servlet", "match_uri_encoded_slash"):
        if apisix.get(refused):
            raise SpecError(f"{refused} is not emulated", mend=f"leave apisix.{refused} out")


#: role → its usual provider
_ROLES: Final = {"traditional": "etcd", "data_plane": "etcd", "control_plane": "etcd"}


def _standalone(deployment: Mapping[str, Any], changes: dict[str, Any]) -> None:
    role = str(deployment.get("role") or "traditional")
    if role not in _ROLES:
        raise SpecError(f"unknown deployment role {role!r}", mend=f"one of {', '.join(_ROLES)}")
    provider = (deployment.get(f"role_{role}") or {}).get("config_provider") or _ROLES[role]
    if provider == "etcd":
        return
    if provider not in ("yaml", "json") or (provider, role) == ("json", "traditional"):
        raise SpecError(f"config_provider {provider!r} is not emulated for role {role}", mend="etcd, yaml or json")
    changes["standalone"] = "file" if role == "data_plane" else "api"
    changes["encrypt_fields"] = False  # only what is kept in etcd is encrypted


def _deployment(deployment: Mapping[str, Any], changes: dict[str, Any]) -> None:
    _standalone(deployment, changes)
    etcd = deployment.get("etcd") or {}
    hosts = etcd.get("host")
    if hosts:
        changes["etcd"] = (hosts,) if isinstance(hosts, str) else tuple(hosts)
    if etcd.get("user"):
        changes["etcd_user"] = str(etcd["user"])
        changes["etcd_password"] = str(etcd.get("password") or "")
    if etcd.get("prefix"):
        changes["etcd_prefix"] = etcd["prefix"]
    keys = (deployment.get("admin") or {}).get("admin_key")
    if keys:
        changes["admin_keys"] = tuple(
            AdminKey(str(key.get("name", "admin")), str(key["key"]), str(key.get("role", "admin"))) for key in keys
        )
