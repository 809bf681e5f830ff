"""The machine's real curl through the gateway: the client that everybody tries a route with."""

from __future__ import annotations

import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from .conftest import Upstream  # type: ignore[import-not-found]
from .test_tls import Pair, _ssl  # type: ignore[import-not-found]

NAME = "curl.test"
CONTENT = bytes(range(256)) * 64
#: The status, the protocol, how many connections were opened, how many bytes came
_TELL = "%{http_code} %{http_version} %{num_connects} %{size_download}\n"


class Said(NamedTuple):
    """What curl found: status, protocol, new connections, bytes; its output (heads with -i), and what -v told."""

    status: int
    version: str
    connects: int
    size: int
    out: bytes
    told: str


Curl = Callable[..., Said]


def _answer(up: Any, to: socket.socket, request: bytes) -> bool:
    head, _, body = request.partition(b"\r\n\r\n")
    method, target, _ = head.split(b"\r\n")[0].split(b" ")
    lower = head.lower()
    if target == b"/curl/range" and b"range: bytes=10-19" in lower:
        range_ = b"Content-Range: bytes 10-19/%d\r\nContent-Length: 10\r\n\r\n" % len(CONTENT)
        to.sendall(b"HTTP/1.1 206 Partial Content\r\n" + range_ + CONTENT[10:20])
    elif target == b"/curl/until":
        to.sendall(b"HTTP/1.1 200 OK\r\n\r\nuntil close")
        return False
    elif target == b"/curl/chunks":
        to.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\none \r\n3\r\ntwo\r\n0\r\nX-T: 1\r\n\r\n")
    else:
        sent = body if method in (b"PUT", b"POST") else CONTENT
        to.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n" % len(sent))
        if method != b"HEAD":
            to.sendall(sent)
    return True


@pytest.fixture(scope="module")
def node(gateway: Any) -> Iterator[Any]:
    made = Upstream(_answer)
    gateway.route("/curl/*", made.node, id_="curl")
    gateway.route("/curl/zip", made.node, id_="curlzip", plugins={"gzip": {"types": ["text/html"], "min_length": 1}})
    yield made
    made.close()


@pytest.fixture
def curl(gateway: Any, node: Any, tmp_path: Path) -> Curl:
    """Runs curl with these options on these paths."""
    if shutil.which("curl") is None:
        pytest.skip("not applicable: no curl is installed here")
    node.seen.clear()

    def run(*options: str, path: str = "/curl/x", url: str | None = None) -> Said:
        out = tmp_path / "out"
        url = url or gateway.server.http_url + path
        command = [
            "curl",
            "-q",
            "-sv",
            "--noproxy",
            "*",
            "--max-time",
            "10",
            "-w",
            _TELL,
            "-o",
            str(out),
            *options,
            url,
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=20)
        assert done.returncode == 0, done.stderr
        status, version, connects, size = done.stdout.splitlines()[-1].split()
        return Said(int(status), version, int(connects), int(size), out.read_bytes(), done.stderr)

    return run


@pytest.mark.parametrize(
    ("option", "version"),
    [("--http1.1", "1.1"), ("--http1.0", "1.1"), ("--http2", "1.1"), ("--http2-prior-knowledge", "2")],
)
@pytest.mark.parametrize("path", ["/curl/x", "/curl/until", "/curl/chunks"])
def test_each_protocol_gets_each_kind_of_body(curl: Curl, path: str, option: str, version: str) -> None:
    """--http2 in the clear is an Upgrade: h2c, which nginx does not take."""
    expected = {"/curl/x": CONTENT, "/curl/until": b"until close", "/curl/chunks": b"one two"}[path]
    said = curl(option, path=path)
    assert (said.status, said.version, said.out) == (200, version, expected)


def test_the_upgrade_to_h2c_stays_here(curl: Curl, node: Any) -> None:
    curl("--http2")
    assert b"h2c" not in node.seen[-1].lower()


