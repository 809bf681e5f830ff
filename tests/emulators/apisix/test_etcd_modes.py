"""A gateway on real etcds: lost and back under traffic, with users, over TLS, of several members, under a prefix."""

from __future__ import annotations

import asyncio
import datetime
import http.client
import ipaddress
import json
import signal
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from harness.emulators.apisix.etcd import Etcd, EtcdError
from harness.emulators.apisix.gateway import Gateway
from harness.emulators.apisix.server import ApisixServer
from harness.errors import NotReady, SpecError
from harness.etcd_process import EtcdProcess
from harness.wait import until

ROUTE = {"plugins": {"mocking": {"response_example": "$uri", "content_type": "text/plain"}}}


def ask(url: str, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=10)
    connection.request(method, path, json.dumps(body) if body is not None else None, headers)
    answer = connection.getresponse()
    found = answer.status, answer.read().decode()
    connection.close()
    return found


def admin(gateway: ApisixServer, method: str, path: str, body: Any = None) -> tuple[int, Any]:
    key = {"X-API-KEY": gateway.admin_key}
    status, text = ask(gateway.admin_url, method, f"/apisix/admin/{path}", body, **key)
    return status, json.loads(text)


def status_of(gateway: ApisixServer, path: str) -> int:
    return ask(gateway.http_url, "GET", path)[0]


def edit(url: str, **options: Any) -> Any:
    """An etcd client whose methods are called synchronously."""

    class Sync:
        def __getattr__(self, name: str) -> Any:
            async def call(*args: Any, **more: Any) -> Any:
                client = Etcd([url], timeout=5, **options)
                try:
                    return await getattr(client, name)(*args, **more)
                finally:
                    client.close()

            return lambda *args, **more: asyncio.run(call(*args, **more))

    return Sync()


@contextmanager
def traffic(gateway: ApisixServer, path: str) -> Iterator[list[int]]:
    """Requests without a pause; the statuses they get."""
    seen: list[int] = []
    over = threading.Event()

    def run() -> None:
        while not over.is_set():
            seen.append(status_of(gateway, path))

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()


@pytest.mark.parametrize("compacted", [False, True])
def test_a_lost_etcd_costs_no_request_and_what_it_did_meanwhile_arrives(tmp_path: Path, compacted: bool) -> None:
    etcd = EtcdProcess(data_dir=tmp_path).start().ready()
    with ApisixServer(etcd=etcd.url) as gateway:
        for name in ("stays", "goes"):
            assert admin(gateway, "PUT", f"routes/{name}", {"uri": f"/{name}", **ROUTE})[0] == 201
        with traffic(gateway, "/stays") as seen:
            assert etcd.process is not None
            etcd.process.send_signal(signal.SIGKILL)
            etcd.process.wait()
            refused = (503, {"error_msg": "has no healthy etcd endpoint available"})
            assert admin(gateway, "PUT", "routes/new", {"uri": "/new", **ROUTE}) == refused
            assert admin(gateway, "GET", "routes/stays") == refused
            assert admin(gateway, "DELETE", "routes/stays") == refused
            assert status_of(gateway, "/goes") == 200
            # a member that nobody else reaches: what happens there happens while the gateway is away
            elsewhere = EtcdProcess(data_dir=tmp_path).start().ready()
            other = edit(elsewhere.url)
            other.delete("/apisix/routes/goes")
            value = json.dumps({"uri": "/came", **ROUTE}).encode()
            _, revision = other.put("/apisix/routes/came", value)
            if compacted:
                other.call("/v3/kv/compaction", {"revision": str(revision)})
            elsewhere.stop()
            again = EtcdProcess(port=etcd.port, data_dir=tmp_path).start().ready()
            until(lambda: status_of(gateway, "/came") == 200, 10, awaited="what was written while it was away")
            assert status_of(gateway, "/goes") == 404
            until(
                lambda: admin(gateway, "PUT", "routes/new", {"uri": "/new", **ROUTE})[0] in (200, 201),
                10,
                awaited="writes to succeed again",
            )
            assert status_of(gateway, "/new") == 200
        assert set(seen) == {200}
        again.stop()


