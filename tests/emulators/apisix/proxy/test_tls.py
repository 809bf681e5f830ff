"""TLS on the client's side: certificates by name, client certificates, changes while connections are open."""

from __future__ import annotations

import datetime
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from harness.emulators.apisix import ApisixServer
from harness.wait import until

from .conftest import Gateway, read_all, read_until  # type: ignore[import-not-found]


class Pair:
    """A certificate (of `issuer`, or self-signed) and its key, as PEM."""

    def __init__(
        self, name: str, issuer: Pair | None = None, *, key: Any = None, ca: bool | None = None, san: str = ""
    ) -> None:
        self.key = key or ec.generate_private_key(ec.SECP256R1())
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
            .add_extension(
                x509.BasicConstraints(ca=issuer is None if ca is None else ca, path_length=None), critical=True
            )
        )
        if san:
            builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(san)]), critical=False)
        self.subject = subject
        self.certificate = builder.sign(issuer.key if issuer else self.key, hashes.SHA256())
        self.pem = self.certificate.public_bytes(serialization.Encoding.PEM).decode()
        self.chain = self.pem + (issuer.chain if issuer is not None and issuer is not CA else "")
        self.key_pem = self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode()


CA: Pair | None = None
CA = Pair("ca")
CLIENT = Pair("client", CA)
#: one and two authorities between the client and the trusted one
DEEP = Pair("deep", Pair("middle", CA, ca=True))
DEEPER = Pair("deeper", Pair("lower", Pair("upper", CA, ca=True), ca=True))


@pytest.fixture(scope="module", autouse=True)
def _route(gateway: Any) -> Iterator[None]:
    gateway.put("routes/tls", {"uri": "/tls", "plugins": {"mocking": {"response_example": "hi"}}})
    gateway.put("ssls/exact", _ssl(Pair("a.test"), "a.test"))
    gateway.put("ssls/wild", _ssl(Pair("*.wild.test"), "*.wild.test"))
    gateway.put("ssls/mutual", _ssl(Pair("m.test"), "m.test", client={"ca": CA.pem}))
    gateway.put("ssls/skip", _ssl(Pair("s.test"), "s.test", client={"ca": CA.pem, "skip_mtls_uri_regex": ["/tls"]}))
    gateway.put("ssls/only13", _ssl(Pair("n.test"), "n.test", ssl_protocols=["TLSv1.3"]))
    yield
    for entry in gateway.admin.get("/ssls").json()["list"]:
        gateway.admin.delete("/ssls/" + entry["value"]["id"])


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
        (tmp / "pair.pem").write_text(shows.chain + shows.key_pem)
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


def mirror(up: Any, to: socket.socket, request: bytes) -> bool:
    body = request.partition(b"\r\n\r\n")[2]
    to.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
    return True


def refused(gateway: Any, name: str, tmp_path: Path, shows: Pair | None) -> bool:
    try:
        with connect(gateway, name, tmp_path, shows=shows) as connection:
            return not ask(connection, name)
    except (ssl.SSLError, ConnectionError):
        return True


@pytest.mark.parametrize(("depth", "held"), [(None, [CLIENT, DEEP]), (0, [CLIENT]), (2, [CLIENT, DEEP, DEEPER])])
def test_depth_is_the_number_of_authorities_in_between(
    gateway: Any, tmp_path: Path, depth: int | None, held: list[Pair]
) -> None:
    client = {"ca": CA.pem} | ({} if depth is None else {"depth": depth})
    gateway.put("ssls/depth", _ssl(Pair("d.test"), "d.test", client=client))
    assert [one for one in (CLIENT, DEEP, DEEPER) if not refused(gateway, "d.test", tmp_path, one)] == held


def test_a_chain_that_is_too_long_is_a_400_where_paths_are_skipped(gateway: Any, tmp_path: Path) -> None:
    client = {"ca": CA.pem, "skip_mtls_uri_regex": ["/free"]}
    gateway.put("ssls/skip2", _ssl(Pair("s2.test"), "s2.test", client=client))
    with connect(gateway, "s2.test", tmp_path, shows=DEEPER) as connection:
        assert ask(connection, "s2.test").startswith(b"HTTP/1.1 400 Bad Request")
    with connect(gateway, "s2.test", tmp_path, shows=CLIENT) as connection:
        assert b"200 OK" in ask(connection, "s2.test")


def test_a_strangers_certificate_is_as_good_as_none_where_paths_are_skipped(gateway: Any, tmp_path: Path) -> None:
    client = {"ca": CA.pem, "skip_mtls_uri_regex": ["/tls"]}
    gateway.put("ssls/skip3", _ssl(Pair("s3.test"), "s3.test", client=client))
    for shown in (None, Pair("stranger"), CLIENT):
        with connect(gateway, "s3.test", tmp_path, shows=shown) as connection:
            assert b"200 OK" in ask(connection, "s3.test")
    for shown, status in ((None, b"400 Bad"), (Pair("stranger"), b"400 Bad"), (CLIENT, b"404 Not")):
        with connect(gateway, "s3.test", tmp_path, shows=shown) as connection:
            assert ask(connection, "s3.test", "/other").startswith(b"HTTP/1.1 " + status)


