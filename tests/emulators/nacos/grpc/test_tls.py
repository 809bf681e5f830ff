"""gRPC over TLS: an SDK's channel with a certificate, clients' certificates, pushes through it."""

from __future__ import annotations

import datetime
import ipaddress
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from v2.nacos.transport.grpcauto.nacos_grpc_service_pb2 import Payload

from harness.emulators.nacos import NacosServer
from harness.emulators.nacos.grpc.tls import Tls, tls_of
from harness.errors import SpecError


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate that signs itself, and its key."""
    folder = tmp_path_factory.mktemp("tls")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "nacos")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    (folder / "cert.pem").write_bytes(certificate.public_bytes(pem))
    plain = serialization.NoEncryption()
    (folder / "key.pem").write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain))
    return folder / "cert.pem", folder / "key.pem"


@pytest.fixture
def nacos(files: tuple[Path, Path]) -> Iterator[NacosServer]:
    with NacosServer(grpc_tls=Tls(*files)) as running:
        yield running


def check(channel: grpc.Channel) -> str:
    call: Any = channel.unary_unary(
        "/Request/request", request_serializer=Payload.SerializeToString, response_deserializer=Payload.FromString
    )
    message = Payload()
    message.metadata.type = "ServerCheckRequest"
    return str(call(message, timeout=5).metadata.type)


def channel(nacos: NacosServer, ca: Path, *, own: tuple[Path, Path] | None = None) -> grpc.Channel:
    certificate, key = own or (None, None)
    credentials = grpc.ssl_channel_credentials(
        ca.read_bytes(), key.read_bytes() if key else None, certificate.read_bytes() if certificate else None
    )
    return grpc.secure_channel(f"127.0.0.1:{nacos.grpc_port}", credentials)


def test_calls_and_pushes_over_tls(nacos: NacosServer, files: tuple[Path, Path], grpc_client_of: Any) -> None:
    client = grpc_client_of(nacos, channel(nacos, files[0]))
    client.set_up()
    service = {"groupName": "G", "serviceName": "s"}
    client.ask("SubscribeServiceRequest", {**service, "subscribe": True})
    for count in (1, 40, 80):  # the last is longer than several records of TLS
        instances = [{"ip": "1.1.1.1", "port": port, "metadata": {"x": "x" * 1000}} for port in range(count)]
        client.ask("BatchInstanceRequest", {**service, "type": "batchRegisterInstance", "instances": instances})
        client.until_pushed(lambda info, count=count: len(info["hosts"]) == count)


def test_without_tls_nothing_is_said(nacos: NacosServer) -> None:
    with grpc.insecure_channel(f"127.0.0.1:{nacos.grpc_port}") as plain, pytest.raises(grpc.RpcError) as refused:
        check(plain)
    assert refused.value.code() is grpc.StatusCode.UNAVAILABLE


def test_clients_may_have_to_show_a_certificate(files: tuple[Path, Path]) -> None:
    with NacosServer(grpc_tls=Tls(*files, client_ca=files[0])) as nacos:
        with channel(nacos, files[0]) as nobody, pytest.raises(grpc.RpcError):
            check(nobody)
        with channel(nacos, files[0], own=files) as known:
            assert check(known) == "ServerCheckResponse"


def test_files_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="can't be served over TLS"):
        NacosServer(grpc_tls=Tls(tmp_path / "no", tmp_path / "no")).start()
    with pytest.raises(SpecError, match="needs a certificate and its key"):
        tls_of("cert.pem", None)
    assert tls_of(None, None) is None
