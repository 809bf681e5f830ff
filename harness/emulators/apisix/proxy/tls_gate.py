"""The TLS port's first step: read the ClientHello, choose the certificate, begin the handshake or refuse."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from uvloop.loop import SSLProtocol  # type: ignore[attr-defined]  # its stubs leave the class out

from harness.emulators.apisix.proxy import client_hello
from harness.emulators.apisix.proxy.client_hello import NotTls
from harness.emulators.apisix.proxy.http1 import ServerConnection
from harness.emulators.apisix.proxy.listener import Listener
from harness.emulators.apisix.tls import Certificates

#: ssl_handshake_timeout of nginx: client_header_timeout
HANDSHAKE = 60.0
_UNRECOGNISED_NAME = bytes([21, 3, 3, 0, 2, 2, 112])
_PLAIN_TO_TLS = 497
#: the longest ClientHello that is waited for, in bytes
_LONGEST = 65536


class TlsGate(asyncio.Protocol):
    """One new connection on the TLS port."""

    __slots__ = ("_certificates", "_hello", "_listener", "_on_refusal", "_transport", "deadline")

    def __init__(self, listener: Listener, certificates: Certificates, on_refusal: Callable[[str], None]) -> None:
        self._listener = listener
        self._certificates = certificates
        self._on_refusal = on_refusal
        self._hello = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: asyncio.Transport = transport  # type: ignore[assignment]
        self.deadline = self._listener.now + self._listener.patience.client_header_timeout
        self._listener.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._listener.gone(self)

    def timed_out(self) -> None:
        """No ClientHello came."""
        self._transport.abort()

    #: nothing was asked yet: there is nothing to wait for
    drain = abort = timed_out

    def data_received(self, data: bytes) -> None:
        self._hello += data
        try:
            hello = client_hello.parse(self._hello)
        except NotTls:
            self._plain()
            return
        if hello is not None:
            self._begin(hello.server_name)
        elif len(self._hello) > _LONGEST:
            self._transport.abort()

    def _begin(self, name: str) -> None:
        """An unknown name, and none at all, end the handshake at once (ssl_client_hello_phase)."""
        name = self._certificates.named(name)
        certificate = self._certificates.find(name)
        if certificate is None:
            self._on_refusal(f"failed to match any SSL certificate by SNI: {name}")
            self._transport.write(_UNRECOGNISED_NAME)
            self._transport.close()
            return
        self._listener.gone(self)
        connection = ServerConnection(self._listener)
        connection.sni = name
        connection.certificate = certificate
        tls = SSLProtocol(
            self._listener.loop,
            connection,
            certificate.context,
            None,
            server_side=True,
            ssl_handshake_timeout=HANDSHAKE,
            ssl_shutdown_timeout=2.0,
        )
        self._transport.set_protocol(tls)
        tls.connection_made(self._transport)
        self._replay(tls)

    def _replay(self, tls: SSLProtocol) -> None:
        """Give the handshake what was read ahead of it."""
        left = memoryview(self._hello)
        while left:
            buffer = memoryview(tls.get_buffer(len(left)))
            size = min(len(left), len(buffer))
            buffer[:size] = left[:size]
            tls.buffer_updated(size)
            left = left[size:]

    def _plain(self) -> None:
        """Plain HTTP on the TLS port has its own page."""
        self._listener.gone(self)
        connection = ServerConnection(self._listener)
        self._transport.set_protocol(connection)
        connection.connection_made(self._transport)
        connection.refuse(_PLAIN_TO_TLS)