def test_large_bodies_and_http2_where_paths_are_skipped(gateway: Any, upstream: Any, tmp_path: Path) -> None:
    gateway.put("ssls/skip4", _ssl(Pair("s4.test"), "s4.test", client={"ca": CA.pem, "skip_mtls_uri_regex": ["/"]}))
    gateway.route("/big", upstream(mirror).node, id_="big")
    body = bytes(range(256)) * 8192
    port = int(gateway.server.https_url.rpartition(":")[2])
    for http2 in (False, True):
        with httpx.Client(verify=False, http1=not http2, http2=http2, timeout=20) as client:
            answer = client.post(f"https://127.0.0.1:{port}/big", content=body, extensions={"sni_hostname": "s4.test"})
        assert (answer.http_version, answer.content == body) == ("HTTP/2" if http2 else "HTTP/1.1", True)


def test_a_certificate_verified_for_one_name_is_none_for_another(gateway: Any, tmp_path: Path) -> None:
    gateway.put("ssls/mutual2", _ssl(Pair("m2.test"), "m2.test", client={"ca": CA.pem}))
    with connect(gateway, "m2.test", tmp_path, shows=CLIENT) as connection:
        assert ask(connection, "m.test").startswith(b"HTTP/1.1 400 Bad Request")
    with connect(gateway, "m2.test", tmp_path, shows=CLIENT) as connection:
        assert ask(connection, "s.test", "/other").startswith(b"HTTP/1.1 400 Bad Request")


def test_two_certificates_for_one_name(gateway: Any, tmp_path: Path) -> None:
    elliptic, classic = Pair("two.test"), Pair("two.test", key=rsa.generate_private_key(65537, 2048))
    gateway.put("ssls/two", _ssl(elliptic, "two.test", certs=[classic.pem], keys=[classic.key_pem]))
    port = int(gateway.server.https_url.rpartition(":")[2])
    for cipher, pair in (("ECDHE-RSA-AES128-GCM-SHA256", classic), ("ECDHE-ECDSA-AES128-GCM-SHA256", elliptic)):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers(cipher)
        with context.wrap_socket(socket.create_connection(("127.0.0.1", port)), server_hostname="two.test") as shown:
            assert shown.getpeercert(binary_form=True) == pair.certificate.public_bytes(serialization.Encoding.DER)


def test_the_longest_name_that_fits_decides(gateway: Any, tmp_path: Path) -> None:
    gateway.put("ssls/inner", _ssl(Pair("inner"), "*.deep.wild.test"))
    with connect(gateway, "x.deep.wild.test", tmp_path) as connection:
        shown = x509.load_der_x509_certificate(connection.getpeercert(binary_form=True) or b"")
        assert shown.subject.rfc4514_string() == "CN=inner"
    with pytest.raises(ssl.SSLError):
        connect(gateway, "y.x.deep.wild.test", tmp_path)


def test_a_disabled_one_is_not_there(gateway: Any, tmp_path: Path) -> None:
    gateway.put("ssls/off", _ssl(Pair("off.test"), "off.test", status=0))
    with pytest.raises(ssl.SSLError):
        connect(gateway, "off.test", tmp_path)


def test_a_client_that_says_nothing_doesnt_hold_a_stop_up(gateway: Any) -> None:
    port = int(gateway.server.https_url.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=5):
        listener = gateway.server.gateway.listeners["https"][0]
        until(lambda: listener.connections, 5, awaited="the connection")
        gateway.server.call(lambda _: [one.drain() for one in list(listener.connections)])
        until(lambda: not listener.connections, 5, awaited="its end")


@pytest.fixture(scope="module")
def fallback(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A gateway of its own with apisix.ssl in its config.yaml."""
    config = tmp_path_factory.mktemp("fallback") / "config.yaml"
    config.write_text(
        "apisix: {ssl: {fallback_sni: f.test, ssl_protocols: TLSv1.2, ssl_ciphers: ECDHE-ECDSA-AES256-GCM-SHA384}}\n"
        "nginx_config: {http: {client_max_body_size: 1k}}\n"
    )
    with ApisixServer(https="127.0.0.1:0", config=config) as server:
        made = Gateway(server)
        made.put("routes/tls", {"uri": "/tls", "plugins": {"mocking": {"response_example": "hi"}}})
        made.put("ssls/f", _ssl(Pair("f.test"), "f.test"))
        yield made


def test_the_fallback_name_is_for_clients_that_give_none(fallback: Any, tmp_path: Path) -> None:
    with connect(fallback, None, tmp_path) as connection:
        assert b"200 OK" in ask(connection, "any.test")
    with pytest.raises(ssl.SSLError):
        connect(fallback, "other.test", tmp_path)


def test_protocols_and_ciphers_of_config_yaml(fallback: Any, tmp_path: Path) -> None:
    with connect(fallback, "f.test", tmp_path) as connection:
        assert connection.version() == "TLSv1.2"
        assert (connection.cipher() or ("",))[0] == "ECDHE-ECDSA-AES256-GCM-SHA384"


def test_session_tickets_are_off_unless_config_yaml_turns_them_on(fallback: Any, tmp_path: Path) -> None:
    with connect(fallback, "f.test", tmp_path) as connection:
        assert connection.session is not None and not connection.session.has_ticket


def test_the_longest_body_of_config_yaml(fallback: Any, upstream: Any) -> None:
    node = upstream()
    fallback.route("/body", node.node)
    request = b"POST /body HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: %d\r\n\r\n"
    assert fallback.raw(request % 1024 + b"x" * 1024).startswith(b"HTTP/1.1 200 OK\r\n")
    assert fallback.raw(request % 1025 + b"x" * 1025).startswith(b"HTTP/1.1 413 Request Entity Too Large\r\n")
