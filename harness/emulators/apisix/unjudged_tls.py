"""TLS that takes any client certificate and tells afterwards whether it holds, which Python's own ssl can't.

OpenResty's `verify_client` doesn't reject in the handshake where some paths are free of certificates
(skip_mtls_uri_regex): there a stranger's certificate is as good as none. Only such certificates pay for this one.
"""

from __future__ import annotations

import os
import ssl
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from cryptography import x509
from OpenSSL import SSL, crypto

_VERSIONS = {
    ssl.TLSVersion.TLSv1_1: SSL.TLS1_1_VERSION,
    ssl.TLSVersion.TLSv1_2: SSL.TLS1_2_VERSION,
    ssl.TLSVersion.TLSv1_3: SSL.TLS1_3_VERSION,
}


class UnjudgedContext:
    """As much of an `ssl.SSLContext` as the loop asks of one on the server's side."""

    def __init__(
        self,
        pairs: Iterable[tuple[str, str]],
        authorities: str,
        depth: int,
        alpn: Sequence[str],
        versions: Sequence[ssl.TLSVersion],
        ciphers: str,
    ) -> None:
        """Raises ValueError for a certificate, key or authority that can't be read."""
        self._context = context = SSL.Context(SSL.TLS_SERVER_METHOD)
        try:
            for pair in pairs:
                _load(context, *pair)
            context.set_cipher_list(ciphers.encode())
        except SSL.Error as error:
            raise ValueError(str(error)) from error
        context.set_min_proto_version(_VERSIONS[versions[0]])
        context.set_max_proto_version(_VERSIONS[versions[-1]])
        # what a resumed session was verified for isn't told again
        context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
        context.set_options(SSL.OP_NO_TICKET)
        context.set_alpn_select_callback(lambda _, offered: _chosen(alpn, offered))
        for authority in x509.load_pem_x509_certificates(authorities.encode()):
            store = context.get_cert_store()
            assert store is not None  # a context has one as soon as it is asked for
            store.add_cert(crypto.X509.from_cryptography(authority))
            context.add_client_ca(authority)
        context.set_verify_depth(depth)
        context.set_verify(SSL.VERIFY_PEER, _note)

    def wrap_bio(self, incoming: Any, outgoing: Any, server_side: bool = True, **_: Any) -> UnjudgedTls:
        """A connection that reads and writes the loop's two buffers."""
        return UnjudgedTls(SSL.Connection(self._context), incoming, outgoing)


def _load(context: SSL.Context, certificate: str, key: str) -> None:
    handle, name = tempfile.mkstemp(suffix=".pem")
    try:
        os.write(handle, f"{certificate}\n{key}\n".encode())
        os.close(handle)
        context.use_certificate_chain_file(name)
        context.use_privatekey_file(name)
    finally:
        Path(name).unlink()


def _chosen(ours: Sequence[str], offered: list[bytes]) -> Any:
    for name in ours:
        if name.encode() in offered:
            return name.encode()
    return SSL.NO_OVERLAPPING_PROTOCOLS


def _note(connection: SSL.Connection, certificate: Any, error: int, depth: int, ok: int) -> bool:
    """Take what doesn't hold, and remember it."""
    if not ok:
        connection.set_app_data(error)
    return True


class UnjudgedTls:
    """As much of an `ssl.SSLObject` as the loop and the gateway ask of one."""

    def __init__(self, connection: SSL.Connection, incoming: Any, outgoing: Any) -> None:
        self._connection = connection
        self._incoming = incoming
        self._outgoing = outgoing
        #: the head of the next record as far as it is here, and what is left of the record under way
        self._head = b""
        self._left = 0
        connection.set_accept_state()

    @property
    def holds(self) -> bool:
        """Whether a certificate was shown that its authority and the chain's length bear out."""
        shown = self._connection.get_peer_certificate()
        return shown is not None and self._connection.get_app_data() is None

    def _do(self, act: Any, *given: Any) -> Any:
        """Between the loop's buffers and the connection's own; errors as ssl's."""
        try:
            while True:
                try:
                    return act(*given)
                except SSL.WantReadError as error:
                    if not self._feed():
                        raise ssl.SSLWantReadError from error
        except SSL.ZeroReturnError:
            return b""
        except SSL.Error as error:
            raise ssl.SSLError(str(error)) from error
        finally:
            self._flush()

    def _feed(self) -> bool:
        """Move one record on, or what is here of it: what the loop's buffer holds tells it to read again."""
        incoming = self._incoming
        if not incoming.pending:
            return False
        head = b""
        if not self._left:
            self._head += incoming.read(5 - len(self._head))
            if len(self._head) < 5:
                return False
            head, self._head = self._head, b""
            self._left = int.from_bytes(head[3:5], "big")
        piece = incoming.read(self._left) if self._left and incoming.pending else b""
        self._left -= len(piece)
        self._connection.bio_write(head + piece)
        return True

    def _flush(self) -> None:
        try:
            while True:
                self._outgoing.write(self._connection.bio_read(65536))
        except SSL.WantReadError:
            return

    def do_handshake(self) -> None:
        """As SSLObject's."""
        self._do(self._connection.do_handshake)

    def read(self, size: int) -> Any:
        """As SSLObject's; b"" at the end."""
        return self._do(self._connection.recv, size)

    def write(self, data: Any) -> Any:
        """As SSLObject's."""
        return self._do(self._connection.send, bytes(data))

    def unwrap(self) -> None:
        """As SSLObject's: say goodbye, and wait for the other side's."""
        if not self._do(self._connection.shutdown):
            raise ssl.SSLWantReadError

    def pending(self) -> int:
        """As SSLObject's."""
        return self._connection.pending()

    def getpeercert(self, binary_form: bool = False) -> Any:
        """The certificate that holds, as DER; {} for the loop, which only keeps it."""
        shown = self._connection.get_peer_certificate(as_cryptography=True) if binary_form and self.holds else None
        if shown is None:
            return None if binary_form else {}
        from cryptography.hazmat.primitives.serialization import Encoding

        return shown.public_bytes(Encoding.DER)

    def cipher(self) -> tuple[str, str, int] | None:
        """As SSLObject's."""
        name = self._connection.get_cipher_name()
        if name is None:
            return None
        return name, self._connection.get_cipher_version() or "", self._connection.get_cipher_bits() or 0

    def compression(self) -> None:
        """There is none."""

    def version(self) -> str:
        """As SSLObject's."""
        return self._connection.get_protocol_version_name()

    def selected_alpn_protocol(self) -> str | None:
        """As SSLObject's."""
        return self._connection.get_alpn_proto_negotiated().decode() or None