def test_an_etcd_that_comes_back_empty_takes_the_configuration_away(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    etcd = EtcdProcess(data_dir=tmp_path / "one").start().ready()
    with ApisixServer(etcd=etcd.url) as gateway:
        admin(gateway, "PUT", "routes/1", {"uri": "/a", **ROUTE})
        assert status_of(gateway, "/a") == 200
        etcd.stop()
        with EtcdProcess(port=etcd.port, data_dir=tmp_path / "two"):
            until(lambda: status_of(gateway, "/a") == 404, 10, awaited="the empty configuration")
            assert admin(gateway, "PUT", "routes/1", {"uri": "/b", **ROUTE})[0] == 201
            assert status_of(gateway, "/b") == 200


def configured(directory: Path, etcd: dict[str, Any], apisix: dict[str, Any] | None = None) -> Path:
    path = directory / "config.yaml"
    path.write_text(yaml.safe_dump({"deployment": {"etcd": etcd}, "apisix": apisix or {}}))
    return path


def test_a_user_of_etcd_and_its_prefix(tmp_path: Path) -> None:
    with EtcdProcess() as etcd:
        open_ = edit(etcd.url)
        open_.call("/v3/auth/user/add", {"name": "root", "password": "r"})
        open_.call("/v3/auth/user/grant", {"user": "root", "role": "root"})
        open_.call("/v3/auth/user/add", {"name": "gate", "password": "g"})
        open_.call("/v3/auth/role/add", {"name": "mine"})
        permission = {"permType": "READWRITE", "key": "L21pbmUv", "range_end": "L21pbmUw"}  # /mine/ to /mine0
        open_.call("/v3/auth/role/grant", {"name": "mine", "perm": permission})
        open_.call("/v3/auth/user/grant", {"user": "gate", "role": "mine"})
        open_.call("/v3/auth/enable", {})
        with pytest.raises(EtcdError, match="insufficient credentials code: 401"):
            open_.range("/mine/", prefix=True)
        config = configured(tmp_path, {"user": "gate", "password": "g", "prefix": "/mine", "host": [etcd.url]})
        with ApisixServer(etcd=etcd.url, config=config) as gateway:
            assert admin(gateway, "PUT", "routes/1", {"uri": "/a", **ROUTE})[1]["key"] == "/mine/routes/1"
            root = edit(etcd.url, user="root", password="r")
            root.put("/mine/routes/2", json.dumps({"uri": "/b", **ROUTE}).encode())
            until(lambda: status_of(gateway, "/b") == 200, 5, awaited="what another user wrote")
            assert status_of(gateway, "/a") == 200


class TlsEtcd(EtcdProcess):
    """An etcd that speaks TLS and asks its clients for certificates."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    def _arguments(self, peer_port: int) -> list[str]:
        files = {"cert-file": "server.pem", "key-file": "server.key", "trusted-ca-file": "ca.pem"}
        named = [part for name, file in files.items() for part in (f"--{name}", str(self.folder / file))]
        return [*super()._arguments(peer_port), "--client-cert-auth", *named]

    def _healthy(self) -> bool:
        context = ssl.create_default_context(cafile=str(self.folder / "ca.pem"))
        context.load_cert_chain(self.folder / "client.pem", self.folder / "client.key")
        plain = socket.create_connection(("127.0.0.1", self.port), timeout=2)
        with plain, context.wrap_socket(plain, server_hostname="127.0.0.1") as connection:
            connection.sendall(b"GET /health HTTP/1.0\r\n\r\n")
            return b'"true"' in connection.makefile("rb").read()


def certificates(folder: Path) -> None:
    """A CA, and a server's and a client's certificate of it, as PEM files."""
    now = datetime.datetime.now(datetime.UTC)
    keys = {name: ec.generate_private_key(ec.SECP256R1()) for name in ("ca", "server", "client")}
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "ca")])
    for name, key in keys.items():
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
            .issuer_name(issuer)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=name == "ca", path_length=None), critical=True)
        )
        if name == "server":
            names = [x509.IPAddress(ipaddress.ip_address("127.0.0.1")), x509.DNSName("etcd.test")]
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        pem = builder.sign(keys["ca"], hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
        (folder / f"{name}.pem").write_bytes(pem)
        (folder / f"{name}.key").write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TlsEtcd]:
    folder = tmp_path_factory.mktemp("etcd-tls")
    certificates(folder)
    with TlsEtcd(folder) as etcd:
        yield etcd


@pytest.mark.parametrize("sni", ["", "etcd.test"])
def test_etcd_over_tls_with_a_client_certificate(secure: TlsEtcd, tmp_path: Path, sni: str) -> None:
    folder = secure.folder
    tls = {"cert": str(folder / "client.pem"), "key": str(folder / "client.key"), **({"sni": sni} if sni else {})}
    trusted = {"ssl": {"ssl_trusted_certificate": str(folder / "ca.pem")}}
    config = configured(tmp_path, {"host": [secure.url], "tls": tls}, trusted)
    with ApisixServer(etcd=secure.url, config=config) as gateway:
        assert admin(gateway, "PUT", "routes/1", {"uri": "/a", **ROUTE})[0] in (200, 201)
        assert status_of(gateway, "/a") == 200


def test_a_certificate_of_etcd_may_be_left_unverified(secure: TlsEtcd, tmp_path: Path) -> None:
    tls = {"cert": str(secure.folder / "client.pem"), "key": str(secure.folder / "client.key"), "verify": False}
    config = configured(tmp_path, {"host": [secure.url], "tls": tls})
    with ApisixServer(etcd=secure.url, config=config) as gateway:
        assert admin(gateway, "GET", "routes")[0] == 200


@pytest.mark.parametrize("tls", [{}, {"verify": False}])
def test_an_etcd_that_is_not_believed_or_does_not_believe_is_none(
    secure: TlsEtcd, tmp_path: Path, tls: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.emulators.apisix.gateway.ETCD_PATIENCE", 0.2)
    config = configured(tmp_path, {"host": [secure.url], "tls": tls})
    with pytest.raises(NotReady):
        ApisixServer(etcd=secure.url, config=config).start()


def test_a_certificate_that_is_not_there(secure: TlsEtcd, tmp_path: Path) -> None:
    config = configured(tmp_path, {"host": [secure.url], "tls": {"cert": str(tmp_path / "none.pem")}})
    with pytest.raises(SpecError, match=r"deployment\.etcd\.tls"):
        ApisixServer(etcd=secure.url, config=config).start()


def test_one_member_of_several_is_enough(tmp_path: Path) -> None:
    async def served(members: list[str]) -> None:
        from harness.emulators.apisix.settings import Settings

        settings = Settings(http=("127.0.0.1:0",), admin=None, control=None, prometheus=None, etcd=tuple(members))
        gateway = Gateway(settings)
        await gateway.start()
        try:
            await gateway.store.put("routes", "1", {"uri": "/a", **ROUTE})  # type: ignore[union-attr]
            status = await asyncio.to_thread(ask, gateway.addresses["http"], "GET", "/a")
            assert status == (200, "/a")
        finally:
            await gateway.stop()

    with EtcdProcess() as etcd:
        asyncio.run(served(["http://127.0.0.1:1", etcd.url]))
        asyncio.run(served([etcd.url, "http://127.0.0.1:1"]))
