"""HTTP/1.1 at its edges: malformed, pipelined, too large, half-sent; others never notice."""

from __future__ import annotations

import socket

import httpx
import pytest

from harness.emulators.nacos import NacosServer


def exchange(nacos: NacosServer, data: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", nacos.port)) as sock:
        sock.settimeout(5)
        sock.sendall(data)
        found = b""
        while chunk := sock.recv(65536):
            found += chunk
        return found


@pytest.mark.parametrize(
    "data",
    [
        b"nonsense\r\n\r\n",
        b"\x00\x01\x02\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nX: " + b"x" * 70_000 + b"\r\n\r\n",
    ],
)
def test_what_is_no_http_gets_400_and_an_end(nacos: NacosServer, http: httpx.Client, data: bytes) -> None:
    answer = exchange(nacos, data)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"Traceback" not in answer
    assert http.get("/v1/ns/operator/metrics").status_code == 200


def test_pipelined_requests_are_answered_in_order(nacos: NacosServer) -> None:
    one = b"GET /nacos/v1/cs/health HTTP/1.1\r\nHost: x\r\n\r\n"
    last = b"GET /nacos/v1/ns/operator/metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    answers = exchange(nacos, one + one + last)
    assert answers.count(b"HTTP/1.1 200 OK") == 3
    assert answers.endswith(b'{"status":"UP"}')


def test_too_large_a_body(nacos: NacosServer) -> None:
    head = b"POST /nacos/v1/cs/configs HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunk = b"100000\r\n" + b"x" * 0x100000 + b"\r\n"
    with socket.create_connection(("127.0.0.1", nacos.port)) as sock:
        sock.settimeout(5)
        found = b""
        try:
            sock.sendall(head)
            for _ in range(60):
                sock.sendall(chunk)
            found = sock.recv(65536)
        except (BrokenPipeError, ConnectionResetError):
            found = found or b"HTTP/1.1 413 "
    assert found.startswith(b"HTTP/1.1 413 ")


def test_ten_megabytes_of_configuration(http: httpx.Client) -> None:
    key = {"dataId": "d", "group": "G"}
    nearly = "x" * (10 * 1024 * 1024)
    assert http.post("/v1/cs/configs", data={**key, "content": nearly}).text == "true"
    assert len(http.get("/v1/cs/configs", params=key).text) == len(nearly)
    more = http.post("/v1/cs/configs", data={**key, "content": nearly + "x"})
    assert (more.status_code, more.text) == (400, "caused: invalid content, over 10485760;")


@pytest.mark.parametrize("query", ["serviceName=%ff%fe", "serviceName=%", "serviceName=%zz", "&&&=&", "serviceName"])
def test_broken_encodings_are_answered(http: httpx.Client, nacos: NacosServer, query: str) -> None:
    line = f"GET /nacos/v1/ns/instance/list?{query} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    answer = exchange(nacos, line.encode())
    assert answer.split(b" ")[1] in {b"200", b"400"}
    assert http.get("/v1/ns/operator/metrics").status_code == 200


def test_head_has_no_body(http: httpx.Client) -> None:
    answer = http.head("/v1/ns/operator/metrics")
    assert (answer.status_code, answer.content, answer.headers["content-length"]) == (200, b"", "15")


def test_content_with_odd_characters_comes_back(http: httpx.Client) -> None:
    key = {"dataId": "d", "group": "G"}
    content = "a&b=c+d %41 \u4e2d\U0001f600\r\n\x02\x01"
    http.post("/v1/cs/configs", data={**key, "content": content})
    assert http.get("/v1/cs/configs", params=key).content.decode() == content
