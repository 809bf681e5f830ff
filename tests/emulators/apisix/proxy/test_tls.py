"""TLS on the client's side: certificates by name, client certificates, changes while connections are open."""

from __future__ import annotations

import datetime
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from .conftest import read_all, read_until  # type: ignore[import-not-found]


class Pair:
    """A certificate (of `issuer`, or self-signed) and its key, as PEM."""

    def __init__(self, name: str, issuer: Pair | None = None) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        now = datetime.datetime.now(datetime.UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer.subject if issuer else subject)
            .public_key(self.key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        )
        self.subject = subject
        self.certificate = builder.sign(issuer.key if issuer else self.key, hashes.SHA256())
        self.pem = self.certificate.public_bytes(serialization.Encoding.PEM).decode()
        self.key_pem = self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode()


CA = Pair("ca")
CLIENT = Pair("client", CA)


@pytest.fixture(scope="module", autouse=True)
def _route(gateway: Any) -> Iterator[None]:
    gateway.put("routes/tls", {"uri": "/tls", "plugins": {"mocking": {"response_example": "hi"}}})
    gateway.put("ssls/exact", _ssl(Pair("a.test"), "a.test"))
    gateway.put("ssls/wild", _ssl(Pair("*.wild.test"), "*.wild.test"))
    gateway.put("ssls/mutual", _ssl(Pair("m.test"), "m.test", client={"ca": CA.pem}))
    gateway.put("ssls/skip", _ssl(Pair("s.test"), "s.test", client={"ca": CA.pem, "skip_mtls_uri_regex": ["/tls"]}))
    gateway.put("ssls/only13", _ssl(Pair("n.test"), "n.test", ssl_protocols=["TLSv1.3"]))
    yield
    for id_ in ("exact", "wild", "mutual", "skip", "only13"):
        gateway.admin.delete(f"/ssls/{id_}")


def _ssl(pair: Pair, name: str, **more: Any) -> dict[str, Any]:
    return {"snis": [name], "cert": pair.pem, "key": pair.key_pem, **more}


def connect(
    gateway: Any, name: str | None, tmp: Path, *, shows: Pair | None = None, newest: Any = None
) -> ssl.SSLSocket:
    """A handshake with that SNI; raises ssl.SSLError."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if newest:
        context.maximum_version = newest
    if shows:
        (tmp / "pair.pem").write_text(shows.pem + shows.key_pem)
        context.load_cert_chain(tmp / "pair.pem")
    port = int(gateway.server.https_url.rpartition(":")[2])
    return context.wrap_socket(socket.create_connection(("127.0.0.1", port), timeout=5), server_hostname=name)


def ask(connection: ssl.SSLSocket, host: str, path: str = "/tls") -> bytes:
    connection.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
    return bytes(read_all(connection))


@pytest.mark.parametrize(
    ("name", "subject"), [("a.test", "a.test"), ("A.Test", "a.test"), ("x.wild.test", "*.wild.test")]
)
def test_the_names_certificate_is_shown(gateway: Any, tmp_path: Path, name: str, subject: str) -> None:
    with connect(gateway, name, tmp_path) as connection:
        shown = x509.load_der_x509_certificate(connection.getpeercert(binary_form=True) or b"")
        assert shown.subject.rfc4514_string() == f"CN={subject}"
        assert ask(connection, name).startswith(b"HTTP/1.1 200 OK\r\n")


@pytest.mark.parametrize("name", ["other.test", None, "wild.test", "x.y.wild.test"])
def test_unknown_names_get_no_handshake(gateway: Any, tmp_path: Path, name: str | None) -> None:
    with pytest.raises(ssl.SSLError):
        connect(gateway, name, tmp_path)


def test_protocols_of_a_certificate(gateway: Any, tmp_path: Path) -> None:
    with pytest.raises(ssl.SSLError):
        connect(gateway, "n.test", tmp_path, newest=ssl.TLSVersion.TLSv1_2)
    with connect(gateway, "a.test", tmp_path, newest=ssl.TLSVersion.TLSv1_2) as connection:
        assert connection.version() == "TLSv1.2"


def test_client_certificates(gateway: Any, tmp_path: Path) -> None:
    with connect(gateway, "m.test", tmp_path, shows=CLIENT) as connection:
        assert b"200 OK" in ask(connection, "m.test")
    for shown in (None, Pair("stranger")):
        with pytest.raises((ssl.SSLError, ConnectionError)):  # noqa: SIM117
            with connect(gateway, "m.test", tmp_path, shows=shown) as connection:
                if not ask(connection, "m.test"):
                    raise ConnectionResetError


def test_paths_without_client_certificate(gateway: Any, tmp_path: Path) -> None:
    with connect(gateway, "s.test", tmp_path) as connection:
        assert b"200 OK" in ask(connection, "s.test")
    with connect(gateway, "s.test", tmp_path) as connection:
        assert ask(connection, "s.test", "/other").startswith(b"HTTP/1.1 400 Bad Request")


def test_a_host_that_asks_for_certificates_needs_one(gateway: Any, tmp_path: Path) -> None:
    with connect(gateway, "a.test", tmp_path) as connection:
        assert ask(connection, "m.test").startswith(b"HTTP/1.1 400 Bad Request")


def test_a_new_certificate_leaves_open_connections_alone(gateway: Any, tmp_path: Path) -> None:
    with connect(gateway, "a.test", tmp_path) as connection:
        fresh = Pair("a.test")
        gateway.put("ssls/exact", _ssl(fresh, "a.test"))
        connection.sendall(b"GET /tls HTTP/1.1\r\nHost: a.test\r\n\r\n")
        assert read_until(connection, b"0\r\n\r\n").startswith(b"HTTP/1.1 200 OK")
        with connect(gateway, "a.test", tmp_path) as newer:
            shown = newer.getpeercert(binary_form=True)
    assert shown == fresh.certificate.public_bytes(serialization.Encoding.DER)


def test_plain_http_on_the_tls_port(gateway: Any) -> None:
    port = int(gateway.server.https_url.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        answer = read_all(connection)
    assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert b"The plain HTTP request was sent to HTTPS port" in answer
