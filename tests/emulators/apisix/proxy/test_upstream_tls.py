"""TLS towards upstreams: the client certificate that is shown, the server name, what isn't verified."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from .test_tls import CA, CLIENT, Pair  # type: ignore[import-not-found]


class TlsUpstream:
    """Answers each connection's first request; notes the server name and the client certificate's subject."""

    def __init__(self, directory: Path, *, asks: bool) -> None:
        pair = Pair("upstream")
        (directory / "server.pem").write_text(pair.pem + pair.key_pem)
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(directory / "server.pem")
        self._context.sni_callback = lambda tls, name, context: self.names.append(name)
        if asks:
            self._context.load_verify_locations(cadata=CA.pem)
            self._context.verify_mode = ssl.CERT_REQUIRED
        self.names: list[str | None] = []
        self.subjects: list[Any] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.node = f"127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection, contextlib.suppress(OSError):
                tls = self._context.wrap_socket(connection, server_side=True)
                self.subjects.append((tls.getpeercert() or {}).get("subject"))
                tls.recv(65536)
                tls.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")

    def close(self) -> None:
        self._listener.close()


@pytest.fixture
def plain(tmp_path: Path) -> Iterator[TlsUpstream]:
    upstream = TlsUpstream(tmp_path, asks=False)
    yield upstream
    upstream.close()


@pytest.fixture
def mutual(tmp_path: Path) -> Iterator[TlsUpstream]:
    upstream = TlsUpstream(tmp_path, asks=True)
    yield upstream
    upstream.close()


def get(gateway: Any, host: str = "asked.test") -> httpx.Response:
    return httpx.get(gateway.server.http_url + "/tls-up", headers={"Host": host}, timeout=10)


def route(gateway: Any, node: str, **tls: Any) -> None:
    gateway.route("/tls-up", node, id_="tlsup", upstream={"scheme": "https", **({"tls": tls} if tls else {})})


def test_the_server_name_is_the_host_and_nothing_is_verified(gateway: Any, plain: TlsUpstream) -> None:
    route(gateway, plain.node, verify=True)  # Kafka's alone: the real one looks at it nowhere else
    assert get(gateway).text == "ok"
    assert plain.names == ["asked.test"]


def test_a_request_without_a_host(gateway: Any, plain: TlsUpstream) -> None:
    route(gateway, plain.node)
    assert gateway.raw(b"GET /tls-up HTTP/1.0\r\n\r\n").endswith(b"ok")


def test_a_host_that_no_server_name_can_be_is_a_502(gateway: Any, plain: TlsUpstream) -> None:
    route(gateway, plain.node)
    assert get(gateway, "a" * 70 + ".test").status_code == 502


def test_a_client_certificate_given_in_place(gateway: Any, mutual: TlsUpstream) -> None:
    route(gateway, mutual.node, client_cert=CLIENT.pem, client_key=CLIENT.key_pem)
    assert get(gateway).text == "ok"
    assert mutual.subjects == [((("commonName", "client"),),)]


def test_a_client_certificate_by_reference_and_its_change(gateway: Any, mutual: TlsUpstream) -> None:
    for name in ("first", "second"):
        pair = Pair(name, CA)
        gateway.put("ssls/shown", {"type": "client", "cert": pair.pem, "key": pair.key_pem})
        route(gateway, mutual.node, client_cert_id="shown")
        assert get(gateway).text == "ok"
    assert mutual.subjects == [((("commonName", name),),) for name in ("first", "second")]


def test_without_the_certificate_the_handshake_fails(gateway: Any, mutual: TlsUpstream) -> None:
    route(gateway, mutual.node)
    assert get(gateway).status_code == 502


def test_a_reference_that_leads_nowhere_is_a_502(gateway: Any, mutual: TlsUpstream) -> None:
    gateway.put("ssls/gone", {"type": "client", "cert": CLIENT.pem, "key": CLIENT.key_pem})
    route(gateway, mutual.node, client_cert_id="gone")
    gateway.admin.delete("/ssls/gone")
    answer = get(gateway)
    assert answer.status_code == 502
    assert "x-apisix-upstream-status" not in answer.headers
    gateway.put("ssls/gone", {"type": "server", "sni": "g.test", "cert": CLIENT.pem, "key": CLIENT.key_pem})
    assert get(gateway).status_code == 502


def test_a_certificate_with_another_key_is_a_503(gateway: Any, mutual: TlsUpstream) -> None:
    route(gateway, mutual.node, client_cert=CLIENT.pem, client_key=Pair("other").key_pem)
    assert get(gateway).status_code == 503