@pytest.fixture(scope="module")
def authority(gateway: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A certificate of an authority of its own, which curl is told of."""
    issuer = Pair("curl-ca")
    gateway.put("ssls/curl", _ssl(Pair(NAME, issuer, san=NAME), NAME))
    path = tmp_path_factory.mktemp("curl") / "ca.pem"
    path.write_text(issuer.pem)
    yield path
    gateway.admin.delete("/ssls/curl")


@pytest.mark.parametrize(("option", "version"), [("--http1.1", "1.1"), ("--http2", "2")])
def test_tls_with_a_certificate_that_is_verified(
    curl: Curl, gateway: Any, authority: Path, option: str, version: str
) -> None:
    port = gateway.server.https_url.rpartition(":")[2]
    options = ("--cacert", str(authority), "--resolve", f"{NAME}:{port}:127.0.0.1", option)
    said = curl(*options, url=f"https://{NAME}:{port}/curl/x")
    assert (said.status, said.version, said.out) == (200, version, CONTENT)
    assert "SSL certificate verify ok" in said.told


@pytest.mark.parametrize("option", ["--http1.1", "--http2-prior-knowledge"])
def test_an_upload_that_expects_to_be_let(curl: Curl, node: Any, tmp_path: Path, option: str) -> None:
    sent = CONTENT * 100
    (tmp_path / "up").write_bytes(sent)
    said = curl(option, "-T", str(tmp_path / "up"), "-H", "Expect: 100-continue")
    assert (said.status, said.out) == (200, sent)
    assert ("HTTP/1.1 100 Continue" in said.told) == (option == "--http1.1")
    assert node.seen[-1].startswith(b"PUT /curl/x HTTP/1.1\r\n")


def test_an_upload_of_unknown_length(curl: Curl, node: Any, tmp_path: Path) -> None:
    (tmp_path / "up").write_bytes(CONTENT * 10)
    said = curl("-T", str(tmp_path / "up"), "-H", "Transfer-Encoding: chunked")
    assert (said.status, said.out) == (200, CONTENT * 10)
    assert b"Content-Length: %d\r\n" % (len(CONTENT) * 10) in node.seen[-1]


@pytest.mark.parametrize("option", ["--http1.1", "--http2-prior-knowledge"])
def test_compressed(curl: Curl, option: str) -> None:
    said = curl("--compressed", option, path="/curl/zip")
    assert (said.status, said.out) == (200, CONTENT)
    assert "content-encoding: gzip" in said.told.lower()
    assert said.size < len(CONTENT)


@pytest.mark.parametrize("option", ["--http1.1", "--http1.0", "--http2-prior-knowledge"])
def test_head(curl: Curl, option: str) -> None:
    said = curl("-I", option)
    assert (said.status, said.size) == (200, 0)
    assert f"content-length: {len(CONTENT)}" in said.told.lower()


def test_a_range(curl: Curl) -> None:
    said = curl("-r", "10-19", path="/curl/range")
    assert (said.status, said.out) == (206, CONTENT[10:20])


@pytest.mark.parametrize("option", ["--http1.1", "--http2"])
def test_a_connection_is_used_again(curl: Curl, gateway: Any, authority: Path, option: str) -> None:
    """Over TLS: with --http2-prior-knowledge this curl fails at its second request, whoever serves."""
    port = gateway.server.https_url.rpartition(":")[2]
    base = f"https://{NAME}:{port}/curl/"
    options = ("--cacert", str(authority), "--resolve", f"{NAME}:{port}:127.0.0.1", option)
    said = curl(*options, base + "x", "-o", "/dev/null", base + "chunks", "-o", "/dev/null", url=base + "until")
    assert (said.status, said.connects) == (200, 0)
    assert said.told.count("Connected to ") == 1


def test_a_body_that_nobody_wants(curl: Curl, gateway: Any, tmp_path: Path) -> None:
    (tmp_path / "up").write_bytes(CONTENT * 1000)
    said = curl("-T", str(tmp_path / "up"), url=gateway.server.http_url + "/curl-nowhere")
    assert said.status == 404
