"""The certificates of the data plane: which one a server name gets, and what it asks of clients."""

from __future__ import annotations

import logging
import os
import re
import ssl
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from harness.emulators.apisix.store import Entry

log = logging.getLogger(__name__)

_VERSIONS: Final = {
    "TLSv1.1": ssl.TLSVersion.TLSv1_1,
    "TLSv1.2": ssl.TLSVersion.TLSv1_2,
    "TLSv1.3": ssl.TLSVersion.TLSv1_3,
}
#: APISIX's ssl_protocols by default
_DEFAULT_VERSIONS: Final = ("TLSv1.2", "TLSv1.3")
_CIPHERS: Final = (
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"
    "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305:"
    "DHE-RSA-AES128-GCM-SHA256:DHE-RSA-AES256-GCM-SHA384"
)


class Certificate:
    """One `ssl` resource: its names, its context, and whether clients must show a certificate."""

    __slots__ = ("context", "depth", "entry", "names", "skip", "verifies")

    def __init__(self, entry: Entry, alpn: list[str], secret: Callable[[Any], Any] = lambda value: value) -> None:
        """Raises ValueError or ssl.SSLError for a certificate, key or CA that can't be read."""
        value = secret(entry.value)
        self.entry = entry
        self.names: list[str] = [name.lower() for name in (value.get("snis") or [value.get("sni") or ""])]
        client = value.get("client") or {}
        self.verifies = bool(client)
        self.depth = int(client.get("depth", 1))
        patterns = client.get("skip_mtls_uri_regex")
        self.skip = [re.compile(pattern) for pattern in patterns] if patterns else None
        self.context = _server_context(value, client, alpn, optional=self.skip is not None)

    def skips(self, uri: str) -> bool:
        """Whether a path is free of client certificates."""
        return self.skip is not None and any(pattern.search(uri) for pattern in self.skip)


def _server_context(value: Mapping[str, Any], client: Mapping[str, Any], alpn: list[str], *, optional: bool) -> Any:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _limit_versions(context, value.get("ssl_protocols") or _DEFAULT_VERSIONS)
    context.set_ciphers(_CIPHERS)
    context.set_alpn_protocols(alpn)
    load_pair(context, value["cert"], value["key"])
    for cert, key in zip(value.get("certs") or (), value.get("keys") or (), strict=False):
        load_pair(context, cert, key)
    if client:
        context.load_verify_locations(cadata=client["ca"])
        context.verify_mode = ssl.CERT_OPTIONAL if optional else ssl.CERT_REQUIRED
    return context


def _limit_versions(context: ssl.SSLContext, names: Any) -> None:
    wanted = sorted(_VERSIONS[name] for name in names if name in _VERSIONS)
    if not wanted:
        raise ValueError(f"no TLS version among {names}")
    context.minimum_version, context.maximum_version = wanted[0], wanted[-1]
    if len(wanted) == 2 and ssl.TLSVersion.TLSv1_2 not in wanted:
        context.options |= ssl.OP_NO_TLSv1_2


def load_pair(context: ssl.SSLContext, certificate: str, key: str) -> None:
    """Load a PEM pair, which Python's ssl takes from files only; raises ssl.SSLError."""
    handle, name = tempfile.mkstemp(suffix=".pem")
    try:
        os.write(handle, f"{certificate}\n{key}\n".encode())
        os.close(handle)
        context.load_cert_chain(name)
    finally:
        Path(name).unlink()


class Certificates:
    """All `ssl` resources by name; contexts are made at first use and kept while the resource stays."""

    def __init__(
        self,
        entries: Mapping[str, Entry],
        alpn: list[str],
        *,
        secret: Callable[[Any], Any] = lambda value: value,
        fallback: str = "",
    ) -> None:
        """`secret` resolves $env:// and $secret:// references, `fallback` is the name of who sends none."""
        self._entries = entries
        self._alpn = alpn
        self._secret = secret
        self._fallback = _bare(fallback)
        self._made: dict[str, Certificate | None] = {}
        self._by_name: dict[str, str] | None = None

    def changed(self) -> None:
        """The `ssls` changed: connections that are open keep what they have."""
        self._by_name = None
        self._made = {
            id_: made for id_, made in self._made.items() if made is not None and self._entries.get(id_) is made.entry
        }

    def forget(self) -> None:
        """What references in certificates stand for has changed: all contexts are made anew."""
        self._made.clear()

    def find(self, name: str) -> Certificate | None:
        """The certificate for a server name: an exact one, then a wildcard of one label, then `*`."""
        names = self._names()
        name = _bare(name) or self._fallback
        id_ = names.get(name) or names.get("*." + name.partition(".")[2]) or names.get("*")
        if id_ is None or not name:
            return None
        if id_ not in self._made:
            self._made[id_] = self._make(self._entries[id_])
        return self._made[id_]

    @property
    def any_verifies(self) -> bool:
        """Whether any resource asks clients for certificates."""
        return any(entry.value.get("client") for entry in self._entries.values())

    def _names(self) -> dict[str, str]:
        if self._by_name is None:
            self._by_name = {}
            for id_, entry in self._entries.items():
                value = entry.value
                if value.get("type", "server") != "server" or value.get("status", 1) == 0:
                    continue
                for name in value.get("snis") or [value.get("sni") or ""]:
                    self._by_name.setdefault(_bare(name), id_)
        return self._by_name

    def _make(self, entry: Entry) -> Certificate | None:
        try:
            return Certificate(entry, self._alpn, self._secret)
        except (ValueError, KeyError, ssl.SSLError) as error:
            log.error("failed to set PEM cert of ssl %s: %s", entry.id, error)
            return None


def _bare(name: str) -> str:
    """A server name in lower case and without the root's dot."""
    return name.lower().removesuffix(".")


def verified(tls: Any) -> bool:
    """Whether the client showed a certificate that held."""
    return tls is not None and bool(tls.getpeercert(binary_form=True))
