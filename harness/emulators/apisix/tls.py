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
from harness.emulators.apisix.wire_settings import Tls

log = logging.getLogger(__name__)

_VERSIONS: Final = {
    "TLSv1.1": ssl.TLSVersion.TLSv1_1,
    "TLSv1.2": ssl.TLSVersion.TLSv1_2,
    "TLSv1.3": ssl.TLSVersion.TLSv1_3,
}


class Certificate:
    """One `ssl` resource: its names, its context, and whether clients must show a certificate."""

    __slots__ = ("context", "depth", "entry", "skip", "verifies")

    def __init__(
        self, entry: Entry, alpn: list[str], usual: Tls, secret: Callable[[Any], Any] = lambda value: value
    ) -> None:
        """Raises ValueError or ssl.SSLError for a certificate, key or CA that can't be read."""
        value = secret(entry.value)
        self.entry = entry
        client = value.get("client") or {}
        self.verifies = bool(client)
        self.depth = int(client.get("depth", 1))
        patterns = client.get("skip_mtls_uri_regex")
        self.skip = [re.compile(pattern) for pattern in patterns] if patterns else None
        if self.skip is not None:
            self.context = _unjudged_context(value, self.depth, alpn, usual)
        else:
            self.context = _server_context(value, alpn, usual)

    def skips(self, uri: str) -> bool:
        """Whether a path is free of client certificates."""
        return self.skip is not None and any(pattern.search(uri) for pattern in self.skip)

    def verified(self, tls: Any) -> bool:
        """Whether the client showed a certificate that holds, by no longer a chain than `depth` allows.

        OpenSSL counts the certificates between the client's and the trusted one; Python can't tell it the limit.
        """
        if tls is None or not tls.getpeercert(binary_form=True):
            return False
        if self.skip is not None:
            return bool(tls.holds)
        return len(tls._sslobj.get_verified_chain()) - 2 <= self.depth

    def rejects(self, tls: Any) -> bool:
        """Whether the handshake is to end here: without a skip list the chain is judged in it."""
        return self.verifies and self.skip is None and not self.verified(tls)


def _unjudged_context(value: Mapping[str, Any], depth: int, alpn: list[str], usual: Tls) -> Any:
    from harness.emulators.apisix.unjudged_tls import UnjudgedContext  # importing it takes a quarter of a second

    pairs = [(value["cert"], value["key"]), *zip(value.get("certs") or (), value.get("keys") or (), strict=False)]
    versions = _versions(value.get("ssl_protocols") or usual.protocols)
    return UnjudgedContext(pairs, value["client"]["ca"], depth, alpn, versions, usual.ciphers)


def _server_context(value: Mapping[str, Any], alpn: list[str], usual: Tls) -> Any:
    client = value.get("client") or {}
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _limit_versions(context, value.get("ssl_protocols") or usual.protocols)
    context.set_ciphers(usual.ciphers)
    context.options |= ssl.OP_CIPHER_SERVER_PREFERENCE
    if not usual.session_tickets:
        context.options |= ssl.OP_NO_TICKET
    context.set_alpn_protocols(alpn)
    load_pair(context, value["cert"], value["key"])
    for cert, key in zip(value.get("certs") or (), value.get("keys") or (), strict=False):
        load_pair(context, cert, key)
    if client:
        context.load_verify_locations(cadata=client["ca"])
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def _versions(names: Any) -> list[ssl.TLSVersion]:
    wanted = sorted(_VERSIONS[name] for name in names if name in _VERSIONS)
    if not wanted:
        raise ValueError(f"no TLS version among {names}")
    return wanted


def _limit_versions(context: ssl.SSLContext, names: Any) -> None:
    wanted = _versions(names)
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
        usual: Tls,
        *,
        secret: Callable[[Any], Any] = lambda value: value,
        fallback: str = "",
    ) -> None:
        """`secret` resolves $env:// and $secret:// references, `fallback` is the name of who sends none."""
        self._entries = entries
        self._alpn = alpn
        self._usual = usual
        self._secret = secret
        self._fallback = _bare(fallback)
        self._made: dict[str, Certificate | None] = {}
        self._by_name: dict[str, str] | None = None
        #: names with a star, without it, the longest first
        self._wild: list[str] = []

    def changed(self) -> None:
        """The `ssls` changed: connections that are open keep what they have."""
        self._by_name = None
        self._made = {
            id_: made for id_, made in self._made.items() if made is not None and self._entries.get(id_) is made.entry
        }

    def named(self, name: str) -> str:
        """A client's server name as it counts: without the root's dot, and fallback_sni for none."""
        return _bare(name) or self._fallback

    def forget(self) -> None:
        """What references in certificates stand for has changed: all contexts are made anew."""
        self._made.clear()

    def find(self, name: str) -> Certificate | None:
        """The certificate for a server name, or None: the longest name that fits decides (radixtree_sni.lua)."""
        name = self.named(name)
        if self._by_name is None:
            self._by_name = self._names()
            self._wild = sorted((known[1:] for known in self._by_name if known[:1] == "*"), key=len, reverse=True)
        matched = name if name in self._by_name else self._widest(name)
        if not name or matched is None:
            return None
        id_ = self._by_name[matched]
        if not _fits(name, matched, self._entries[id_].value):
            return None
        if id_ not in self._made:
            self._made[id_] = self._make(self._entries[id_])
        return self._made[id_]

    def _widest(self, name: str) -> str | None:
        return next(("*" + ending for ending in self._wild if name.endswith(ending)), None)

    def _names(self) -> dict[str, str]:
        by_name: dict[str, str] = {}
        for id_, entry in self._entries.items():
            value = entry.value
            if value.get("type", "server") != "server" or value.get("status", 1) == 0:
                continue
            for name in value.get("snis") or [value.get("sni") or ""]:
                by_name.setdefault(_bare(name), id_)
        return by_name

    def _make(self, entry: Entry) -> Certificate | None:
        try:
            return Certificate(entry, self._alpn, self._usual, self._secret)
        except (ValueError, KeyError, ssl.SSLError) as error:
            log.error("failed to set PEM cert of ssl %s: %s", entry.id, error)
            return None


def _bare(name: str) -> str:
    """A server name in lower case and without the root's dot."""
    return name.lower().removesuffix(".")


def _fits(name: str, matched: str, value: Mapping[str, Any]) -> bool:
    """A star stands for one label.

    Of a resource with `snis` any name is enough for which no dot comes behind its length, as the real one compares.
    """
    listed = value.get("snis")
    if not listed:
        return matched == "*" or "." not in name[::-1][len(matched) - 1 :]
    return any(name == _bare(known) or "." not in name[::-1][max(len(known) - 1, 0) :] for known in listed)
