"""What the gateway is told at its start, on the command line and in an APISIX config.yaml."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from harness.emulators.apisix.wire_settings import Wire

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
    #: where /status and /status/ready are answered
    status: str | None = None
    admin_keys: tuple[AdminKey, ...] = ()
    etcd: tuple[str, ...] = ("http://127.0.0.1:2379",)
    etcd_user: str = ""
    etcd_password: str = ""
    etcd_prefix: str = "/apisix"
    #: seconds: for one request, and without news on the watch
    etcd_timeout: float = 30.0
    etcd_watch_timeout: float = 50.0
    #: TLS towards etcd: files of the client's certificate and key, whether etcd's is verified, the name to ask for
    etcd_cert: str = ""
    etcd_key: str = ""
    etcd_verify: bool = True
    etcd_sni: str = ""
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
    #: files of CAs, and "system": whom the gateway believes as etcd's
    trusted_certificates: tuple[str, ...] = ("system",)
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
    #: %2F stays as it is when routes are matched
    match_uri_encoded_slash: bool = False
    #: no upstream's nodes are checked, whatever it says
    disable_health_checks: bool = False
    #: DNS servers, "host" or "host:port"; without any, the system resolves names
    dns_servers: tuple[str, ...] = ()
    #: seconds for which the address of a name is kept, whatever its TTL
    dns_valid: float | None = None
    #: seconds for which a secret's value is kept, and the news that it can't be had
    secret_ttl: float = 300.0
    secret_neg_ttl: float = 60.0
    #: whether the Server header tells the version
    server_tokens: bool = True
    enable_http2: bool = True
    #: the sockets' part of config.yaml
    wire: Wire = field(default_factory=Wire)
    version: str = VERSION
    config: Mapping[str, Any] = field(default_factory=dict)

    @property
    def server(self) -> str:
        """The Server header."""
        return f"APISIX/{self.version}" if self.server_tokens else "APISIX"

    def enabled(self, plugin: str) -> bool:
        """Whether a plugin is in the list of those that are on."""
        return self.plugins is None or plugin in self.plugins

    def attr(self, plugin: str) -> Mapping[str, Any]:
        """plugin_attr.<plugin>."""
        found = self.plugin_attr.get(plugin)
        return found if isinstance(found, Mapping) else {}
