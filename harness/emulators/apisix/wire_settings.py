"""What config.yaml says of the sockets: nginx's time-outs and sizes (nginx_config.http) and the ssl section."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from harness.emulators.apisix.proxy.listener import Patience
from harness.emulators.apisix.proxy.upstream import Keepalive
from harness.errors import SpecError

#: conf/config.yaml.example of 3.18
CIPHERS: Final = (
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"
    "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305:"
    "DHE-RSA-AES128-GCM-SHA256:DHE-RSA-AES256-GCM-SHA384"
)
_UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "": 1.0}
_SIZES: Final = {"k": 1024, "m": 1024**2, "g": 1024**3, "": 1}
_PROTOCOLS: Final = ("TLSv1.1", "TLSv1.2", "TLSv1.3")


@dataclass(frozen=True, slots=True)
class Tls:
    """apisix.ssl, as far as it is about handshakes."""

    protocols: tuple[str, ...] = ("TLSv1.2", "TLSv1.3")
    ciphers: str = CIPHERS
    session_tickets: bool = False


@dataclass(frozen=True, slots=True)
class Wire:
    """Everything of the sockets that is fixed for a gateway's life; `max_body` 0 is any (client_max_body_size).

    `shutdown` is how long a worker that was told SIGQUIT waits for its requests, in seconds (worker_shutdown_timeout).
    """

    patience: Patience = field(default_factory=Patience)
    keepalive: Keepalive = field(default_factory=Keepalive)
    max_body: int = 0
    tls: Tls = field(default_factory=Tls)
    shutdown: float = 240.0


def wire_of(config: Mapping[str, Any]) -> Wire:
    """The sockets' part of a config.yaml; raises SpecError for what isn't emulated or can't be read."""
    nginx = config.get("nginx_config") or {}
    http = nginx.get("http") or {}
    usual = Patience()

    def patient(name: str) -> float:
        return seconds(http.get(name, getattr(usual, name)), f"nginx_config.http.{name}")

    patience = Patience(
        keepalive_timeout=patient("keepalive_timeout"),
        client_header_timeout=patient("client_header_timeout"),
        client_body_timeout=patient("client_body_timeout"),
        send_timeout=patient("send_timeout"),
    )
    return Wire(
        patience,
        _keepalive(http.get("upstream") or {}),
        size(http.get("client_max_body_size", 0), "nginx_config.http.client_max_body_size"),
        _tls((config.get("apisix") or {}).get("ssl") or {}),
        seconds(nginx.get("worker_shutdown_timeout", Wire().shutdown), "nginx_config.worker_shutdown_timeout"),
    )


def _keepalive(conf: Mapping[str, Any]) -> Keepalive:
    usual = Keepalive()
    return Keepalive(
        int(conf.get("keepalive", usual.size)),
        seconds(conf.get("keepalive_timeout", usual.idle_timeout), "nginx_config.http.upstream.keepalive_timeout"),
        int(conf.get("keepalive_requests", usual.requests)),
    )


def _tls(conf: Mapping[str, Any]) -> Tls:
    usual = Tls()
    protocols = tuple(str(conf.get("ssl_protocols") or " ".join(usual.protocols)).split())
    unknown = [name for name in protocols if name not in _PROTOCOLS]
    if unknown:
        raise SpecError(
            f"apisix.ssl.ssl_protocols: {', '.join(unknown)} is not emulated", mend=f"any of {' '.join(_PROTOCOLS)}"
        )
    return Tls(
        protocols,
        str(conf.get("ssl_ciphers") or usual.ciphers),
        bool(conf.get("ssl_session_tickets", usual.session_tickets)),
    )


def seconds(value: Any, where: str) -> float:
    """A time as nginx writes it ("60s", "1m", 75); raises SpecError."""
    match = re.fullmatch(r"([0-9.]+)(ms|s|m|h|d|)", str(value).strip())
    if not match:
        raise SpecError(f"{where}: {value!r} is no time", mend='a number of seconds, or as "60s", "500ms", "1m"')
    return float(match[1]) * _UNITS[match[2]]


def size(value: Any, where: str) -> int:
    """A size as nginx writes it ("10m", "512k", 0); raises SpecError."""
    match = re.fullmatch(r"([0-9]+)([kmg]?)", str(value).strip().lower())
    if not match:
        raise SpecError(f"{where}: {value!r} is no size", mend='a number of bytes, or as "512k", "10m"')
    return int(match[1]) * _SIZES[match[2]]
