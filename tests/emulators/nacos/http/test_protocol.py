"""HTTP/1.1 at its edges: malformed, pipelined, too large, half-sent; others never notice."""

from __future__ import annotations

import contextlib
import resource
import socket
from pathlib import Path

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


OK = b"GET /nacos/v1/ns/operator/metrics HTTP/1.1\r\nHost: x\r\n"
LIST = "GET /nacos/v1/ns/instance/list?serviceName={} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"\x00\x01\x02\r\n\r\n", 400),
        (b"GET / HTTP/9.9\r\n\r\n", 505),
        (b"GET /nacos/v1/ns/operator/metrics HTTP/1.1\r\n\r\n", 400),
        (OK + b"Host: y\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: zork\r\n\r\n", 501),
        (b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
        (OK + b"abc\r\n\r\n", 400),
        (OK + b"a: c\x01d\r\n\r\n", 400),
        (OK + b"X: " + b"x" * 600_000 + b"\r\n\r\n", 400),
        (OK + b"".join(b"X%d: 1\r\n" % number for number in range(100)) + b"\r\n", 400),
        (b"CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n", 501),
        (LIST.format("a{b}").encode(), 400),
        (LIST.format("\u4e2d").encode(), 400),
        (b"GET /nacos/v1/%zz HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"GET /nacos/v1/%00 HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"GET /nacos/v1%2fns HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"GET /../../etc HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    ],
)
def test_what_is_no_http_gets_tomcats_page_and_an_end(
    nacos: NacosServer, http: httpx.Client, data: bytes, status: int
) -> None:
    head, _, body = exchange(nacos, data).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d \r\n" % status)
    assert b"Content-Type: text/html;charset=utf-8\r\nContent-Length: %d\r\nConnection: close" % len(body) in head
    assert f"<h1>HTTP Status {status} \u2013 ".encode() in body
    assert http.get("/v1/ns/operator/metrics").status_code == 200


def test_the_page_of_a_bad_request_has_tomcats_length(nacos: NacosServer) -> None:
    assert b"Content-Length: 435\r\n" in exchange(nacos, b"nonsense\r\n\r\n")


@pytest.mark.parametrize("path", ["/v1/ns/../ns/x", "//v1/ns/x", "/v1/ns/x;a=b", "/v1/ns/%3b", "/v1/%2525", "/v1/./x"])
def test_the_firewall_refuses_odd_paths(nacos: NacosServer, path: str) -> None:
    answer = exchange(nacos, f"GET /nacos{path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b'"message":"No message available"' in answer


def test_other_methods_are_refused_without_a_word(nacos: NacosServer) -> None:
    answer = exchange(nacos, b"TRACE /nacos/v1/ns/operator/metrics HTTP/1.1\r\nHost: x\r\n\r\n")
    assert answer == b"HTTP/1.1 400 \r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


def test_an_upgrade_is_not_taken_but_the_request_is_served(nacos: NacosServer) -> None:
    first = OK + b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n"
    answers = exchange(nacos, first + OK + b"Connection: close\r\n\r\n")
    assert answers.count(b"HTTP/1.1 200 ") == 2


def test_http2_is_not_spoken_here(nacos: NacosServer) -> None:
    assert exchange(nacos, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n") == b""


def test_a_client_that_does_not_read_is_not_read_from(nacos: NacosServer, http: httpx.Client) -> None:
    many = [f"serviceName=many&ip=10.0.{one // 250}.{one % 250}&port=80&ephemeral=false" for one in range(300)]
    for query in many:
        http.post(f"/v1/ns/instance?{query}")
    before = resident()
    request = b"GET /nacos/v1/ns/instance/list?serviceName=many HTTP/1.1\r\nHost: x\r\n\r\n"
    with socket.create_connection(("127.0.0.1", nacos.port)) as greedy:
        greedy.settimeout(0.5)
        asked = 0
        with contextlib.suppress(TimeoutError):
            while asked < 100_000:
                greedy.sendall(request * 100)
                asked += 100
        assert asked < 100_000, "the server read on and on"
        assert http.get("/v1/ns/operator/metrics").status_code == 200
        assert resident() - before < 64
        greedy.settimeout(10)
        found, answered = b"", 0
        while answered < 1000:
            found = found[-20:] + greedy.recv(1 << 20)
            answered += found.count(b"HTTP/1.1 200 ") - found[:20].count(b"HTTP/1.1 200 ")
    assert http.get("/v1/ns/operator/metrics").status_code == 200


def resident() -> float:
    """MiB that this process, with the server in it, holds."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / (1 << 20)


def test_pipelined_requests_are_answered_in_order(nacos: NacosServer) -> None:
    one = b"GET /nacos/v1/ns/operator/metrics HTTP/1.1\r\nHost: x\r\n\r\n"
    last = b"GET /nacos/v1/ns/operator/metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    answers = exchange(nacos, one + one + last)
    assert answers.count(b"HTTP/1.1 200 ") == 3
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


@pytest.mark.nacos_3
def test_a_form_beyond_tomcats_two_megabytes_has_no_parameters(http: httpx.Client) -> None:
    """So 10 MB of configuration go over gRPC only, as on the real server with Tomcat's own `maxPostSize`."""
    key = {"dataId": "d", "group": "G"}
    nearly = "x" * (2 * 1024 * 1024 - 100)
    assert http.post("/v1/cs/configs", data={**key, "content": nearly}).text == "true"
    assert len(http.get("/v1/cs/configs", params=key).text) == len(nearly)
    more = http.post("/v1/cs/configs", data={**key, "content": nearly * 2})
    assert (more.status_code, "is not present" in more.text) == (400, True), more.text
    assert len(http.get("/v1/cs/configs", params=key).text) == len(nearly)


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("serviceName=%ff%fe", 200),
        ("serviceName=%", 400),
        ("serviceName=%zz", 400),
        ("serviceName=a%4&serviceName=b", 200),
        ("&&&=&", 400),
        ("serviceName", 400),
    ],
)
def test_a_parameter_that_cannot_be_decoded_is_absent(nacos: NacosServer, query: str, status: int) -> None:
    line = f"GET /nacos/v1/ns/instance/list?{query} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    assert exchange(nacos, line.encode()).startswith(b"HTTP/1.1 %d " % status)


def test_head_has_no_body(http: httpx.Client) -> None:
    answer = http.head("/v1/console/health/liveness")
    assert (answer.status_code, answer.content, answer.headers["content-length"]) == (200, b"", "2")


def test_content_with_odd_characters_comes_back(http: httpx.Client) -> None:
    key = {"dataId": "d", "group": "G"}
    content = "a&b=c+d %41 \u4e2d\U0001f600\r\n\x02\x01"
    http.post("/v1/cs/configs", data={**key, "content": content})
    assert http.get("/v1/cs/configs", params=key).content.decode() == content
